//! What is the embedded store's own: its file, its committer, its expiry. All else is in the conformance suite.

mod commits;
mod copying;
mod opening;
mod requests;

use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{DropId, Timestamp},
    store::{
        LedgerRecord, LedgerStore, SharedStore,
        conformance::{projections, reopening},
    },
};

fn on_disk() -> (SharedStore, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (
        Arc::new(EmbeddedStore::open(dir.path(), Options::default()).unwrap()),
        dir,
    )
}

fn record(ledger_id: DropId, seq: u64, bytes: usize) -> LedgerRecord {
    LedgerRecord {
        ledger_id,
        seq,
        format: 1,
        fold_version: 1,
        writer_id: Uuid::nil(),
        batch_id: Uuid::nil(),
        recorded_at: Timestamp::from_micros(0),
        available: 0,
        held: 0,
        sold: 0,
        prev_hash: [0; 32],
        hash: [0; 32],
        body: Bytes::from(vec![1; bytes]),
    }
}

mod in_memory {
    use super::*;

    crate::store_conformance!(async {
        (
            Arc::new(EmbeddedStore::in_memory().unwrap()) as SharedStore,
            (),
        )
    });
}

mod disk {
    use super::*;

    crate::store_conformance!(async { on_disk() });
}

#[tokio::test]
async fn everything_survives_reopening() {
    let (store, dir) = on_disk();
    reopening::everything_survives(store, async |store| {
        drop(store);
        Arc::new(EmbeddedStore::open(dir.path(), Options::default()).unwrap()) as SharedStore
    })
    .await;
}

#[tokio::test]
async fn truncating_empties_derived_rows_only() {
    let in_memory = Arc::new(EmbeddedStore::in_memory().unwrap()) as SharedStore;
    let (on_disk, _dir) = on_disk();
    for store in [in_memory, on_disk] {
        projections::truncating_empties_derived_rows_only(&store).await;
    }
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes() {
    let store = EmbeddedStore::in_memory().unwrap();
    let ledger_id = DropId::new(Uuid::new_v4());
    for seq in 1..=40 {
        store
            .append(&record(ledger_id, seq, 64 << 10))
            .await
            .unwrap();
    }
    assert_eq!(
        store.read_from(ledger_id, 1, 1_000).await.unwrap().len(),
        16
    );
    // A record larger than a page is a page.
    store.append(&record(ledger_id, 41, 3 << 20)).await.unwrap();
    assert_eq!(
        store.read_from(ledger_id, 41, 1_000).await.unwrap().len(),
        1
    );
}
