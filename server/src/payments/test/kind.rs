//! What a special token brings about.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::payment::{FailReason, PaymentMethod};

/// How a payment goes, as its token said. The names are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Ok,
    Declined,
    InsufficientFunds,
    #[serde(rename = "3ds")]
    ThreeDSecure,
    Slow,
    Unknown,
    Late,
    DuplicateWebhook,
    RefundFailsOnce,
    Invalid,
}

/// What the provider does with a fresh payment by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Captures after so long.
    Captures(Duration),
    /// Fails at once; if there is a time, captures all the same after it.
    Fails(FailReason, Option<Duration>),
    /// Waits for the buyer.
    Asks,
}

impl Kind {
    pub(super) fn of(method: &PaymentMethod) -> Self {
        match method.expose() {
            "pm_test_ok" => Self::Ok,
            "pm_test_declined" => Self::Declined,
            "pm_test_insufficient_funds" => Self::InsufficientFunds,
            "pm_test_3ds" => Self::ThreeDSecure,
            "pm_test_slow" => Self::Slow,
            "pm_test_unknown" => Self::Unknown,
            "pm_test_late" => Self::Late,
            "pm_test_duplicate_webhook" => Self::DuplicateWebhook,
            "pm_test_refund_fails_once" => Self::RefundFailsOnce,
            _ => Self::Invalid,
        }
    }

    pub(super) const fn course(self) -> Course {
        match self {
            Self::Ok | Self::Unknown | Self::RefundFailsOnce => Course::Captures(Duration::ZERO),
            Self::Slow => Course::Captures(Duration::from_secs(15)),
            Self::DuplicateWebhook => Course::Captures(Duration::from_secs(1)),
            Self::Declined => Course::Fails(FailReason::Declined, None),
            Self::InsufficientFunds => Course::Fails(FailReason::InsufficientFunds, None),
            Self::Invalid => Course::Fails(FailReason::InvalidMethod, None),
            Self::Late => Course::Fails(FailReason::Declined, Some(Duration::from_secs(3))),
            Self::ThreeDSecure => Course::Asks,
        }
    }

    /// How often each webhook is sent, all at the same time.
    pub(super) const fn copies(self) -> usize {
        match self {
            Self::DuplicateWebhook => 2,
            Self::Ok
            | Self::Declined
            | Self::InsufficientFunds
            | Self::ThreeDSecure
            | Self::Slow
            | Self::Unknown
            | Self::Late
            | Self::RefundFailsOnce
            | Self::Invalid => 1,
        }
    }
}
