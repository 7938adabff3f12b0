//! Notes of who has which ledger open.

use super::samples::{id, id_in_shard};
use crate::{
    domain::{DropId, ProcessId},
    store::{OpenLedger, SharedStore},
};

async fn list_all(store: &SharedStore, shard: u8, limit: usize) -> Vec<OpenLedger> {
    let mut all = Vec::new();
    loop {
        let page = store
            .list_open(shard, all.last().copied(), limit)
            .await
            .unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
        assert!(all.len() < 10_000, "paging does not get on");
    }
}

/// Notes are listed in order in the shard of their ledger, once however often they are made, until they are taken back.
pub async fn notes_are_listed_by_shard(store: &SharedStore) {
    let processes = [ProcessId::new(id()), ProcessId::new(id())];
    let ledgers = [3, 3, 3, 15].map(|shard| DropId::new(id_in_shard(shard)));
    let notes = |ledgers: &[DropId]| {
        let pairs = ledgers
            .iter()
            .flat_map(|ledger_id| processes.map(|process_id| (*ledger_id, process_id)));
        let mut notes: Vec<_> = pairs
            .map(|(ledger_id, process_id)| OpenLedger {
                ledger_id,
                process_id,
            })
            .collect();
        notes.sort();
        notes
    };
    for note in notes(&ledgers) {
        store.mark_open(note).await.unwrap();
        store.mark_open(note).await.unwrap();
    }
    // Others may have notes here as well.
    let ours = |all: Vec<OpenLedger>| -> Vec<_> {
        assert!(all.is_sorted(), "notes out of order");
        all.into_iter()
            .filter(|note| processes.contains(&note.process_id))
            .collect()
    };
    for limit in [1, 2, 100] {
        assert_eq!(
            ours(list_all(store, 3, limit).await),
            notes(&ledgers[..3]),
            "limit {limit}"
        );
        assert_eq!(
            ours(list_all(store, 15, limit).await),
            notes(&ledgers[3..]),
            "limit {limit}"
        );
    }
    assert_eq!(ours(list_all(store, 14, 100).await), []);

    let mut left = notes(&ledgers[..3]);
    let gone = left.remove(2);
    store.unmark_open(gone).await.unwrap();
    store.unmark_open(gone).await.unwrap();
    assert_eq!(ours(list_all(store, 3, 100).await), left);
    // A page goes on after a note that is gone.
    let after: Vec<_> = list_all(store, 3, 100)
        .await
        .into_iter()
        .filter(|note| *note > gone)
        .collect();
    assert_eq!(store.list_open(3, Some(gone), 1_000).await.unwrap(), after);
}
