//! The trait that every payment provider implements. `payments/conformance` is the suite that each must pass.
//!
//! Every call names its attempt by [`AttemptKey`], from which a provider makes its idempotency keys: the same call again, by whatever
//! process after whatever crash, charges and refunds once.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use http::HeaderMap;

use crate::domain::{
    AccountId, DropId, Money, OrderId, Timestamp,
    payment::{FailReason, PaymentMethod},
};

/// Names one attempt to pay for one order, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptKey {
    /// The order's drop, which is its ledger.
    pub drop_id: DropId,
    /// The order.
    pub order_id: OrderId,
    /// Number of the attempt, from 1.
    pub attempt: i32,
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.order_id, self.attempt)
    }
}

/// Money to be taken.
#[derive(Debug, Clone)]
pub struct Charge {
    /// For what.
    pub key: AttemptKey,
    /// Who pays.
    pub buyer_id: AccountId,
    /// How much; above zero.
    pub amount: Money,
    /// By what.
    pub method: PaymentMethod,
    /// When the attempt began (ledger time).
    pub started_at: Timestamp,
}

/// Money to be given back: the whole of an attempt's capture.
#[derive(Debug, Clone)]
pub struct Refund {
    /// What was captured.
    pub key: AttemptKey,
    /// The provider's id of the payment, if it is known here.
    pub reference: Option<String>,
    /// How much; above zero.
    pub amount: Money,
}

/// Where a payment stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentStatus {
    /// The money is ours. Final, but for refunds.
    Captured,
    /// Nothing was taken, says the provider. Even so it may capture later: ask again when a webhook says so.
    Failed(FailReason),
    /// The buyer has to do something at this URL.
    ActionRequired {
        /// Where.
        url: String,
    },
    /// The buyer has done it; [`Provider::confirm`] goes on.
    ConfirmationRequired,
    /// The provider works on it.
    Pending,
}

/// A payment at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The provider's id of it, such as `pi_...`.
    pub reference: String,
    /// Where it stands.
    pub status: PaymentStatus,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// The money is back.
    Done,
    /// On its way: ask again.
    Pending,
    /// It did not work this time: ask again, and the provider is made to try anew.
    Failed,
}

/// Why a provider's call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The provider understood and will not do it, now or later. Nothing was done.
    #[error("provider refused: {0}")]
    Rejected(String),
    /// Nothing was done; later it may work.
    #[error("provider unavailable: {0}")]
    Unavailable(String),
    /// It may have been done: only the provider knows.
    #[error("provider outcome unknown: {0}")]
    Unknown(String),
}

/// A verified message of a provider. A hint, no more: what happened is asked of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The provider's id of the message; a message sent twice has the same.
    pub event_id: String,
    /// The attempt it is about; `None`: nothing of ours, or of no interest.
    pub key: Option<AttemptKey>,
    /// The provider's id of the payment, if the message names it.
    pub reference: Option<String>,
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// Its signature is missing, wrong or too old.
    #[error("signature is missing, wrong or too old")]
    Signature,
    /// It is signed and makes no sense.
    #[error("message is malformed")]
    Malformed,
}

/// A payment provider. Calls are bounded in time by the provider (at most 30 s each), and may be dropped at any moment.
#[async_trait]
pub trait Provider: Send + Sync + fmt::Debug {
    /// Its name in ledgers, settings and webhook URLs: lower-case letters.
    fn name(&self) -> &'static str;

    /// Begins a payment, or answers where the one with this key stands.
    async fn start(&self, charge: &Charge) -> Result<Payment, ProviderError>;

    /// Goes on after the buyer has done what was required. Repeating is harmless.
    async fn confirm(&self, key: AttemptKey, reference: &str) -> Result<Payment, ProviderError>;

    /// Takes a payment back that has not captured; answers where it stands, which may be [`PaymentStatus::Captured`].
    /// A payment that the provider has never seen is `Failed(Cancelled)`, and a later [`start`](Self::start) with its key must not charge
    /// if the provider can promise that; `None` if it has never seen it and can't.
    async fn cancel(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError>;

    /// Asks where a payment stands; `None` if the provider has never seen it.
    async fn look_up(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError>;

    /// Gives a capture back, or answers where the refund stands. Money goes back once, however often it is called.
    async fn refund(&self, refund: &Refund) -> Result<RefundStatus, ProviderError>;

    /// Checks and reads a webhook message.
    ///
    /// # Errors
    /// If it is not to be believed.
    fn verify_webhook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError>;
}

/// Shared handle on a [`Provider`].
pub type SharedProvider = Arc<dyn Provider>;
