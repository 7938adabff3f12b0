//! `livedrop export` and `livedrop import`: the truth goes to another store, and a server goes on there.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use livedrop::{
    Client,
    v1::{self, OrderState},
};
use livedrop_server::{
    env::{SharedEnv, SystemEnv},
    events::Sinks,
    jobs::transfer::{self, Checked, ImportError, file::FORMAT},
    projectors,
    store::{
        SharedStore,
        embedded::{EmbeddedStore, Options},
        faulty::{Fault, FaultPlan, Faulty, Method},
    },
};
use uuid::Uuid;

use crate::harness::{
    approve, eventually, get_drop, get_order, open_drop, order_request, place,
    process::{Process, done, finish, livedrop, refused},
    profile_request, stock,
};

/// Paths of one test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    async fn dev(&self, data: &str) -> Process {
        Process::dev_on(&self.path(data)).await
    }

    /// A store with two drops, two people and an order, and what was exported of it.
    async fn exported(&self) -> Vec<u8> {
        let server = self.dev("data").await;
        let (ann, _) = server.signed_up().await;
        ann.become_creator(profile_request()).await.unwrap();
        open_drop(&ann, &[(0, 5)]).await;
        let drop = open_drop(&ann, &[(0, 5)]).await;
        let (ben, _) = server.signed_up().await;
        place(&ben, &drop, &[(0, 1)]).await.unwrap();
        assert_eq!(server.end("TERM").await.0, 0);
        let (data, file) = (self.path("data"), self.path("export.jsonl"));
        done(livedrop(&["export", "--data", &data, "--to", &file])).await;
        fs::read(file).unwrap()
    }
}

async fn buy(buyer: &Client, drop: &v1::Drop, token: &str) -> v1::Order {
    let request = v1::PlaceOrderRequest {
        payment_method: token.into(),
        ..order_request(drop, &[(0, 1)])
    };
    buyer.place_order(request).await.unwrap().order.unwrap()
}

#[tokio::test]
async fn a_shop_is_moved_and_goes_on_with_its_payments() {
    let folder = Folder::new();
    let server = folder.dev("data").await;
    let (ann, ann_is) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(500, 10)]).await;
    let (ben, ben_is) = server.signed_up().await;
    let (cid, cid_is) = server.signed_up().await;
    let paid = buy(&ben, &drop, "pm_test_ok").await;
    let waits = buy(&cid, &drop, "pm_test_3ds").await;
    let waits = eventually(async || {
        let order = get_order(&cid, &waits).await.unwrap();
        (order.state() == OrderState::ActionRequired).then_some(order)
    })
    .await;
    let held = place(&ben, &drop, &[(0, 2)]).await.unwrap();

    let (data, file, new) = (folder.path("data"), folder.path("file"), folder.path("new"));
    let export = ["export", "--data", &data, "--to", &file];
    refused(
        livedrop(&export),
        1,
        &["in use by another livedrop process"],
    )
    .await;
    assert!(!Path::new(&file).exists());
    // Without a word to its store.
    assert_eq!(server.end("KILL").await.0, -1);
    let out = done(livedrop(&export)).await;
    assert!(out.contains("password hashes"), "{out}");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    refused(livedrop(&export), 2, &["is there already"]).await;

    let out = done(livedrop(&["import", "--from", &file, "--data", &new])).await;
    for line in [
        "accounts                         3\n",
        "drops                            1\n",
        "payment_attempts                 2\n",
        "every row was read again and is as in the file",
        "rebuilt from 1 drops, 1 ledgers",
    ] {
        assert!(out.contains(line), "{line:?} is not in {out}");
    }
    for name in ["keys.toml", "test-provider.jsonl"] {
        fs::copy(Path::new(&data).join(name), Path::new(&new).join(name)).unwrap();
    }
    fs::rename(&data, folder.path("old")).unwrap();

    let server = folder.dev("new").await;
    let (ann, ben, cid) = (
        server.sign_in(&ann_is).await,
        server.sign_in(&ben_is).await,
        server.sign_in(&cid_is).await,
    );
    assert_eq!(get_order(&ben, &paid).await.unwrap(), paid);
    let mut found = get_order(&cid, &waits).await.unwrap();
    found.action_url.clone_from(&waits.action_url);
    assert_eq!(found, waits);
    assert_eq!(get_order(&ben, &held).await.unwrap(), held);
    let listed = ben.list_orders(v1::ListOrdersRequest::default()).await;
    let listed: Vec<_> = listed.unwrap().orders;
    assert_eq!(listed, [held, paid]);
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (6, 3, 1));
    let times = v1::ListDropOrdersRequest {
        drop_id: drop.drop_id.clone(),
        ..Default::default()
    };
    let listed = ann.list_drop_orders(times).await.unwrap().orders;
    assert_eq!(listed.len(), 3);

    approve(&server.endpoint, &waits.action_url).await;
    eventually(async || {
        let order = get_order(&cid, &waits).await.unwrap();
        (order.state() == OrderState::Paid).then_some(())
    })
    .await;
    assert_eq!(
        buy(&cid, &drop, "pm_test_ok").await.state(),
        OrderState::Paid
    );
    assert_eq!(server.end("TERM").await.0, 0);
    let verified = done(livedrop(&["ledger", "verify", "--all", "--data", &new])).await;
    assert!(verified.contains("1 ledger checked, 0 wrong"), "{verified}");
    // It has sold since.
    refused(
        livedrop(&["import", "--from", &file, "--data", &new]),
        1,
        &["is not empty", "choose an empty one"],
    )
    .await;
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_refused_before_anything_is_made() {
    let folder = Folder::new();
    let whole = folder.exported().await;
    let (file, new) = (folder.path("damaged"), folder.path("new"));
    let import = ["import", "--from", &file, "--data", &new];
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines = text.lines().count();
    let cut = |at: usize| whole[..at].to_vec();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    let line = |number: usize| text.lines().nth(number).unwrap().to_owned() + "\n";
    let head = |format: u32| format!("{{\"livedrop_export\":{format}");
    let last = line(lines - 1);
    for (damaged, part) in [
        (cut(whole.len() - 1), "is cut off after line"),
        (cut(whole.len() / 2), "is cut off after line"),
        (cut(text.len() - last.len()), "is cut off after line"),
        (cut(20), "is not what `livedrop export` writes"),
        (Vec::new(), "is not what `livedrop export` writes"),
        (
            b"[store]\n".to_vec(),
            "is not what `livedrop export` writes",
        ),
        (changed("\"version\":1", "\"version\":2"), "was changed"),
        (changed(&line(2), ""), "was changed"),
        (changed(&line(2), &(line(2) + &line(2))), "was changed"),
        (changed("\"accounts\":2", "\"accounts\":3"), "was changed"),
        ([&whole[..], b"more\n"].concat(), "was changed"),
        (
            changed("{\"table\":\"accounts\"", "{\"table\":\"acounts\""),
            "is damaged at line",
        ),
        (changed(&head(FORMAT), &head(FORMAT + 1)), "newer version"),
    ] {
        fs::write(&file, damaged).unwrap();
        refused(
            livedrop(&import),
            1,
            &[&format!("can't import {file}: the file "), part],
        )
        .await;
        assert!(!Path::new(&new).exists(), "{part}");
    }
    fs::remove_file(&file).unwrap();
    refused(livedrop(&import), 1, &["can't read", &file]).await;
    fs::write(&file, &whole).unwrap();
    done(livedrop(&import)).await;
}

#[tokio::test]
async fn importing_again_changes_nothing_and_nothing_is_overwritten() {
    let folder = Folder::new();
    let whole = folder.exported().await;
    let (file, new) = (folder.path("export.jsonl"), folder.path("new"));
    let import = ["import", "--from", &file, "--data", &new];
    let first = done(livedrop(&import)).await;
    assert_eq!(done(livedrop(&import)).await, first);
    // What comes out is what went in, but for the time in the first line and the sums in the last.
    let again = folder.path("again");
    done(livedrop(&["export", "--data", &new, "--to", &again])).await;
    let rows = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let rows: Vec<_> = text.lines().map(str::to_owned).collect();
        rows[1..rows.len() - 1].to_vec()
    };
    assert_eq!(rows(&fs::read(&again).unwrap()), rows(&whole));

    let other = Folder::new();
    other.exported().await;
    let (others, into) = (other.path("export.jsonl"), other.path("data"));
    let parts = ["is not empty", "rows not in the file"];
    refused(
        livedrop(&["import", "--from", &file, "--data", &into]),
        1,
        &parts,
    )
    .await;
    let kept = other.path("kept");
    done(livedrop(&["export", "--data", &into, "--to", &kept])).await;
    assert_eq!(
        rows(&fs::read(kept).unwrap()),
        rows(&fs::read(others).unwrap())
    );

    let server = folder.dev("new").await;
    refused(
        livedrop(&import),
        1,
        &["in use by another livedrop process"],
    )
    .await;
    assert_eq!(server.end("TERM").await.0, 0);
}

#[tokio::test]
async fn a_half_imported_store_is_good_for_nothing_but_to_go_on() {
    let folder = Folder::new();
    folder.exported().await;
    let (file, new) = (folder.path("export.jsonl"), folder.path("new"));
    {
        let store = EmbeddedStore::open(Path::new(&new), Options::default()).unwrap();
        let env: SharedEnv = Arc::new(SystemEnv);
        let faulty = Faulty::new(Arc::new(store), env.clone(), FaultPlan::default(), 1);
        faulty.force(Method::PutTruth, Fault::Refuse);
        let store: SharedStore = Arc::new(faulty);
        let consumers = projectors::consumers(&env, &store, &Sinks::default());
        let opened = fs::File::open(&file).unwrap();
        let checked = Checked::read(&opened).unwrap();
        let cut_off = transfer::import(&env, &store, &consumers, &checked, |_| ()).await;
        assert!(matches!(cut_off, Err(ImportError::Store(_))), "{cut_off:?}");
    }
    let part = ["is not imported to its end", "run `livedrop import` again"];
    let dev = ["dev", "--empty", "--listen", "127.0.0.1:0", "--data", &new];
    refused(livedrop(&dev), 1, &part).await;
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "",
        "--data",
        &new,
    ];
    let (code, _, err) = finish(livedrop(&serve)).await;
    assert_eq!(code, 1);
    assert!(err.lines().last().unwrap().contains(part[0]), "{err}");
    refused(livedrop(&["rebuild", "--data", &new]), 1, &part).await;
    let (drop_id, order_id) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let settle = [
        "order",
        "settle",
        &drop_id,
        &order_id,
        "--attempt",
        "1",
        "--failed",
        "--note",
        "-",
        "--data",
        &new,
    ];
    refused(livedrop(&settle), 1, &part).await;
    let verify = ["ledger", "verify", "--all", "--data", &new];
    refused(livedrop(&verify), 1, &part).await;
    let again = folder.path("again");
    let export = ["export", "--data", &new, "--to", &again];
    refused(livedrop(&export), 1, &["was not imported to its end"]).await;
    assert!(!Path::new(&again).exists());

    done(livedrop(&["import", "--from", &file, "--data", &new])).await;
    let server = folder.dev("new").await;
    assert_eq!(server.end("TERM").await.0, 0);
}
