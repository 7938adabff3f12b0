//! Storage of what projectors know: how far each has come (`ledger_checkpoints`), and how drops stand (`drop_status`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;
use crate::domain::{DropId, ItemId, Timestamp};

/// How far a consumer has followed a ledger: everything up to `seq` is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last record whose effects are done.
    pub seq: u64,
    /// That record's hash; another one means that the ledger is not the one that was followed.
    pub hash: [u8; 32],
}

/// Where a drop's life stands, as far as its ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DropState {
    /// Frozen, not open.
    Scheduled,
    /// Selling.
    Live,
    /// Over.
    Ended,
    /// Cancelled.
    Cancelled,
}

/// Stock of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemStock {
    /// Which item.
    pub item_id: ItemId,
    /// Units offered at the start.
    pub initial: i64,
    /// Units added since.
    pub restocked: i64,
    /// Units for sale.
    pub available: i64,
    /// Units held.
    pub held: i64,
    /// Units sold.
    pub sold: i64,
}

/// A drop as of one record of its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropStatus {
    /// Which drop.
    pub drop_id: DropId,
    /// As of this record. Of two rows the one with the greater `seq` is newer.
    pub seq: u64,
    /// When that record was made.
    pub recorded_at: Timestamp,
    /// Where the drop stands.
    pub state: DropState,
    /// Nothing but refunds may follow.
    pub is_sealed: bool,
    /// Nothing available, nothing held.
    pub is_sold_out: bool,
    /// Stock, ascending by item id.
    pub items: Vec<ItemStock>,
}

/// Checkpoints and drop statuses.
#[async_trait]
pub trait ProjectionStore: Send + Sync {
    /// Reads how far each consumer has come with a ledger.
    async fn get_checkpoints(&self, ledger_id: DropId) -> Result<Vec<(String, Checkpoint)>>;

    /// Notes how far a consumer has come. The last write stays; going back is harmless, it only repeats work.
    async fn put_checkpoint(
        &self,
        ledger_id: DropId,
        consumer: &str,
        checkpoint: Checkpoint,
    ) -> Result<()>;

    /// Upserts a drop's status; of two rows the one with the greater `seq` stays.
    async fn put_drop_status(&self, status: &DropStatus) -> Result<()>;

    /// Reads a drop's status; `None` before the freeze.
    async fn get_drop_status(&self, drop_id: DropId) -> Result<Option<DropStatus>>;

    /// Empties everything that `livedrop rebuild` fills again: order rows and their lists, drop statuses, the lists of drops and of
    /// follows. Checkpoints
    /// stay: some are of consumers whose effects can't be made again, such as events that were told. Only while nothing else runs.
    async fn truncate_derived(&self) -> Result<()>;
}
