//! Ledgers (partition = ledger, clustering = seq) and who has them open (partition = shard, clustering = ledger, process).
//!
//! CQL cuts a ledger into segments to bound its partitions. A B-tree has no such bound, so here seq alone orders the records.

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use super::{
    EmbeddedStore, key,
    rows::{DROP_LEDGER, Failure, OPEN_LEDGERS},
};
use crate::{
    domain::{DropId, ProcessId, Timestamp},
    store::{Append, LedgerRecord, LedgerStore, OpenLedger, Order, Result},
};

/// Bytes before the body: two u16, two ids, four i64, two hashes.
const HEADER_BYTES: usize = 2 + 2 + 16 + 16 + 4 * 8 + 32 + 32;

pub(super) fn record_key(ledger_id: DropId, seq: u64) -> Vec<u8> {
    [&ledger_id.as_bytes()[..], &seq.to_be_bytes()].concat()
}

/// All of a record but its key and its body, which follows as it is.
pub(super) fn encode_header(record: &LedgerRecord) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&record.format.to_be_bytes());
    header.extend_from_slice(&record.fold_version.to_be_bytes());
    header.extend_from_slice(record.writer_id.as_bytes());
    header.extend_from_slice(record.batch_id.as_bytes());
    for number in [
        record.recorded_at.micros(),
        record.available,
        record.held,
        record.sold,
    ] {
        header.extend_from_slice(&number.to_be_bytes());
    }
    header.extend_from_slice(&record.prev_hash);
    header.extend_from_slice(&record.hash);
    header
}

pub(super) fn decode_record(
    ledger_id: DropId,
    seq: u64,
    mut row: &[u8],
) -> std::result::Result<LedgerRecord, Failure> {
    let row = &mut row;
    Ok(LedgerRecord {
        ledger_id,
        seq,
        format: u16::from_be_bytes(key::take(row)?),
        fold_version: u16::from_be_bytes(key::take(row)?),
        writer_id: Uuid::from_bytes(key::take(row)?),
        batch_id: Uuid::from_bytes(key::take(row)?),
        recorded_at: Timestamp::from_micros(i64::from_be_bytes(key::take(row)?)),
        available: i64::from_be_bytes(key::take(row)?),
        held: i64::from_be_bytes(key::take(row)?),
        sold: i64::from_be_bytes(key::take(row)?),
        prev_hash: key::take(row)?,
        hash: key::take(row)?,
        body: Bytes::copy_from_slice(row),
    })
}

pub(super) fn open_key(open: OpenLedger) -> Vec<u8> {
    [&[open.ledger_id.shard()][..], &open_clustering(&open)].concat()
}

fn open_clustering(open: &OpenLedger) -> Vec<u8> {
    [&open.ledger_id.as_bytes()[..], open.process_id.as_bytes()].concat()
}

pub(super) fn decode_open(mut key: &[u8]) -> std::result::Result<OpenLedger, Failure> {
    let _shard: [u8; 1] = key::take(&mut key)?;
    Ok(OpenLedger {
        ledger_id: DropId::new(Uuid::from_bytes(key::take(&mut key)?)),
        process_id: ProcessId::new(Uuid::from_bytes(key::take(&mut key)?)),
    })
}

#[async_trait]
impl LedgerStore for EmbeddedStore {
    fn is_exclusive(&self) -> bool {
        true
    }

    async fn append(&self, record: &LedgerRecord) -> Result<Append> {
        let (ledger_id, seq) = (record.ledger_id, record.seq);
        // Cloning `Bytes` counts a reference: the body is copied once, into its page.
        let (header, body) = (encode_header(record), record.body.clone());
        self.write(move |rows| {
            match rows.put_if_absent(DROP_LEDGER, &record_key(ledger_id, seq), &[&header, &body])? {
                Some(existing) => Ok(Append::Conflict(Box::new(decode_record(
                    ledger_id, seq, &existing,
                )?))),
                None => Ok(Append::Appended),
            }
        })
        .await
    }

    async fn read_from(
        &self,
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LedgerRecord>> {
        let (_, end) = key::range(ledger_id.as_bytes(), None, Order::Ascending);
        let range = (std::ops::Bound::Included(record_key(ledger_id, seq)), end);
        self.scan(move |snapshot| {
            let mut expected = seq;
            snapshot.page(DROP_LEDGER, range, Order::Ascending, limit, |key, row| {
                if key != record_key(ledger_id, expected) {
                    let what = format!("record {expected} is missing before one that is there");
                    return Err(Failure::Row(what));
                }
                let record = decode_record(ledger_id, expected, row)?;
                expected = expected.saturating_add(1);
                Ok(Some(record))
            })
        })
        .await
    }

    async fn mark_open(&self, open: OpenLedger) -> Result<()> {
        self.write(move |rows| {
            rows.put_if_absent(OPEN_LEDGERS, &open_key(open), &[])
                .map(drop)
        })
        .await
    }

    async fn unmark_open(&self, open: OpenLedger) -> Result<()> {
        self.write(move |rows| rows.delete(OPEN_LEDGERS, &open_key(open)))
            .await
    }

    async fn list_open(
        &self,
        shard: u8,
        after: Option<OpenLedger>,
        limit: usize,
    ) -> Result<Vec<OpenLedger>> {
        let after = after.as_ref().map(open_clustering);
        let range = key::range(&[shard], after.as_deref(), Order::Ascending);
        self.scan(move |snapshot| {
            snapshot.page(OPEN_LEDGERS, range, Order::Ascending, limit, |key, _| {
                decode_open(key).map(Some)
            })
        })
        .await
    }
}
