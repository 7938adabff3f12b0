//! Copies of the file: as of one moment, and whole.

use std::time::Duration;

use super::*;
use crate::domain::AccountId;
use crate::store::{
    AuditStore as _, SearchChangeStore as _, SessionStore as _, TruthStore as _,
    audit::AuditEntry,
    conformance::{samples, truth::three},
    embedded::raw::{DERIVED, LEDGERS},
    search::SearchChange,
    truth::TruthTable,
};

/// Writes go on while it is read, first one table's, then another's: a copy never has the second without the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default();
    let store = Arc::new(EmbeddedStore::open(dir.path(), options).unwrap());
    let ledger_id = DropId::new(Uuid::new_v4());
    // So much to copy before the second table that writes come in between.
    for seq in 1..=100 {
        let record = record(ledger_id, seq, 256 << 10);
        store.append(&record).await.unwrap();
    }
    let until = tokio_util::sync::CancellationToken::new();
    let writer = {
        let (store, until) = (store.clone(), until.clone());
        tokio::spawn(async move {
            let mut seq = 100;
            while !until.is_cancelled() {
                seq += 1;
                store.append(&record(ledger_id, seq, 1)).await.unwrap();
                store.put_audit(&entry(seq)).await.unwrap();
            }
            seq
        })
    };
    let mut copied = Vec::new();
    for _ in 0..5 {
        let copy = tempfile::tempdir().unwrap();
        let counts = store.copy_to(copy.path()).await.unwrap();
        let copy = EmbeddedStore::open(copy.path(), Options::default()).unwrap();
        assert_eq!(copy.row_counts().unwrap(), counts);
        let of = |table: &str| counts.iter().find(|(name, _)| name == table).unwrap().1;
        let (records, entries) = (of("drop_ledger") - 100, of("audit_log"));
        assert!(
            records == entries || records == entries + 1,
            "{records} and {entries}"
        );
        copied.push(records);
    }
    until.cancel();
    let last = writer.await.unwrap() - 100;
    assert!(
        copied.is_sorted() && last > copied[0],
        "nothing was written meanwhile"
    );
}

fn entry(number: u64) -> AuditEntry {
    AuditEntry {
        subject: Uuid::nil(),
        at: Timestamp::from_micros(i64::try_from(number).unwrap()),
        id: Uuid::new_v4(),
        actor: "somebody".to_owned(),
        action: "test".to_owned(),
        detail: String::new(),
    }
}

#[tokio::test]
async fn a_copy_has_every_row_of_every_table() {
    let store = EmbeddedStore::in_memory().unwrap();
    for row in TruthTable::ALL.into_iter().flat_map(three) {
        store.put_truth(&row).await.unwrap();
    }
    for table in DERIVED {
        let row = Some(b"row".to_vec());
        store.put_raw_row(table, b"key".to_vec(), row).await;
    }
    let ended = store.put_ended_account(AccountId::new(Uuid::now_v7()), Timestamp::default());
    ended.await.unwrap();
    let change = SearchChange {
        noted_at: Timestamp::default(),
        entity: samples::intent().entity,
    };
    store.put_search_change(&change).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let counts = store.copy_to(dir.path()).await.unwrap();
    assert_eq!(counts.len(), rows::TABLES.len());
    assert!(counts.iter().all(|(_, rows)| *rows > 0), "{counts:?}");
    let copy = EmbeddedStore::open(dir.path(), Options::default()).unwrap();
    for table in rows::TABLES {
        assert_eq!(copy.raw_rows(table), store.raw_rows(table), "{table}");
    }
    assert!(!copy.raw_rows(LEDGERS).is_empty());
}

/// A server that stops must not wait for a copy that nobody wants any more.
#[tokio::test]
async fn a_copy_that_is_given_up_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), Options::default()).unwrap();
    for seq in 1..=50 {
        let record = record(DropId::new(Uuid::nil()), seq, 256 << 10);
        store.append(&record).await.unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    let given_up = tokio::time::timeout(Duration::ZERO, store.copy_to(copy.path())).await;
    assert!(given_up.is_err());
    drop(store);
    // Its reader lets go of the file within a row.
    let opened = async {
        loop {
            match EmbeddedStore::open(dir.path(), Options::default()) {
                Ok(store) => return store,
                Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), opened)
        .await
        .unwrap();
    let copied = EmbeddedStore::open(copy.path(), Options::default()).unwrap();
    let counts = copied.row_counts().unwrap();
    assert!(counts.iter().all(|(_, rows)| *rows == 0), "{counts:?}");
}
