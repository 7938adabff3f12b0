//! The file and what lies beside it: locked, of this version, unchanged, or refused in one line.

use std::path::Path;

use livedrop_server::{app::admin::SOCKET_NAME, store::embedded::FILE_NAME};
use redb::{Database, ReadableTable as _, TableDefinition};

use crate::harness::{
    home::Home,
    process::{Process, finish, livedrop, refused},
    sell_one,
};

#[tokio::test]
async fn what_can_t_start_says_why_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let dev = |data: &str| {
        ["dev", "--empty", "--listen", "127.0.0.1:0", "--data", data].map(str::to_owned)
    };
    let server = Process::start(livedrop(&dev(&path("used")).each_ref().map(String::as_str))).await;
    let refused_dev = async |data: &str, parts: &[&str]| {
        let args = dev(data);
        refused(livedrop(&args.each_ref().map(String::as_str)), 1, parts).await;
    };

    refused_dev(
        &path("used"),
        &["in use by another livedrop process", &path("used")],
    )
    .await;
    assert_eq!(server.end("TERM").await.0, 0);

    std::fs::write(path("file"), "").unwrap();
    refused_dev(
        &path("file/data"),
        &["can't use the data directory", "--data"],
    )
    .await;

    let newer = dir.path().join("used");
    set_format(&newer, 1_000);
    refused_dev(&path("used"), &["newer version"]).await;
    set_format(&newer, 1);

    let keys = newer.join("keys.toml");
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    refused_dev(&path("used"), &["chmod 600"]).await;
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&keys, "version = 1\nsigning_key = \"hunter2\"\n").unwrap();
    refused_dev(&path("used"), &["keys.toml is malformed"]).await;
}

#[tokio::test]
async fn a_changed_record_is_found_and_a_dead_servers_socket_in_nobodys_way() {
    let home = Home::of_files();
    let server = Process::dev(&home).await;
    let drop_id = sell_one(&server.client()).await;
    let socket = home.data().join(SOCKET_NAME);
    let verify = async || finish(home.tool(&["ledger", "verify", &drop_id])).await;
    let running = verify().await;
    assert_eq!((running.0, running.2.as_str()), (0, ""));

    // A killed server leaves its socket; neither tools nor the next server mind.
    assert_eq!(server.end("KILL").await.0, -1);
    assert!(socket.exists());
    assert_eq!(verify().await, running);
    let server = Process::dev(&home).await;
    assert_eq!(verify().await, running);
    assert_eq!(server.end("TERM").await.0, 0);
    assert!(!socket.exists());

    for place in [0.1, 0.5, 1.0] {
        change_last_record(home.data(), place);
        let (code, out, err) = verify().await;
        assert_eq!(code, 1, "{out}");
        assert!(out.contains(&format!("{drop_id} WRONG: ")), "{out}");
        assert!(err.contains("wrong ledgers: 1 of 1"), "{err}");
        let all = finish(home.tool(&["ledger", "verify", "--all"])).await;
        assert_eq!(all.0, 1);
        change_last_record(home.data(), place);
    }
    assert_eq!(verify().await, running, "as before");
    let nowhere = livedrop(&["ledger", "verify", "--all", "--data", "/no/such"]);
    refused(nowhere, 2, &["no store in /no/such"]).await;
}

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const LEDGER: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("drop_ledger");

fn set_format(dir: &Path, format: u64) {
    let database = Database::open(dir.join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(
        transaction
            .open_table(META)
            .unwrap()
            .insert("format", format)
            .unwrap()
            .is_some()
    );
    transaction.commit().unwrap();
}

/// Flips a bit of the newest record: 0.0 is its first byte, 1.0 its last. Twice is as before.
fn change_last_record(dir: &Path, place: f64) {
    let database = Database::open(dir.join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(LEDGER).unwrap();
        let (key, mut row) = {
            let (key, row) = table.last().unwrap().unwrap();
            (key.value().to_vec(), row.value().to_vec())
        };
        let at = ((row.len() - 1) as f64 * place) as usize;
        row[at] ^= 1;
        table.insert(&key[..], &row[..]).unwrap();
    }
    transaction.commit().unwrap();
}
