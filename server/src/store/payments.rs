//! Storage of what the payment provider's side is called (`payment_attempts`, `payment_events`). How a payment stands is in the ledger.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Put, Result};
use crate::domain::{OrderId, Timestamp};

/// An attempt's names at its provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the payment, such as `pi_...`.
    pub reference: String,
    /// When this was noted.
    pub noted_at: Timestamp,
}

/// Payment attempts and settled webhook messages.
#[async_trait]
pub trait PaymentStore: Send + Sync {
    /// Notes the names of an attempt (from 1) of an order; they never change, so the first write stays.
    async fn put_attempt(
        &self,
        order_id: OrderId,
        attempt: i32,
        row: &AttemptRow,
    ) -> Result<Put<AttemptRow>>;

    /// Reads the names of an attempt.
    async fn get_attempt(&self, order_id: OrderId, attempt: i32) -> Result<Option<AttemptRow>>;

    /// Notes that a provider's webhook message is settled. `Put::Exists` with the time of the first note if it was noted before.
    async fn put_payment_event(
        &self,
        provider: &str,
        event_id: &str,
        settled_at: Timestamp,
    ) -> Result<Put<Timestamp>>;

    /// When a provider's webhook message was settled.
    async fn get_payment_event(&self, provider: &str, event_id: &str) -> Result<Option<Timestamp>>;
}
