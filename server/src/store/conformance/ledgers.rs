//! Ledgers: slots are taken once, and read without gaps.

use bytes::Bytes;

use super::samples::{id, record};
use crate::{
    domain::{DropId, Timestamp},
    store::{Append, LedgerRecord, SharedStore, StoreError},
};

/// All records from `seq` on, page by page.
async fn read_all(
    store: &SharedStore,
    ledger_id: DropId,
    seq: u64,
    limit: usize,
) -> Vec<LedgerRecord> {
    let mut records: Vec<LedgerRecord> = Vec::new();
    loop {
        let next = records.last().map_or(seq, |record| record.seq + 1);
        let page = store.read_from(ledger_id, next, limit).await.unwrap();
        assert!(
            page.len() <= limit,
            "{} records of at most {limit}",
            page.len()
        );
        if page.is_empty() {
            return records;
        }
        records.extend(page);
        assert!(records.len() < 10_000, "paging does not get on");
    }
}

/// Appends as writers do: while the outcome is unknown, the same bytes go to the same slot again. A busy database may not say at once.
pub(super) async fn append(store: &SharedStore, record: &LedgerRecord) -> Append {
    let mut is_unknown = false;
    for _ in 0..20 {
        match store.append(record).await {
            Ok(Append::Conflict(existing)) if is_unknown && *existing == *record => {
                return Append::Appended;
            }
            Err(StoreError::Indeterminate(_)) => is_unknown = true,
            outcome => return outcome.unwrap(),
        }
    }
    panic!("the outcome stays unknown");
}

async fn append_all(store: &SharedStore, records: &[LedgerRecord]) {
    let appends = records.iter().map(|record| append(store, record));
    for outcome in futures::future::join_all(appends).await {
        assert_eq!(outcome, Append::Appended);
    }
}

/// A slot is taken by the first record; any later one, the same included, is told which.
pub async fn appends_are_put_if_absent(store: &SharedStore) {
    let ledger_id = DropId::new(id());
    let (first, other) = (record(ledger_id, 1), record(ledger_id, 1));
    assert_eq!(store.read_from(ledger_id, 1, 10).await.unwrap(), []);
    assert_eq!(append(store, &first).await, Append::Appended);
    for late in [&first, &other] {
        assert_eq!(
            append(store, late).await,
            Append::Conflict(Box::new(first.clone()))
        );
    }
    assert_eq!(
        append(store, &record(DropId::new(id()), 1)).await,
        Append::Appended
    );
    assert_eq!(store.read_from(ledger_id, 1, 10).await.unwrap(), [first]);
}

/// No column and no byte of the body changes, at the edges of their types either.
pub async fn records_come_back_byte_for_byte(store: &SharedStore) {
    let ledger_id = DropId::new(id());
    let bytes: Vec<u8> = (0..=255).cycle().take(64 << 10).collect();
    let largest = LedgerRecord {
        format: u16::MAX,
        fold_version: u16::MAX,
        recorded_at: Timestamp::MAX,
        available: i64::MAX,
        held: i64::MIN,
        sold: -1,
        prev_hash: std::array::from_fn(|i| u8::try_from(i).unwrap()),
        hash: [255; 32],
        body: Bytes::from(bytes),
        ..record(ledger_id, 1)
    };
    let smallest = LedgerRecord {
        body: Bytes::new(),
        format: 0,
        prev_hash: [0; 32],
        ..record(ledger_id, 2)
    };
    for record in [&largest, &smallest] {
        assert_eq!(append(store, record).await, Append::Appended);
        assert_eq!(
            append(store, record).await,
            Append::Conflict(Box::new(record.clone()))
        );
    }
    assert_eq!(read_all(store, ledger_id, 1, 10).await, [largest, smallest]);
}

/// Of many writers exactly one gets a slot; the others all see its record.
pub async fn racing_appends_have_one_winner(store: &SharedStore) {
    let ledger_id = DropId::new(id());
    for seq in 1..=4 {
        let racers = (0..16).map(|_| {
            let (store, record) = (store.clone(), record(ledger_id, seq));
            tokio::spawn(async move { (append(&store, &record).await, record) })
        });
        let mut winners = Vec::new();
        let mut seen = Vec::new();
        for outcome in futures::future::join_all(racers).await {
            match outcome.unwrap() {
                (Append::Appended, record) => winners.push(record),
                (Append::Conflict(existing), _) => seen.push(*existing),
            }
        }
        assert_eq!(winners.len(), 1, "winners of slot {seq}");
        assert!(
            seen.iter().all(|existing| *existing == winners[0]),
            "losers of slot {seq} see another record"
        );
        assert_eq!(store.read_from(ledger_id, seq, 10).await.unwrap(), winners);
    }
}

/// Where a backend cuts a ledger (after slots 1023, 2047, …) nobody notices.
pub async fn reading_crosses_segments(store: &SharedStore) {
    for border in [1_024, 2_048] {
        let ledger_id = DropId::new(id());
        let records: Vec<_> = (border - 4..border + 4)
            .map(|seq| record(ledger_id, seq))
            .collect();
        append_all(store, &records).await;
        for limit in [1, 3, 4, 100] {
            assert_eq!(
                read_all(store, ledger_id, border - 4, limit).await,
                records,
                "limit {limit}"
            );
        }
        assert_eq!(
            read_all(store, ledger_id, border - 1, 100).await,
            records[3..]
        );
        assert_eq!(read_all(store, ledger_id, border, 100).await, records[4..]);
    }
}

/// An empty slot before a full one is damage, and said to be; a neighbour's records are not shown.
pub async fn a_gap_is_an_error(store: &SharedStore) {
    let ledger_id = DropId::new(id());
    let neighbour = DropId::new(uuid::Uuid::from_u128(
        ledger_id.uuid().as_u128().wrapping_add(1),
    ));
    let records: Vec<_> = (1..=5).map(|seq| record(ledger_id, seq)).collect();
    append_all(
        store,
        &[records[0].clone(), records[1].clone(), records[3].clone()],
    )
    .await;
    append_all(
        store,
        &[
            record(neighbour, 1),
            record(neighbour, 3),
            record(neighbour, 5),
        ],
    )
    .await;
    assert_eq!(
        store.read_from(ledger_id, 1, 2).await.unwrap(),
        records[..2]
    );
    for seq in [1, 3] {
        let read = store.read_from(ledger_id, seq, 10).await;
        assert!(matches!(read, Err(StoreError::Determinate(_))), "{read:?}");
    }
    assert_eq!(read_all(store, ledger_id, 4, 10).await, records[3..4]);
    append_all(store, &[records[2].clone(), records[4].clone()]).await;
    assert_eq!(read_all(store, ledger_id, 1, 10).await, records);
    assert_eq!(read_all(store, ledger_id, 6, 10).await, []);
}

/// A page has at most `limit` records, and some if there are any, however large they are.
pub async fn pages_keep_their_limit(store: &SharedStore) {
    let ledger_id = DropId::new(id());
    let body = Bytes::from(vec![7; 64 << 10]);
    let large = |seq| LedgerRecord {
        body: body.clone(),
        ..record(ledger_id, seq)
    };
    let records: Vec<_> = (1..=40).map(large).collect();
    append_all(store, &records).await;
    assert_eq!(
        store.read_from(ledger_id, 1, 1).await.unwrap(),
        records[..1]
    );
    assert!(!store.read_from(ledger_id, 1, 7).await.unwrap().is_empty());
    for limit in [7, 1_000] {
        assert!(
            read_all(store, ledger_id, 1, limit).await == records,
            "limit {limit}"
        );
    }
}
