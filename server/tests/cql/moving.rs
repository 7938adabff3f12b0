//! The truth goes from a file on one machine into a database, is sold from there, and goes back.

use std::path::Path;

use uuid::Uuid;

use crate::{
    harness::{
        eventually, get_drop, get_order, open_drop, place,
        process::{Process, done, finish, livedrop, refused},
        profile_request, stock,
    },
    keyspace::settings,
};

/// Exports, once a server that was killed is taken for dead.
async fn exported(export: &[&str]) -> String {
    eventually(async || {
        let (code, out, _) = finish(livedrop(export)).await;
        (code == 0).then_some(out)
    })
    .await
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

    let server = Process::dev_on(&data).await;
    let (ann, ann_is) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(0, 10)]).await;
    let first = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    assert_eq!(server.end("KILL").await.0, -1);
    let (out, back, again) = (path("out"), path("back"), path("again"));
    let export = ["export", "--data", &data, "--to", &out];
    done(livedrop(&export)).await;

    // Nothing is made for a keyspace that is not ready.
    let import = ["import", "--from", &out, "--config", &file];
    let parts = ["has no keyspace", "livedrop migrate"];
    refused(livedrop(&import), 1, &parts).await;
    done(livedrop(&["migrate", "--config", &file])).await;
    let told = done(livedrop(&import)).await;
    assert!(
        told.contains("every row was read again and is as in the file"),
        "{told}"
    );
    done(livedrop(&import)).await;
    let export = ["export", "--config", &file, "--to", &back];
    done(livedrop(&export)).await;
    assert_eq!(rows(&back), rows(&out));
    std::fs::remove_file(&back).unwrap();

    let dev = [
        "dev",
        "--empty",
        "--listen",
        "127.0.0.1:0",
        "--config",
        &file,
    ];
    let server = Process::start(livedrop(&dev)).await;
    refused(livedrop(&export), 1, &["stop"]).await;
    refused(livedrop(&import), 1, &["stop"]).await;
    let ann = server.sign_in(&ann_is).await;
    assert_eq!(get_order(&ann, &first).await.unwrap(), first);
    let second = place(&ann, &drop, &[(0, 2)]).await.unwrap();
    assert_eq!(server.end("KILL").await.0, -1);
    let told = exported(&export).await;
    assert!(told.contains("exported to"), "{told}");
    refused(livedrop(&import), 1, &["is not empty"]).await;

    let new = path("new");
    done(livedrop(&["import", "--from", &back, "--data", &new])).await;
    done(livedrop(&["export", "--data", &new, "--to", &again])).await;
    assert_eq!(rows(&again), rows(&back));
    std::fs::copy(&keys, Path::new(&new).join("keys.toml")).unwrap();
    let server = Process::dev_on(&new).await;
    let ann = server.sign_in(&ann_is).await;
    for order in [first, second] {
        assert_eq!(get_order(&ann, &order).await.unwrap(), order);
    }
    place(&ann, &drop, &[(0, 7)]).await.unwrap();
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (0, 0, 10));
    assert_eq!(server.end("TERM").await.0, 0);
}
