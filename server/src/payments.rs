//! Payments: what the product asks of a payment provider, and the providers. No stock, no orders: who decides what a payment means is
//! the ledger.

pub mod provider;
pub mod stripe;

pub use provider::{
    AttemptKey, Charge, Payment, PaymentStatus, Provider, ProviderError, Refund, RefundStatus,
    SharedProvider, WebhookError, WebhookEvent,
};
