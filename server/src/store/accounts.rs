//! Storage of accounts, creators and the names they claim (`accounts`, `creators`, `account_emails`, `creator_handles`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cas, Put, Result};
use crate::domain::{AccountId, Timestamp};

/// A person's account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's id.
    pub account_id: AccountId,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// Address as typed at sign-up; its claim is on the folded form.
    pub email: String,
    /// What others see.
    pub display_name: String,
    /// Argon2id hash in PHC form; empty once the account is deleted.
    pub password_hash: String,
    /// When the account was made.
    pub created_at: Timestamp,
}

impl Account {
    /// Whether it was deleted. Then nothing of the person is left, but for the address until its claim is released.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.password_hash.is_empty()
    }
}

impl std::fmt::Debug for Account {
    // Neither e-mail nor hash may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("account_id", &self.account_id)
            .finish_non_exhaustive()
    }
}

/// A creator's public profile. Its id is the account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// The creator's id, which is the account's.
    pub creator_id: AccountId,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// Unique name in links.
    pub handle: String,
    /// What others see.
    pub display_name: String,
    /// About the creator.
    pub bio: String,
    /// When the account became a creator.
    pub created_at: Timestamp,
}

impl Creator {
    /// Whether the account was deleted. The handle stays, so that nobody else gets it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.display_name.is_empty()
    }
}

/// A unique name (e-mail or handle) taken by an account, perhaps one that is still being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// Random, of the attempt that claimed.
    pub claim_id: Uuid,
    /// The account that the name is for.
    pub owner_id: AccountId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
}

/// Accounts and creators: rows changed by compare-and-set on `version`; names by put-if-absent.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Puts a new account's row.
    async fn insert_account(&self, account: &Account) -> Result<Put<Account>>;
    /// Reads an account (linearizable).
    async fn get_account(&self, account_id: AccountId) -> Result<Option<Account>>;
    /// Replaces the row if its version is `account.version - 1`. A row whose `op_id` is ours counts as done.
    async fn update_account(&self, account: &Account) -> Result<Cas<Account>>;

    /// Puts a new creator's row.
    async fn insert_creator(&self, creator: &Creator) -> Result<Put<Creator>>;
    /// Reads a creator (linearizable).
    async fn get_creator(&self, creator_id: AccountId) -> Result<Option<Creator>>;
    /// Replaces the row if its version is `creator.version - 1`. A row whose `op_id` is ours counts as done.
    async fn update_creator(&self, creator: &Creator) -> Result<Cas<Creator>>;

    /// Claims a folded e-mail address.
    async fn claim_email(&self, email: &str, claim: &Claim) -> Result<Put<Claim>>;
    /// Reads the claim on a folded e-mail address (linearizable).
    async fn get_email_claim(&self, email: &str) -> Result<Option<Claim>>;
    /// Replaces a claim if its version is `claim.version - 1`. A row whose `claim_id` is ours counts as done.
    async fn take_over_email(&self, email: &str, claim: &Claim) -> Result<Cas<Claim>>;
    /// Removes a claim if it is still this one; else nothing happens.
    async fn release_email(&self, email: &str, claim: &Claim) -> Result<()>;

    /// Claims a handle.
    async fn claim_handle(&self, handle: &str, claim: &Claim) -> Result<Put<Claim>>;
    /// Reads the claim on a handle (linearizable).
    async fn get_handle_claim(&self, handle: &str) -> Result<Option<Claim>>;
    /// Replaces a claim if its version is `claim.version - 1`. A row whose `claim_id` is ours counts as done.
    async fn take_over_handle(&self, handle: &str, claim: &Claim) -> Result<Cas<Claim>>;
}
