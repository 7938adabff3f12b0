//! Storage of intents and announcements (`outbox`, `announced`): no change of a row goes without its event.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PageRequest, Result};
use crate::domain::{AccountId, Timestamp};

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
    /// A row of `products`.
    Product,
    /// A row of `follow_edges`: the entity's id is the follower's, this one the creator's. Nothing is told of it; what is finished is its
    /// places in the lists.
    FollowEdge(AccountId),
}

/// A row whose changes are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    /// Which table.
    pub kind: EntityKind,
    /// Which row.
    pub id: Uuid,
}

impl Entity {
    /// Which of the shards of the outbox its intents lie in.
    #[must_use]
    pub const fn shard(self) -> u8 {
        // Any kind of id will do: all have the same shards.
        AccountId::new(self.id).shard()
    }
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

impl Intent {
    /// Its key within its partition.
    #[must_use]
    pub const fn key(&self) -> IntentKey {
        IntentKey {
            created_at: self.created_at,
            op_id: self.op_id,
        }
    }
}

/// Key of an intent within its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntentKey {
    /// When it was put.
    pub created_at: Timestamp,
    /// The change.
    pub op_id: Uuid,
}

/// Intents and announcements.
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
}
