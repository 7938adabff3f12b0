//! The binary as people and supervisors meet it: what it prints, how it ends, what it refuses and with which exit status. What is about
//! its file: `tests/embedded`.

mod operators;
mod settings;
mod world;

use livedrop::v1;

use crate::harness::{
    home::Home,
    process::{Process, finish, refused},
    request_id, sell_one,
};

#[tokio::test]
async fn dev_starts_answers_and_ends_at_either_signal() {
    for signal in ["INT", "TERM"] {
        let (home, temporary) = (Home::new().await, tempfile::tempdir().unwrap());
        let mut command = home.livedrop(&["dev", "--empty", "--listen", "127.0.0.1:0"]);
        command.env("TMPDIR", temporary.path());
        let server = Process::start(command).await;
        assert!(
            server.get("/healthz").await.starts_with("HTTP/1.1 200"),
            "{signal}"
        );
        assert!(server.get("/readyz").await.ends_with("ready"), "{signal}");
        assert_eq!(
            std::fs::read_dir(temporary.path()).unwrap().count(),
            1,
            "data is in a temporary directory"
        );
        // A connection that stays open must not hold the end up.
        let client = server.client();
        let absent = v1::GetDropRequest {
            drop_id: request_id(),
        };
        assert!(client.get_drop(absent).await.is_err());

        let (code, out, err) = server.end(signal).await;
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""), "{signal}");
        assert_eq!(
            std::fs::read_dir(temporary.path()).unwrap().count(),
            0,
            "gone with the server"
        );
        drop(client);
    }
}

#[tokio::test]
async fn serve_says_when_it_is_ready_logs_json_and_ends_at_a_signal() {
    let home = Home::new().await;
    let file = home.data().join("livedrop.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = \"127.0.0.1:1\"\nmetrics_listen = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    let mut command = home.livedrop(&[
        "serve",
        "--config",
        file.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    command.env("LIVEDROP_STORE__DATA", home.data().join("data"));
    let server = Process::start(command).await;
    assert!(server.get("/readyz").await.ends_with("ready"));
    let (code, out, err) = server.end("TERM").await;
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(!err.is_empty());
    for line in err.lines() {
        assert!(
            line.starts_with('{') && line.contains("\"level\":"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_told_in_one_line() {
    let home = Home::new().await;
    let server = Process::dev(&home).await;
    let taken = server.endpoint.strip_prefix("http://").unwrap();
    let dev = home.livedrop(&["dev", "--empty", "--listen", taken]);
    refused(dev, 1, &["can't listen on", "--listen"]).await;
    assert_eq!(server.end("TERM").await.0, 0);
}

#[tokio::test]
async fn ledgers_are_shown_and_verified_with_and_without_a_server() {
    let home = Home::new().await;
    let server = Process::dev(&home).await;
    let drop_id = sell_one(&server.client()).await;
    let told = async || {
        let show = home.tool(&["ledger", "show", &drop_id, "--entries"]);
        let verify = home.tool(&["ledger", "verify", &drop_id]);
        let all = home.tool(&["ledger", "verify", "--all"]);
        [finish(show).await, finish(verify).await, finish(all).await]
    };
    let running = told().await;
    for (code, _, err) in &running {
        assert_eq!((*code, err.as_str()), (0, ""));
    }
    let [shown, verified, all] = running.each_ref().map(|(_, out, _)| out);
    for part in ["TermsFrozen 1", "Held 1, Sold 1", "; by PlaceOrder of "] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(
        verified.contains("ok: ") && verified.contains("sold 1;"),
        "{verified}"
    );
    assert!(all.contains("1 ledger checked, 0 wrong"), "{all}");
    let absent = home.tool(&["ledger", "show", &request_id()]);
    refused(absent, 1, &["has no ledger"]).await;

    assert_eq!(server.end("KILL").await.0, -1);
    assert_eq!(told().await, running, "as beside a running server");
    let server = Process::dev(&home).await;
    assert_eq!(told().await[1], running[1]);
    assert_eq!(server.end("TERM").await.0, 0);
}
