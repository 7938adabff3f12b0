//! Storage of drops (table `drops`), of when they open (`drops_by_time`) and whose they are (`drops_by_creator`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Cas, PageRequest, Put, Result};
use crate::domain::{AccountId, DropId, Timestamp, drop::Drop};

/// Key of a row of `drops_by_time` within its partition `(UTC day of opens_at, shard of the drop)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DropTimeKey {
    /// When the drop opens.
    pub opens_at: Timestamp,
    /// Which drop.
    pub drop_id: DropId,
}

/// A drop in the order of opening. Written before the drop's row, so the row may be missing, or stale if the drop's `opens_at` differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropTime {
    /// When, and which.
    pub key: DropTimeKey,
    /// When the drop ends.
    pub ends_at: Timestamp,
}

/// Drops: one row each, changed by compare-and-set on `version`.
#[async_trait]
pub trait DropStore: Send + Sync {
    /// Puts a new drop's row.
    async fn insert_drop(&self, drop: &Drop) -> Result<Put<Drop>>;

    /// Reads a drop's newest row (linearizable).
    async fn get_drop(&self, drop_id: DropId) -> Result<Option<Drop>>;

    /// Replaces the row if its version is `drop.version - 1`. A row whose `op_id` is ours counts as done.
    async fn update_drop(&self, drop: &Drop) -> Result<Cas<Drop>>;

    /// Upserts a row of `drops_by_time`; of two writes of one key the one with the later `written_at` stays.
    async fn put_drop_time(&self, row: DropTime, written_at: Timestamp) -> Result<()>;

    /// Pages through one partition of `drops_by_time`: `day` counts UTC days since 1970, `shard` is 0 to 15.
    async fn list_drop_times(
        &self,
        day: i32,
        shard: u8,
        page: PageRequest<DropTimeKey>,
    ) -> Result<Vec<DropTime>>;

    /// Lists a drop among its creator's. Repeating is harmless.
    async fn put_creator_drop(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        drop_id: DropId,
    ) -> Result<()>;

    /// Pages through a creator's drops in the order `(created_at, drop_id)`.
    async fn list_creator_drops(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, DropId)>,
    ) -> Result<Vec<(Timestamp, DropId)>>;

    /// Pages through all drops in some fixed order, which need not be that of the ids. For tools only: rebuilding and checking.
    async fn scan_drops(&self, after: Option<DropId>, limit: usize) -> Result<Vec<Drop>>;
}
