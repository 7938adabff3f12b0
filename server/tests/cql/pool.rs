//! The keyspaces that tests take turns with. If two tests had the same one, or an old row were left, other tests would fail at random.

use std::path::Path;

use livedrop_server::{
    domain::{AccountId, Timestamp},
    store::{
        AccountStore as _, OutboxStore as _,
        accounts::Account,
        outbox::{Entity, EntityKind},
        scylla::ScyllaStore,
    },
};
use tokio::process::Command;
use uuid::Uuid;

use crate::harness::{
    keyspace::{self, Keyspace},
    seats::Seats,
};

fn database() -> String {
    keyspace::database().expect("LIVEDROP_TEST_CQL names a database")
}

async fn open(keyspace: &Keyspace) -> ScyllaStore {
    let opened = ScyllaStore::open(&keyspace.settings(), None).await;
    opened.expect("its tables are those of this version")
}

#[tokio::test]
async fn two_tests_have_two_keyspaces() {
    let first = Keyspace::take(database()).await;
    let other = Keyspace::take(database()).await;
    assert_ne!(first.name(), other.name());
}

#[tokio::test]
async fn a_keyspace_is_emptied_and_stays_usable() {
    let keyspace = Keyspace::take(database()).await;
    let store = open(&keyspace).await;
    let account = Account {
        account_id: AccountId::new(Uuid::now_v7()),
        version: 1,
        op_id: Uuid::now_v7(),
        email: "a@example.com".to_owned(),
        display_name: "A".to_owned(),
        password_hash: String::new(),
        created_at: Timestamp::from_micros(1),
    };
    let entity = Entity {
        kind: EntityKind::Account,
        id: Uuid::now_v7(),
    };
    for _ in 0..2 {
        // The same rows can be made again: nothing of the old ones is in the way.
        store.insert_account(&account).await.unwrap();
        store.put_announced(entity, 7).await.unwrap();
        let found = store.get_account(account.account_id).await.unwrap();
        assert!(found.is_some());
        keyspace.empty().await;
        let found = store.get_account(account.account_id).await.unwrap();
        assert!(found.is_none());
        assert_eq!(store.get_announced(entity).await.unwrap(), 0);
    }
    open(&keyspace).await;
}

fn one_seat(folder: &Path) -> Seats {
    Seats {
        folder: folder.to_owned(),
        count: 1,
    }
}

#[tokio::test]
async fn a_seat_is_free_when_its_test_has_panicked() {
    let folder = tempfile::tempdir().unwrap();
    let seats = one_seat(folder.path());
    let seat = seats.take().await;
    assert!(seats.try_take(0).is_none());
    let failing = tokio::spawn(async move {
        let _seat = seat;
        panic!("as a test that fails");
    });
    assert!(failing.await.is_err());
    seats.take().await;
}

/// A server that outlives its test, as after `kill -9`, would write into another test's rows.
#[tokio::test]
async fn a_seat_is_taken_as_long_as_a_process_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let seats = one_seat(folder.path());
    let seat = seats.take().await;
    let mut left_over = Command::new("sleep")
        .arg("60")
        .stdin(seat.stdin())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop(seat);
    assert!(seats.try_take(0).is_none());
    left_over.kill().await.unwrap();
    seats.take().await;
}

/// A server in this process runs until its runtime ends, though nobody has its handle any more.
#[test]
fn a_seat_is_taken_as_long_as_a_server_may_run() {
    let folder = tempfile::tempdir().unwrap();
    let seats = one_seat(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { seats.take().await.keep() });
    assert!(seats.try_take(0).is_none());
    drop(runtime);
    assert!(seats.try_take(0).is_some());
}
