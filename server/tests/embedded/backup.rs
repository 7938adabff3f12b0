//! `livedrop backup`: a copy of the data directory, on which a server starts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::harness::{
    eventually, get_drop, get_order, open_drop, order_request,
    process::{Process, finish, livedrop, refused},
    profile_request, request_id, stock,
};
use livedrop::{
    Client,
    v1::{self, OrderState},
};

const STOCK: i64 = 100_000;

async fn buy(buyer: &Client, drop: &v1::Drop) -> v1::Order {
    let request = v1::PlaceOrderRequest {
        payment_method: "pm_test_ok".into(),
        ..order_request(drop, &[(0, 1)])
    };
    buyer.place_order(request).await.unwrap().order.unwrap()
}

/// All orders of a buyer.
async fn orders(buyer: &Client) -> Vec<v1::Order> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListOrdersRequest {
            page_token,
            ..Default::default()
        };
        let page = buyer.list_orders(request).await.unwrap();
        all.extend(page.orders);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn a_copy_taken_while_a_server_sells_is_whole_and_starts() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (data, copy) = (path("data"), path("copy"));
    let server = Process::dev_on(&data).await;
    let (ann, ann_is) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(500, STOCK)]).await;

    let (paid, is_over) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(AtomicBool::new(false)),
    );
    let (mut buyers, mut buying) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (buyer, who) = server.signed_up().await;
        buyers.push(who);
        let (paid, is_over, drop) = (paid.clone(), is_over.clone(), drop.clone());
        buying.push(tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let order = buy(&buyer, &drop).await;
                assert_eq!(order.state(), OrderState::Paid);
                paid.lock().unwrap().push(order);
            }
        }));
    }
    let sold = || paid.lock().unwrap().len();
    eventually(async || (sold() >= 40).then_some(())).await;
    let before = paid.lock().unwrap().clone();
    let backup = ["backup", "--data", &data, "--to", &copy];
    let (code, out, err) = finish(livedrop(&backup)).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let told = format!("backed up to {copy}: livedrop.redb, keys.toml, test-provider.jsonl\n");
    assert!(out.ends_with(&told), "{out}");
    // It goes on selling.
    let then = sold();
    eventually(async || (sold() >= then + 10).then_some(())).await;
    refused(livedrop(&backup), 1, &["is there already", &copy]).await;
    is_over.store(true, Ordering::Relaxed);
    for buyer in buying {
        buyer.await.unwrap();
    }
    assert_eq!(server.end("KILL").await.0, -1);

    assert_eq!(mode(Path::new(&copy)), 0o700);
    let files = fs::read_dir(&copy).unwrap().map(|file| file.unwrap());
    let mut files: Vec<_> = files
        .map(|file| (file.file_name().into_string().unwrap(), mode(&file.path())))
        .collect();
    files.sort();
    let expected = ["keys.toml", "livedrop.redb", "test-provider.jsonl"];
    assert_eq!(files, expected.map(|name| (name.to_owned(), 0o600)));
    assert_eq!(
        fs::read(path("copy/keys.toml")).unwrap(),
        fs::read(path("data/keys.toml")).unwrap()
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else");

    let (code, out, err) = finish(livedrop(&["ledger", "verify", "--all", "--data", &copy])).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("1 ledger checked, 0 wrong"), "{out}");
    let server = Process::dev_on(&copy).await;
    let ann = server.sign_in(&ann_is).await;
    let mut owners = Vec::new();
    for who in &buyers {
        owners.push(server.sign_in(who).await);
    }
    // What was under way comes to its end, and lists follow.
    let found = eventually(async || {
        let mut found = Vec::new();
        for owner in &owners {
            found.extend(orders(owner).await);
        }
        let all_paid = found.iter().all(|it| it.state() == OrderState::Paid);
        let sold = i64::try_from(found.len()).unwrap();
        let stock = stock(&get_drop(&ann, &drop).await, 0);
        (all_paid && stock == (STOCK - sold, 0, sold)).then_some(found)
    })
    .await;
    for order in &before {
        let is_there = found.iter().any(|it| it.order_id == order.order_id);
        assert!(is_there, "{order:?} is lost");
    }
    // The copied books know the money.
    let order = &before[0];
    let refund = v1::RefundOrderRequest {
        request_id: request_id(),
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        reason: "wrong size".into(),
        restock: false,
    };
    ann.refund_order(refund).await.unwrap();
    let mut owner = None;
    for it in &owners {
        let orders = orders(it).await;
        if orders.iter().any(|it| it.order_id == order.order_id) {
            owner = Some(it);
        }
    }
    let owner = owner.unwrap();
    eventually(async || {
        let order = get_order(owner, order).await.unwrap();
        (order.state() == OrderState::Refunded).then_some(())
    })
    .await;
    assert_eq!(buy(owner, &drop).await.state(), OrderState::Paid);
    assert_eq!(server.end("TERM").await.0, 0);
}

#[tokio::test]
async fn a_stopped_server_is_copied_too_and_keys_that_lie_elsewhere_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (data, file) = (path("data"), path("livedrop.toml"));
    let settings = format!(
        "[store]\ndata = {data:?}\n[auth]\nkey_file = {:?}\n",
        path("keys/own.toml")
    );
    fs::write(&file, settings).unwrap();
    let dev = [
        "dev",
        "--empty",
        "--listen",
        "127.0.0.1:0",
        "--config",
        &file,
    ];
    let server = Process::start(livedrop(&dev)).await;
    let (_, who) = server.signed_up().await;
    let told = |out: &str| {
        let name = format!("not in it: the key file {}", path("keys/own.toml"));
        assert!(out.contains(&name), "{out}");
        assert!(
            out.contains(": livedrop.redb, test-provider.jsonl\n"),
            "{out}"
        );
    };
    let running = path("running");
    let (code, out, err) = finish(livedrop(&["backup", "--config", &file, "--to", &running])).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    told(&out);
    assert_eq!(server.end("TERM").await.0, 0);
    let stopped = path("stopped");
    let (code, out, err) = finish(livedrop(&["backup", "--config", &file, "--to", &stopped])).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    told(&out);
    for copy in [&running, &stopped] {
        assert!(!Path::new(copy).join("keys.toml").exists());
        let server = Process::start(livedrop(&[&dev[..], &["--data", copy]].concat())).await;
        server.sign_in(&who).await;
        assert_eq!(server.end("TERM").await.0, 0);
    }
}

#[tokio::test]
async fn what_can_t_be_backed_up_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let data = path("data");
    let nowhere = path("no/such/copy");
    let copy = path("copy");
    refused(
        livedrop(&["backup", "--data", &data, "--to", &copy]),
        2,
        &["there is no store in"],
    )
    .await;
    let server = Process::dev_on(&data).await;
    fs::write(path("file"), "mine").unwrap();
    // By the server, then by the tool.
    let refusals = async || {
        for (to, parts) in [
            (&nowhere, ["there is no directory", "make it first"]),
            (&data, ["is there already", "nothing is overwritten"]),
            (
                &path("file"),
                ["is there already", "nothing is overwritten"],
            ),
        ] {
            refused(
                livedrop(&["backup", "--data", &data, "--to", to]),
                1,
                &parts,
            )
            .await;
        }
    };
    refusals().await;
    assert_eq!(server.end("KILL").await.0, -1);
    refusals().await;
    assert_eq!(fs::read(path("file")).unwrap(), b"mine");
    let (code, out, err) = finish(livedrop(&["backup", "--data", &data, "--to", &copy])).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");

    let file = path("cql.toml");
    let settings = format!(
        "[store]\nbackend = \"cql\"\n[cql]\nnodes = [\"127.0.0.1:1\"]\n[auth]\nkey_file = {:?}\n",
        path("keys.toml")
    );
    fs::write(&file, settings).unwrap();
    let of_database = ["backup", "--config", &file, "--to", &nowhere];
    refused(
        livedrop(&of_database),
        2,
        &["by its own means", "livedrop export"],
    )
    .await;
}
