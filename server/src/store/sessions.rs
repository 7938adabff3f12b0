//! Storage of sessions (table `refresh_tokens`): one row per family of refresh tokens; and of accounts whose access tokens are no longer
//! good (`ended_accounts`).

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cas, PageRequest, Put, Result};
use crate::domain::{AccountId, Timestamp};

/// A family of refresh tokens: all that descend from one sign-in. Only the newest generation is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Names the family; part of each of its tokens.
    pub session_id: Uuid,
    /// Whose session it is.
    pub account_id: AccountId,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// The newest token's number, from 1.
    pub generation: i64,
    /// Random; without it no token of the family can be made from the key file alone.
    pub salt: [u8; 32],
    /// When the newest generation was made.
    pub rotated_at: Timestamp,
    /// After this the newest token is dead.
    pub expires_at: Timestamp,
    /// Signed out, or a token was reused.
    pub is_ended: bool,
}

/// How long it is remembered that an account has ended: longer than its last access token lives.
pub const ENDED_TTL: Duration = Duration::from_secs(7_200);

/// Sessions: rows changed by compare-and-set on `version`.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Puts a new session's row.
    async fn insert_session(&self, session: &Session) -> Result<Put<Session>>;
    /// Reads a session (linearizable).
    async fn get_session(&self, session_id: Uuid) -> Result<Option<Session>>;
    /// Replaces the row if its version is `session.version - 1`. A row whose `op_id` is ours counts as done.
    async fn update_session(&self, session: &Session) -> Result<Cas<Session>>;

    /// Notes that no access token of an account is good any more; kept for [`ENDED_TTL`].
    async fn put_ended_account(&self, account_id: AccountId, at: Timestamp) -> Result<()>;
    /// Lists the accounts that ended in an hour (UTC, since 1970), by id.
    async fn list_ended_accounts(
        &self,
        hour: i64,
        page: PageRequest<AccountId>,
    ) -> Result<Vec<AccountId>>;
}
