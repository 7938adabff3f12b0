//! Why a request to Stripe did not give what was asked for, and what that means for the payment.

use std::fmt;

use serde::Deserialize;

use super::intent::Intent;
use crate::payments::ProviderError;

/// Stripe's error object, as far as it is of use. Its message is left out: it may name the payment method.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ApiError {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) param: Option<String>,
    /// The payment that it is about, if one was made.
    pub(super) payment_intent: Option<Box<Intent>>,
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refused {
    /// HTTP's.
    pub(super) status: u16,
    /// This is what Stripe answered the first time that it saw the idempotency key.
    pub(super) replayed: bool,
    /// Stripe's name of the request, for its support.
    pub(super) request_id: Option<String>,
    pub(super) error: ApiError,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// Stripe never got the request.
    NotSent(&'static str),
    /// It may have; there is no answer that can be read.
    NoAnswer(&'static str),
    /// It answered something else.
    Refused(Box<Refused>),
}

impl Refused {
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.error.code.as_deref() == Some(code)
    }

    /// The idempotency key has been used with other parameters.
    pub(super) fn is_other_use_of_key(&self) -> bool {
        self.error.kind.as_deref() == Some("idempotency_error") && self.status == 400
    }
}

impl Fault {
    /// What it means after a request that changes something.
    pub(super) fn of_write(self) -> ProviderError {
        let text = self.to_string();
        match self {
            Self::NotSent(_) => ProviderError::Unavailable(text),
            Self::NoAnswer(_) => ProviderError::Unknown(text),
            Self::Refused(refused) => match refused.status {
                // The key was used for something: perhaps for this.
                400 if refused.is_other_use_of_key() => ProviderError::Unknown(text),
                // A wrong or rolled API key is put right by operators, not by giving up payments.
                401 | 403 | 429 => ProviderError::Unavailable(text),
                // Another request with this key is at work.
                409 => ProviderError::Unknown(text),
                400..=499 => ProviderError::Rejected(text),
                _ => ProviderError::Unknown(text),
            },
        }
    }

    /// What it means after a request that only reads.
    pub(super) fn of_read(self) -> ProviderError {
        match self.of_write() {
            ProviderError::Unknown(text) => ProviderError::Unavailable(text),
            other @ (ProviderError::Rejected(_) | ProviderError::Unavailable(_)) => other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = match self {
            Self::NotSent(why) | Self::NoAnswer(why) => return f.write_str(why),
            Self::Refused(refused) => refused,
        };
        let ApiError {
            kind,
            code,
            decline_code,
            param,
            payment_intent: _,
        } = &refused.error;
        write!(f, "status {}", refused.status)?;
        for part in [kind, code, decline_code, param, &refused.request_id] {
            if let Some(word) = part.as_deref().filter(|word| is_word(word)) {
                write!(f, " {word}")?;
            }
        }
        Ok(())
    }
}

/// A name from Stripe's vocabulary, fit for logs.
fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-[].".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}
