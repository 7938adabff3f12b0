//! Storage of what operators did by hand (`audit_log`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Result;
use crate::domain::Timestamp;

/// Most entries that [`AuditStore::list_audit`] reads: people do them, one at a time.
pub const AUDIT_LIST_MAX: usize = 1_000;

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

/// What operators did. Entries are only ever added.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Notes what an operator did.
    async fn put_audit(&self, entry: &AuditEntry) -> Result<()>;

    /// Lists what was done by hand to a subject, oldest first, at most [`AUDIT_LIST_MAX`].
    async fn list_audit(&self, subject: Uuid) -> Result<Vec<AuditEntry>>;
}
