//! What is known of a payment, whoever carries it out.

use std::{fmt, str::FromStr};

/// Payment attempts that an order may have: more are card testing.
pub const ATTEMPTS_MAX: i32 = 5;

/// The text is no token of a payment method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a payment provider's token of 1 to 255 letters, digits, `_` and `-`")]
pub struct ParseMethodError;

/// A provider's token of a payment method, such as `pm_...`. Never card data. Whoever has it may charge, so it is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentMethod(String);

impl PaymentMethod {
    /// The token, for the provider and the ledger.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Wraps a token that was checked when it came in.
    #[must_use]
    pub const fn stored(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentMethod(..)")
    }
}

impl FromStr for PaymentMethod {
    type Err = ParseMethodError;

    fn from_str(text: &str) -> Result<Self, ParseMethodError> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=255).contains(&text.len()) && text.bytes().all(is_token) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseMethodError)
        }
    }
}

/// Why an attempt failed. The names are stored in ledgers and shown by the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// The bank said no.
    Declined,
    /// The account lacks the money.
    InsufficientFunds,
    /// The buyer did not pass 3-D Secure.
    AuthenticationFailed,
    /// The provider does not take this payment method.
    InvalidMethod,
    /// Not finished in time, or no longer wanted: taken back at the provider.
    Cancelled,
    /// The provider could not do it.
    ProviderError,
    /// An operator settled it by hand.
    SettledByHand,
}

impl FailReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Declined,
        Self::InsufficientFunds,
        Self::AuthenticationFailed,
        Self::InvalidMethod,
        Self::Cancelled,
        Self::ProviderError,
        Self::SettledByHand,
    ];

    /// The name in ledgers and in the contract, there without its prefix.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "DECLINED",
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::AuthenticationFailed => "AUTHENTICATION_FAILED",
            Self::InvalidMethod => "INVALID_METHOD",
            Self::Cancelled => "CANCELLED",
            Self::ProviderError => "PROVIDER_ERROR",
            Self::SettledByHand => "SETTLED_BY_HAND",
        }
    }

    /// The reason with this name; a name that this version does not know is [`Self::ProviderError`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == name);
        known.unwrap_or(Self::ProviderError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_checked_and_hidden() {
        let method: PaymentMethod = "pm_test_ok".parse().unwrap();
        assert_eq!(method.expose(), "pm_test_ok");
        assert!(!format!("{method:?}").contains("pm_test"));
        for bad in ["", "pm test", "pm_тест", "4242 4242", &"x".repeat(256)] {
            assert_eq!(bad.parse::<PaymentMethod>(), Err(ParseMethodError), "{bad}");
        }
    }

    #[test]
    fn every_reason_has_its_own_name() {
        for reason in FailReason::ALL {
            assert_eq!(FailReason::from_name(reason.as_str()), reason);
        }
        assert_eq!(FailReason::from_name("NEWER"), FailReason::ProviderError);
    }
}
