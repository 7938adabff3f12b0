//! A Stripe for tests and for the rush, in their process: real state behind the part of the API that the product uses. It is as strict as
//! Stripe (authentication, content type, unknown parameters, idempotency keys), and can lose answers, fail, hang, and decline on demand.
//!
//! It promises no more than Stripe does; `server/tests/stripe_mock` holds the same requests against Stripe's own description.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests and measurements are its only users: they fail by panicking"
)]

mod books;
mod events;
mod form;
mod intents;
mod refunds;
mod reply;
mod serve;
mod trouble;

pub use books::{Books, Movements};
pub use events::Message;
pub use serve::{FakeStripe, Recorded};
pub use trouble::Trouble;

/// The API key that it takes.
pub const SECRET_KEY: &str = "sk_test_fake";

/// Signs its messages.
pub const WEBHOOK_SECRET: &str = "whsec_fake";

/// Payment methods: what a confirmed payment with them does. The `pm_card_` ones are Stripe's own.
pub mod method {
    /// Is captured.
    pub const CAPTURES: &str = "pm_card_visa";
    /// Is declined by the bank.
    pub const DECLINED: &str = "pm_card_chargeDeclined";
    /// Is declined: no money.
    pub const INSUFFICIENT_FUNDS: &str = "pm_card_chargeDeclinedInsufficientFunds";
    /// Is declined: the card has expired.
    pub const EXPIRED: &str = "pm_card_chargeDeclinedExpiredCard";
    /// Asks for the buyer.
    pub const ASKS_BUYER: &str = "pm_card_threeDSecure2Required";
    /// Is captured; a refund stays pending until time passes.
    pub const REFUND_PENDS: &str = "pm_card_pendingRefund";
    /// Is captured; the first refund fails.
    pub const REFUND_FAILS_ONCE: &str = "pm_fake_refundFailsOnce";
    /// Is processing; captured when time passes.
    pub const CAPTURES_LATER: &str = "pm_fake_capturesLater";
    /// Is declined, and captured all the same when time passes, unless it is cancelled.
    pub const DECLINED_THEN_CAPTURES: &str = "pm_fake_declinedThenCaptures";
    /// Is captured; the first answer is lost.
    pub const LOSES_ANSWER: &str = "pm_fake_losesAnswer";
    /// Waits for a separate capture.
    pub const REQUIRES_CAPTURE: &str = "pm_fake_requiresCapture";
}
