//! What the use cases work with.

use std::sync::Arc;

use super::BucketRule;
use crate::{
    auth::{AccessTokens, Keys, Passwords},
    env::SharedEnv,
    jobs::{Outbox, PaymentRunner, Timer},
    ledger::Registry,
    service::{DropEmbeds, DropWatches},
    store::SharedStore,
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
}
