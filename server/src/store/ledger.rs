//! Storage of ledgers (table `drop_ledger`) and of who has them open (`open_ledgers`).

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Result,
    text::{base64_bytes, hex_32},
};
use crate::domain::{DropId, ProcessId, Timestamp};

/// One stored record of a ledger, bytes as they are hashed. `ledger/record.rs` gives them meaning. Its serde form is for files and tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// The drop whose ledger it is.
    pub ledger_id: DropId,
    /// Position, from 1 without gaps.
    pub seq: u64,
    /// Layout of the stored bytes.
    pub format: u16,
    /// Lowest version of the fold that understands all entries.
    pub fold_version: u16,
    /// The process that wrote it.
    pub writer_id: Uuid,
    /// Random; names exactly these bytes.
    pub batch_id: Uuid,
    /// Ledger time of the record.
    pub recorded_at: Timestamp,
    /// Units available after the record, all items.
    pub available: i64,
    /// Units held after the record.
    pub held: i64,
    /// Units sold after the record.
    pub sold: i64,
    /// Hash of the record before; zeros for the first.
    #[serde(with = "hex_32")]
    pub prev_hash: [u8; 32],
    /// Hash of this record.
    #[serde(with = "hex_32")]
    pub hash: [u8; 32],
    /// Encoded `livedrop.internal.v1.RecordBody`.
    #[serde(with = "base64_bytes")]
    pub body: Bytes,
}

/// Outcome of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    /// The slot was empty and holds the record now.
    Appended,
    /// The slot holds this record. It may be ours, from an earlier try.
    Conflict(Box<LedgerRecord>),
}

/// A process may have work open in a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenLedger {
    /// Which ledger.
    pub ledger_id: DropId,
    /// Which process opened it.
    pub process_id: ProcessId,
}

/// Ledgers: append-only, one record per slot, never deleted.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Whether this process alone can write the store, so that nobody else's append can be newer than its own.
    fn is_exclusive(&self) -> bool;

    /// Puts the record into its slot if that is empty. Linearizable per ledger.
    async fn append(&self, record: &LedgerRecord) -> Result<Append>;

    /// Reads records in order from `seq` on, at most `limit` (at least 1) and without a gap. Linearizable: no answer means that slot `seq` was
    /// empty at a moment between call and answer. A page may be short; only an empty one says that the head is reached. An empty slot
    /// before a full one is damage: [`StoreError::Determinate`](super::StoreError::Determinate), never a short answer.
    async fn read_from(
        &self,
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LedgerRecord>>;

    /// Notes that `open.process_id` may have work open in a ledger. Repeating is harmless.
    async fn mark_open(&self, open: OpenLedger) -> Result<()>;

    /// Takes the note back.
    async fn unmark_open(&self, open: OpenLedger) -> Result<()>;

    /// Lists notes of ledgers in `shard` (0 to 15), ascending, those after `after`.
    async fn list_open(
        &self,
        shard: u8,
        after: Option<OpenLedger>,
        limit: usize,
    ) -> Result<Vec<OpenLedger>>;
}
