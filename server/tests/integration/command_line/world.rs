//! `dev` as a newcomer meets it: its screen, and the world behind it, which lives and lasts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use livedrop::{
    Client,
    v1::{self, DropState},
};
use tokio::time::timeout;

use crate::harness::{
    eventually,
    home::Home,
    process::{PROMPTLY, Process, finish, livedrop},
    request_id,
};

/// Promised is 30 s after the start, on whatever else the machine does.
const OPENS_WITHIN: Duration = Duration::from_secs(60);

/// A started `dev`.
struct Dev {
    server: Process,
    client: Client,
    screen: String,
}

impl Dev {
    async fn start(home: &Home, flags: &[&str]) -> Self {
        let args = [&["dev", "--listen", "127.0.0.1:0"], flags].concat();
        let mut server = Process::start(home.tool(&args)).await;
        let mut screen = String::new();
        while let Some(line) = timeout(PROMPTLY, server.out.next_line())
            .await
            .unwrap()
            .unwrap()
        {
            screen += &format!("{line}\n");
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        let client = server.client();
        Self {
            server,
            client,
            screen,
        }
    }

    /// Ids of the drops that the screen names below a line.
    fn named(&self, heading: &str) -> BTreeSet<String> {
        let below = self.screen.lines();
        let below = below.skip_while(|line| !line.starts_with(heading)).skip(1);
        let drops = below.take_while(|line| line.starts_with("  "));
        drops
            .map(|line| line.split_whitespace().next().unwrap().to_owned())
            .collect()
    }

    async fn drops(&self, state: DropState) -> BTreeMap<String, v1::Drop> {
        let request = v1::ListDropsRequest {
            state: state.into(),
            ..Default::default()
        };
        let found = self.client.list_drops(request).await.unwrap().drops;
        let found = found.into_iter().map(|drop| (drop.drop_id.clone(), drop));
        found.collect()
    }

    /// Drops of a state, as soon as there are so many.
    async fn many(&self, state: DropState, count: usize) -> BTreeMap<String, v1::Drop> {
        eventually(|| async { Some(self.drops(state).await).filter(|it| it.len() == count) }).await
    }

    /// Creators of what is or will be on sale, and their products.
    async fn catalog(&self) -> BTreeMap<String, Vec<v1::Product>> {
        let live = self.drops(DropState::Live).await;
        let scheduled = self.drops(DropState::Scheduled).await;
        let mut found = BTreeMap::new();
        for creator in live.into_values().chain(scheduled.into_values()) {
            let creator = creator.creator.unwrap();
            let request = v1::ListProductsRequest {
                creator_id: creator.creator_id,
                ..Default::default()
            };
            let mut products = self.client.list_products(request).await.unwrap().products;
            for image in products.iter_mut().flat_map(|it| &mut it.images) {
                // The port is another one at each start.
                image.url = image.url.split_once("/media/").unwrap().1.to_owned();
            }
            found.insert(creator.handle, products);
        }
        found
    }

    async fn available(&self, drop_ids: &BTreeSet<String>) -> i64 {
        let request = v1::BatchGetDropsRequest {
            drop_ids: drop_ids.iter().cloned().collect(),
        };
        let drops = self.client.batch_get_drops(request).await.unwrap().drops;
        sum(&drops, |stock| stock.available)
    }

    /// Waits until demo buyers have bought some.
    async fn sells(&self, drop_ids: &BTreeSet<String>) {
        let before = self.available(drop_ids).await;
        eventually(|| async { (self.available(drop_ids).await < before).then_some(()) }).await;
    }

    async fn sign_in(&self, email: &str, password: &str) -> Client {
        let client = self.server.client();
        let (email, password) = (email.to_owned(), password.to_owned());
        let request = v1::SignInRequest { email, password };
        client.sign_in(request).await.unwrap();
        client
    }

    /// At Ctrl-C, in seconds.
    async fn end(self) {
        let (code, _, err) = self.server.end("INT").await;
        assert_eq!((code, err.as_str()), (0, ""));
    }
}

fn sum(drops: &[v1::Drop], what: impl Fn(v1::ItemStock) -> i64) -> i64 {
    let items = drops.iter().flat_map(|drop| &drop.items);
    items.filter_map(|item| item.stock).map(what).sum()
}

fn ids(drops: &BTreeMap<String, v1::Drop>) -> BTreeSet<String> {
    drops.keys().cloned().collect()
}

fn count(catalog: &BTreeMap<String, Vec<v1::Product>>) -> usize {
    catalog.values().map(Vec::len).sum()
}

#[tokio::test]
async fn dev_is_a_world_that_lives_and_lasts() {
    let home = Home::new().await;
    let dev = Dev::start(&home, &[]).await;
    what_the_screen_says_works(&dev).await;
    let (live, soon) = (dev.named("Live now"), dev.named("Opens in"));
    assert_eq!((live.len(), soon.len()), (3, 1), "{}", dev.screen);
    // For two seconds those were live too.
    let over = dev.many(DropState::Ended, 2).await;
    assert_eq!(ids(&dev.drops(DropState::Live).await), live);
    // One is tomorrow's.
    let scheduled = dev.many(DropState::Scheduled, 2).await;
    assert!(soon.is_subset(&ids(&scheduled)));
    let catalog = dev.catalog().await;
    assert_eq!((catalog.len(), count(&catalog)), (5, 40));
    for product in catalog.values().flatten() {
        assert!(product.variants.len() > 1 && !product.tags.is_empty());
        assert!(!product.attributes.is_empty());
        let pictures: Vec<_> = product.images.iter().map(|it| it.width).collect();
        assert_eq!(pictures, [480]);
    }
    let bought: Vec<_> = over.values().cloned().collect();
    assert!(sum(&bought, |stock| stock.sold) > 0, "{bought:?}");
    for handle in catalog.keys() {
        let key = v1::get_creator_request::Key::Handle(handle.clone());
        let request = v1::GetCreatorRequest { key: Some(key) };
        let creator = dev.client.get_creator(request).await.unwrap();
        assert!(creator.follower_count > 0, "{handle}");
    }
    dev.sells(&live).await;

    let mut watch = dev.client.watch_drop(soon.first().unwrap());
    let opens = async { while watch.next().await.unwrap().drop.state() != DropState::Live {} };
    timeout(OPENS_WITHIN, opens).await.expect("it opens");
    // A creator whose account is deleted leaves the handle taken.
    let finn = dev.sign_in("finn@demo.example", "demo-demo-demo").await;
    let of_finn = |drop: &&v1::Drop| drop.creator.as_ref().unwrap().handle == "finn";
    let request = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: scheduled.values().find(of_finn).unwrap().drop_id.clone(),
    };
    finn.cancel_drop(request).await.unwrap();
    let password = "demo-demo-demo".to_owned();
    let request = v1::DeleteAccountRequest { password };
    finn.delete_account(request).await.unwrap();
    dev.end().await;

    // Nothing is doubled, what was deleted is back, and it goes on.
    let dev = Dev::start(&home, &[]).await;
    assert_eq!(dev.named("Live now"), &live | &soon, "{}", dev.screen);
    assert!(dev.named("Opens in").is_disjoint(&soon), "a new one");
    assert_eq!(ids(&dev.drops(DropState::Live).await), &live | &soon);
    dev.many(DropState::Scheduled, 2).await;
    let mut newer = dev.catalog().await;
    assert_eq!((newer.len(), count(&newer)), (5, 40));
    newer.retain(|handle, _| !handle.starts_with("finn_"));
    let mut older = catalog;
    older.remove("finn");
    assert_eq!(newer, older);
    dev.sells(&live).await;
    assert_eq!(ids(&dev.drops(DropState::Ended).await), ids(&over));
    dev.end().await;

    let dev = Dev::start(&home, &["--quiet"]).await;
    assert!(dev.screen.contains("nobody but you buys"), "{}", dev.screen);
    dev.end().await;
}

/// Logins are good, and commands name this server.
async fn what_the_screen_says_works(dev: &Dev) {
    let screen = &dev.screen;
    let logins = screen.lines().filter(|line| line.contains(" password "));
    assert_eq!(logins.clone().count(), 3, "{screen}");
    for login in logins {
        let words: Vec<_> = login.split_whitespace().collect();
        dev.sign_in(words[1], words[3]).await;
    }
    for command in [
        "npx --yes @bufbuild/buf",
        "cargo run --release -p livedrop --example buyer",
        "cargo run --release -p livedrop --example watcher",
        "cargo run --release -p livedrop-bench -- rush",
    ] {
        let mut lines = screen.lines();
        let line = lines.find(|line| line.contains(command));
        let line = line.unwrap_or_else(|| panic!("{command}: {screen}"));
        assert!(line.contains(&dev.server.endpoint), "{line}");
    }
    let mut lines = screen.lines();
    let verify = lines.find_map(|line| line.trim().strip_prefix("cargo run --release -- "));
    let verify = verify.unwrap_or_else(|| panic!("no command to verify: {screen}"));
    let (code, out, err) = finish(livedrop(&verify.split(' ').collect::<Vec<_>>())).await;
    assert_eq!((code, err.as_str()), (0, ""), "{verify}");
    assert!(out.contains("checked, 0 wrong"), "{out}");
}
