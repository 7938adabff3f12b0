//! How buyers pay: with the test provider's tokens, whose names say what happens.

use rand::{Rng, RngExt};

/// Captures at once.
pub(crate) const OK: &str = "pm_test_ok";
/// Fails, and captures seconds later.
pub(crate) const LATE: &str = "pm_test_late";
/// Asks the buyer on a page.
pub(crate) const THREE_D_SECURE: &str = "pm_test_3ds";

/// What a buyer means to do to pay for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wallet {
    /// Sent with the order.
    pub(crate) at_once: Option<&'static str>,
    /// Cards for `PayOrder`, one after the other while the order is not paid.
    pub(crate) later: [Option<&'static str>; 2],
    /// Presses "Approve" on the 3-D Secure page, else "Decline".
    pub(crate) approves: bool,
    /// Wants the money back afterwards, for sure.
    pub(crate) returns: bool,
}

impl Wallet {
    /// Nothing is paid.
    pub(crate) const EMPTY: Self = Self {
        at_once: None,
        later: [None; 2],
        approves: true,
        returns: false,
    };

    const fn at_once(token: &'static str) -> Self {
        Self {
            at_once: Some(token),
            ..Self::EMPTY
        }
    }

    const fn then(self, token: &'static str) -> Self {
        Self {
            later: [Some(token), None],
            ..self
        }
    }

    /// Draws how one who means to keep the order pays.
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..34 => Self::at_once(OK),
            34..46 => Self::EMPTY.then(OK),
            46..51 => Self::at_once("pm_test_declined").then(OK),
            51..55 => Self::at_once("pm_test_insufficient_funds").then(OK),
            55..57 => Self {
                later: [Some("pm_test_declined"), Some(OK)],
                ..Self::EMPTY
            },
            57..64 => Self::at_once(THREE_D_SECURE),
            64..67 => Self::EMPTY.then(THREE_D_SECURE),
            67..70 => Self {
                approves: false,
                ..Self::at_once(THREE_D_SECURE).then(OK)
            },
            70..74 => Self::at_once(LATE),
            // The second card pays, then the first one too.
            74..78 => Self::at_once(LATE).then(OK),
            78..81 => Self::at_once("pm_test_slow"),
            81..85 => Self::at_once("pm_test_unknown"),
            85..89 => Self::at_once("pm_test_duplicate_webhook"),
            89..92 => Self {
                returns: true,
                ..Self::at_once("pm_test_refund_fails_once")
            },
            92..94 => Self::at_once("pm_test_declined"),
            94..95 => Self::at_once("pm_test_stolen").then(OK),
            _ => Self::EMPTY,
        }
    }

    /// Draws what one has paid with who cancels: nothing, or something that failed.
    pub(crate) fn draw_failing(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..10) {
            0..6 => Self::EMPTY,
            6..8 => Self::at_once("pm_test_declined"),
            _ => Self::at_once(LATE),
        }
    }
}

/// What paid for an order, for people.
pub(crate) fn name(token: &str, attempt: i32, is_at_once: bool) -> &'static str {
    match token {
        THREE_D_SECURE => "by 3-D Secure",
        LATE => "late: failed first, captured later",
        "pm_test_slow" => "slowly",
        "pm_test_unknown" => "with a lost answer",
        "pm_test_duplicate_webhook" => "with webhooks twice",
        _ if attempt > 1 => "with a second card",
        _ if is_at_once => "in the same call",
        _ => "later",
    }
}
