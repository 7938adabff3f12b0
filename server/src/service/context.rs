//! What the use cases work with.

use std::sync::Arc;

use super::{BucketRule, FollowerCounts};
use crate::{
    auth::{AccessTokens, Keys, Passwords},
    domain::AccountId,
    env::SharedEnv,
    jobs::{Outbox, PaymentRunner, Timer},
    ledger::Registry,
    media::Media,
    search::SearchHandle,
    service::{DropEmbeds, DropWatches},
    store::{
        Result, SharedStore,
        accounts::{Account, Creator},
    },
};

/// The parts that use cases share; cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// Time, ids, randomness.
    pub env: SharedEnv,
    /// What lasts.
    pub store: SharedStore,
    /// Hashes and checks passwords.
    pub passwords: Arc<Passwords>,
    /// Issues and checks access tokens.
    pub tokens: Arc<AccessTokens>,
    /// Authenticates refresh tokens and page tokens.
    pub keys: Arc<Keys>,
    /// Goes on with payments; knows the providers.
    pub payments: PaymentRunner,
    /// Where pictures are.
    pub media: Media,
    /// The open ledgers.
    pub ledgers: Registry,
    /// Wakes drops in time.
    pub timer: Timer,
    /// How lists of follows are divided.
    pub follow_buckets: BucketRule,
    /// Announces changes of rows that no ledger holds.
    pub outbox: Outbox,
    /// What stands beside drops.
    pub drop_embeds: DropEmbeds,
    /// The drops that somebody watches.
    pub drop_watches: DropWatches,
    /// How many follow each creator.
    pub follower_counts: FollowerCounts,
    /// What can be found.
    pub search: SearchHandle,
}

impl Context {
    /// An account that was not deleted.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn account(&self, account_id: AccountId) -> Result<Option<Account>> {
        let found = self.store.get_account(account_id).await?;
        Ok(found.filter(|account| !account.is_deleted()))
    }

    /// A creator whose account was not deleted.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn creator(&self, creator_id: AccountId) -> Result<Option<Creator>> {
        let found = self.store.get_creator(creator_id).await?;
        Ok(found.filter(|creator| !creator.is_deleted()))
    }
}
