//! Payments: what the product asks of a payment provider, and the providers. No stock, no orders: who decides what a payment means is
//! the ledger.

pub mod conformance;
pub mod provider;
pub mod providers;
pub mod stripe;
pub mod test;

pub use provider::{
    AttemptKey, Charge, Payment, PaymentStatus, Provider, ProviderError, Refund, RefundStatus,
    SharedProvider, WebhookError, WebhookEvent,
};
pub use providers::Providers;
