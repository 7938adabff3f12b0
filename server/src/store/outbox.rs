//! Storage of intents and announcements (`outbox`, `announced`), of the relay's progress (`jobs`), of what operators did (`audit_log`),
//! and the lists that are derived from rows (`drops_by_creator`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cas, PageRequest, Result};
use crate::domain::{AccountId, DropId, Timestamp, drop::Drop};

/// What kind of row is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EntityKind {
    /// A row of `accounts`.
    Account,
    /// A row of `creators`.
    Creator,
    /// A row of `drops`.
    Drop,
}

/// A row whose changes are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// Which table.
    pub kind: EntityKind,
    /// Which row.
    pub id: Uuid,
}

/// Somebody is about to change a row, or has done so and did not finish what follows. Partition `(shard of the entity's id, UTC hour of
/// created_at)`, clustering `(created_at, op_id)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Which row.
    pub entity: Entity,
    /// The change: the `op_id` of the version that it makes.
    pub op_id: Uuid,
    /// When it was put.
    pub created_at: Timestamp,
}

/// Key of an intent within its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntentKey {
    /// When it was put.
    pub created_at: Timestamp,
    /// The change.
    pub op_id: Uuid,
}

/// How far a job has come. Changed by compare-and-set on `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Names it, such as `relay/7`.
    pub job_id: String,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// The job's own mark of progress.
    pub cursor: i64,
}

/// What an operator did by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// What it was done to: the order of an `order settle`.
    pub subject: Uuid,
    /// When.
    pub at: Timestamp,
    /// Names the entry.
    pub id: Uuid,
    /// Who, as the operating system names them.
    pub actor: String,
    /// What, such as `order.settle`.
    pub action: String,
    /// How, for people.
    pub detail: String,
}

/// Intents, announcements, jobs, audit.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Puts an intent. Repeating is harmless.
    async fn put_intent(&self, intent: &Intent) -> Result<()>;

    /// Removes an intent.
    async fn remove_intent(&self, intent: &Intent) -> Result<()>;

    /// Pages through the intents of one partition: `shard` is 0 to 15, `hour` counts UTC hours since 1970 ([`Timestamp::hour`]).
    async fn list_intents(
        &self,
        shard: u8,
        hour: i64,
        page: PageRequest<IntentKey>,
    ) -> Result<Vec<Intent>>;

    /// The version of a row that was announced last; 0 for none.
    async fn get_announced(&self, entity: Entity) -> Result<i64>;

    /// Notes that a version was announced; the greatest stays.
    async fn put_announced(&self, entity: Entity, version: i64) -> Result<()>;

    /// Reads a job (linearizable).
    async fn get_job(&self, job_id: &str) -> Result<Option<Job>>;

    /// Replaces a job's row if its version is `job.version - 1`; version 1 puts a new row. A row whose `op_id` is ours counts as done.
    async fn update_job(&self, job: &Job) -> Result<Cas<Job>>;

    /// Notes what an operator did.
    async fn put_audit(&self, entry: &AuditEntry) -> Result<()>;

    /// Lists what was done by hand to a subject, oldest first, at most 1,000.
    async fn list_audit(&self, subject: Uuid) -> Result<Vec<AuditEntry>>;

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

    /// Pages through all drops in some fixed order, which need not be that of the ids. For `livedrop rebuild` only.
    async fn scan_drops(&self, after: Option<DropId>, limit: usize) -> Result<Vec<Drop>>;
}
