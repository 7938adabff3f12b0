//! The life of an order.

use serde::{Deserialize, Serialize};

/// Where an order stands. `HELD -> PAYMENT_PENDING -> PAID` is the usual way; the ledger allows no edge but those of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderState {
    /// Units are held until `hold_expires_at`.
    Held,
    /// The provider works on a payment.
    PaymentPending,
    /// The buyer must confirm the payment.
    ActionRequired,
    /// The provider's answer was lost; it will be asked.
    PaymentUnknown,
    /// Sold.
    Paid,
    /// Released by the buyer, or with the drop.
    Cancelled,
    /// Released when the hold ran out.
    Expired,
    /// The money is on its way back.
    RefundPending,
    /// The money is back.
    Refunded,
}

impl OrderState {
    /// The name in the contract, without its prefix.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::PaymentPending => "PAYMENT_PENDING",
            Self::ActionRequired => "ACTION_REQUIRED",
            Self::PaymentUnknown => "PAYMENT_UNKNOWN",
            Self::Paid => "PAID",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::RefundPending => "REFUND_PENDING",
            Self::Refunded => "REFUNDED",
        }
    }
}
