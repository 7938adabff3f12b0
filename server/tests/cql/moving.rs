//! The truth goes from a file on one machine into a database, is sold from there, and goes back.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use livedrop::{Client, v1};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};
use uuid::Uuid;

use crate::keyspace::settings;

/// Machines are slow when all tests run, and a database that makes tables too.
const PATIENCE: Duration = Duration::from_secs(120);

fn livedrop(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_livedrop"));
    command
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn run(args: &[&str]) -> (i32, String, String) {
    let output = timeout(PATIENCE, livedrop(args).output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

async fn done(args: &[&str]) -> String {
    let (code, out, err) = run(args).await;
    assert_eq!(code, 0, "{args:?}: {out}{err}");
    out
}

async fn refused(args: &[&str], parts: &[&str]) {
    let (code, out, err) = run(args).await;
    assert_eq!((code, out.as_str()), (1, ""), "{args:?}: {err}");
    assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    for part in parts {
        assert!(err.contains(part), "{args:?}: {part:?} is not in {err}");
    }
}

/// A server in a process of its own, and where it is.
async fn serve(args: &[&str]) -> (Child, String) {
    let ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    let mut command = livedrop(&[&["dev", "--quiet"], &ports[..], args].concat());
    let mut server = command.stderr(Stdio::inherit()).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap();
    let line = line.unwrap().expect("it says where it listens");
    let endpoint = line.strip_prefix("listening on ").unwrap().to_owned();
    (server, endpoint)
}

/// Kills it, and waits until the database takes it for dead.
async fn kill(mut server: Child, export: &[&str]) -> String {
    server.kill().await.unwrap();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (code, out, err) = run(export).await;
        if code == 0 {
            return out;
        }
        assert!(tokio::time::Instant::now() < until, "{err}");
    }
}

fn client(endpoint: &str) -> Client {
    Client::builder(endpoint).build().unwrap()
}

async fn place(buyer: &Client, drop: &v1::Drop, quantity: i32) -> v1::Order {
    let request = v1::PlaceOrderRequest {
        request_id: Uuid::now_v7().to_string(),
        drop_id: drop.drop_id.clone(),
        lines: vec![v1::PlaceOrderLine {
            item_id: drop.items[0].item_id.clone(),
            quantity,
        }],
        ..Default::default()
    };
    buyer.place_order(request).await.unwrap().order.unwrap()
}

async fn get(buyer: &Client, order: &v1::Order) -> v1::Order {
    let request = v1::GetOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        min_seq: 0,
    };
    buyer.get_order(request).await.unwrap().order.unwrap()
}

fn sign_up() -> (v1::SignUpRequest, v1::SignInRequest) {
    let request = v1::SignUpRequest {
        request_id: Uuid::now_v7().to_string(),
        email: format!("{}@example.com", Uuid::now_v7().simple()),
        password: "correct horse".into(),
        display_name: "Somebody".into(),
    };
    let who = v1::SignInRequest {
        email: request.email.clone(),
        password: request.password.clone(),
    };
    (request, who)
}

fn drop_request() -> v1::ScheduleDropRequest {
    let ends_at = std::time::SystemTime::now() + Duration::from_secs(3_600);
    let unit_price = Some(v1::Money {
        currency_code: "EUR".into(),
        amount_minor: 0,
    });
    let item = v1::ScheduleDropItem {
        title: "Thing".into(),
        unit_price,
        stock: 10,
        limit_per_buyer: 0,
    };
    v1::ScheduleDropRequest {
        request_id: Uuid::now_v7().to_string(),
        title: "A drop".into(),
        items: vec![item],
        ends_at: Some(ends_at.into()),
        ..Default::default()
    }
}

/// The rows of an export, in an order of our own.
fn rows(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let all: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut rows = all[1..all.len() - 1].to_vec();
    rows.sort();
    rows
}

#[tokio::test]
async fn a_shop_moves_into_a_database_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let keyspace = format!("livedrop_moved_{}", Uuid::now_v7().simple());
    let cql = settings(&keyspace);
    let (data, keys, file) = (path("data"), path("data/keys.toml"), path("cql.toml"));
    let content = format!(
        "[store]\nbackend = \"cql\"\ndata = {:?}\n[cql]\nnodes = {:?}\nkeyspace = {keyspace:?}\nreplicas = 1\n[auth]\nkey_file = {keys:?}\n",
        path("books"),
        cql.nodes,
    );
    std::fs::write(&file, content).unwrap();

    let (server, endpoint) = serve(&["--data", &data]).await;
    let (request, ann_is) = sign_up();
    let ann = client(&endpoint);
    ann.sign_up(request).await.unwrap();
    let profile = v1::BecomeCreatorRequest {
        handle: format!("c{}", &Uuid::now_v7().simple().to_string()[8..]),
        display_name: "Creator".into(),
        bio: String::new(),
    };
    ann.become_creator(profile).await.unwrap();
    let drop = ann
        .schedule_drop(drop_request())
        .await
        .unwrap()
        .drop
        .unwrap();
    let first = place(&ann, &drop, 1).await;
    let (out, back, again) = (path("out"), path("back"), path("again"));
    let export = ["export", "--data", &data, "--to", &out];
    kill(server, &export).await;

    // Nothing is made for a keyspace that is not ready.
    let import = ["import", "--from", &out, "--config", &file];
    refused(&import, &["has no keyspace", "livedrop migrate"]).await;
    done(&["migrate", "--config", &file]).await;
    let told = done(&import).await;
    assert!(
        told.contains("every row was read again and is as in the file"),
        "{told}"
    );
    done(&import).await;
    let export = ["export", "--config", &file, "--to", &back];
    done(&export).await;
    assert_eq!(rows(&back), rows(&out));
    std::fs::remove_file(&back).unwrap();

    let (server, endpoint) = serve(&["--config", &file]).await;
    refused(&export, &["stop"]).await;
    refused(&import, &["stop"]).await;
    let ann = client(&endpoint);
    ann.sign_in(ann_is.clone()).await.unwrap();
    assert_eq!(get(&ann, &first).await, first);
    let second = place(&ann, &drop, 2).await;
    let told = kill(server, &export).await;
    assert!(told.contains("exported to"), "{told}");
    refused(&import, &["is not empty"]).await;

    let new = path("new");
    done(&["import", "--from", &back, "--data", &new]).await;
    done(&["export", "--data", &new, "--to", &again]).await;
    assert_eq!(rows(&again), rows(&back));
    std::fs::copy(&keys, Path::new(&new).join("keys.toml")).unwrap();
    let (mut server, endpoint) = serve(&["--data", &new]).await;
    let ann = client(&endpoint);
    ann.sign_in(ann_is).await.unwrap();
    for order in [first, second] {
        assert_eq!(get(&ann, &order).await, order);
    }
    place(&ann, &drop, 7).await;
    let sold_out = v1::GetDropRequest {
        drop_id: drop.drop_id.clone(),
    };
    let stock = ann.get_drop(sold_out).await.unwrap().drop.unwrap();
    assert_eq!(stock.items[0].stock.unwrap().sold, 10);
    server.kill().await.unwrap();
}
