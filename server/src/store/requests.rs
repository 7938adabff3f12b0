//! Storage of request ids (table `request_ids`) of calls that no ledger holds.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Put, Result};
use crate::domain::{AccountId, RequestId};

/// What makes a call the same call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Who called; `None` for calls without sign-in.
    pub caller_id: Option<AccountId>,
    /// The call's name, such as `ScheduleDrop`.
    pub method: &'static str,
    /// The client's key.
    pub request_id: RequestId,
}

/// What is remembered of a call: a claim that names the entity it makes, before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// SHA-256 of the request's content, without secrets.
    pub fingerprint: [u8; 32],
    /// Id of the entity that the call makes.
    pub entity_id: Uuid,
}

/// How long request ids are remembered.
pub const REQUEST_TTL: Duration = Duration::from_secs(7 * 86_400);

/// Request ids: put-if-absent, kept for [`REQUEST_TTL`] at least.
#[async_trait]
pub trait RequestStore: Send + Sync {
    /// Claims a request id, or tells who did.
    async fn claim_request(&self, key: &RequestKey, row: &RequestRow) -> Result<Put<RequestRow>>;

    /// Reads what a request id was claimed for (linearizable).
    async fn get_request(&self, key: &RequestKey) -> Result<Option<RequestRow>>;
}
