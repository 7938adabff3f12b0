//! Storage of what search has to look at again (`search_changes`): each process keeps an index of its own, and follows this list.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PageRequest, Result, outbox::Entity};
use crate::domain::Timestamp;

/// How long a change is listed. An index that has not followed for so long is made anew.
pub const CHANGE_TTL: Duration = Duration::from_secs(24 * 3_600);

/// Something looks other than before to those who search. Partition: UTC hour of `noted_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SearchChange {
    /// When it was noted, after it had been written.
    pub noted_at: Timestamp,
    /// What: a drop, a product, or an account with all that is its own.
    pub entity: Entity,
}

impl SearchChange {
    /// Its key within its partition.
    #[must_use]
    pub const fn key(&self) -> SearchChangeKey {
        SearchChangeKey {
            noted_at: self.noted_at,
            id: self.entity.id,
        }
    }
}

/// Key of a change within its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchChangeKey {
    /// When it was noted.
    pub noted_at: Timestamp,
    /// The entity's id.
    pub id: Uuid,
}

/// What search has to look at again.
#[async_trait]
pub trait SearchChangeStore: Send + Sync {
    /// Notes a change; kept for [`CHANGE_TTL`]. Repeating is harmless.
    async fn put_search_change(&self, change: &SearchChange) -> Result<()>;

    /// Pages through the changes of an hour (UTC, since 1970).
    async fn list_search_changes(
        &self,
        hour: i64,
        page: PageRequest<SearchChangeKey>,
    ) -> Result<Vec<SearchChange>>;
}
