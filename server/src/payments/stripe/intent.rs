//! Stripe's PaymentIntent, and where it stands in our words.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    domain::payment::FailReason,
    payments::{AttemptKey, Payment, PaymentStatus, ProviderError},
};

/// Names of metadata. Refunds carry them too, and Stripe copies them to an intent's charges.
pub(super) const DROP_ID: &str = "drop_id";
pub(super) const ORDER_ID: &str = "order_id";
pub(super) const ATTEMPT: &str = "attempt";

/// As far as it is of use.
#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) metadata: Option<Metadata>,
    next_action: Option<NextAction>,
    last_payment_error: Option<PaymentError>,
}

/// What we have attached to a thing at Stripe.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Metadata(BTreeMap<String, String>);

#[derive(Debug, Deserialize)]
struct NextAction {
    redirect_to_url: Option<Redirect>,
}

#[derive(Debug, Deserialize)]
struct Redirect {
    url: Option<String>,
}

/// Why the last try to charge failed.
#[derive(Debug, Deserialize)]
struct PaymentError {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
}

impl Metadata {
    /// The attempt that it names.
    pub(super) fn key(&self) -> Option<AttemptKey> {
        Some(AttemptKey {
            drop_id: self.0.get(DROP_ID)?.parse().ok()?,
            order_id: self.0.get(ORDER_ID)?.parse().ok()?,
            attempt: self.0.get(ATTEMPT)?.parse().ok()?,
        })
    }
}

impl Intent {
    pub(super) fn is_of(&self, key: AttemptKey) -> bool {
        self.metadata.as_ref().and_then(Metadata::key) == Some(key)
    }

    /// # Errors
    /// If it stands where no documentation says it can.
    pub(super) fn payment(self) -> Result<Payment, ProviderError> {
        let failed = |or: FailReason| {
            let error = self.last_payment_error.as_ref();
            PaymentStatus::Failed(error.map_or(or, PaymentError::reason))
        };
        let status = match self.status.as_str() {
            "succeeded" => PaymentStatus::Captured,
            "canceled" => failed(FailReason::Cancelled),
            "requires_payment_method" => failed(FailReason::ProviderError),
            // To be captured is what `confirm` does then.
            "requires_confirmation" | "requires_capture" => PaymentStatus::ConfirmationRequired,
            "requires_action" => self.action_url().map_or(PaymentStatus::Pending, |url| {
                PaymentStatus::ActionRequired { url }
            }),
            "processing" => PaymentStatus::Pending,
            _ => {
                let text = "payment has a status that is not documented";
                return Err(ProviderError::Unknown(text.to_owned()));
            }
        };
        Ok(Payment {
            reference: self.id,
            status,
        })
    }

    /// Buyers are sent there: nothing but a web page will do.
    fn action_url(&self) -> Option<String> {
        let url = self
            .next_action
            .as_ref()?
            .redirect_to_url
            .as_ref()?
            .url
            .as_ref()?;
        let is_page = url.starts_with("https://") || url.starts_with("http://");
        is_page.then(|| url.clone())
    }
}

impl PaymentError {
    /// The bank's own reason is the more exact one, if there is any.
    fn reason(&self) -> FailReason {
        let codes = [&self.decline_code, &self.code].into_iter().flatten();
        let known = codes.filter_map(|code| reason_of(code)).next();
        known.unwrap_or(match self.kind.as_deref() {
            Some("card_error") => FailReason::Declined,
            _ => FailReason::ProviderError,
        })
    }
}

fn reason_of(code: &str) -> Option<FailReason> {
    match code {
        "insufficient_funds" => Some(FailReason::InsufficientFunds),
        "authentication_required"
        | "authentication_not_handled"
        | "payment_intent_authentication_failure" => Some(FailReason::AuthenticationFailed),
        "card_not_supported"
        | "currency_not_supported"
        | "expired_card"
        | "incorrect_address"
        | "incorrect_cvc"
        | "incorrect_number"
        | "incorrect_zip"
        | "invalid_account"
        | "invalid_cvc"
        | "invalid_expiry_month"
        | "invalid_expiry_year"
        | "invalid_number"
        | "new_account_information_available"
        | "payment_method_unactivated"
        | "testmode_decline" => Some(FailReason::InvalidMethod),
        "issuer_not_available" | "processing_error" | "reenter_transaction" | "try_again_later" => {
            Some(FailReason::ProviderError)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(rest: &str) -> Result<PaymentStatus, ProviderError> {
        let json = format!(r#"{{"id":"pi_1","metadata":null,{rest}}}"#);
        let intent: Intent = serde_json::from_str(&json).unwrap();
        intent.payment().map(|payment| payment.status)
    }

    fn failed(error: &str) -> PaymentStatus {
        let rest =
            format!(r#""status":"requires_payment_method","last_payment_error":{{{error}}}"#);
        payment(&rest).unwrap()
    }

    #[test]
    fn every_status_is_known() {
        let url = "https://hooks.stripe.com/3ds".to_owned();
        for (rest, expected) in [
            (r#""status":"succeeded""#, PaymentStatus::Captured),
            (
                r#""status":"canceled""#,
                PaymentStatus::Failed(FailReason::Cancelled),
            ),
            (
                r#""status":"requires_payment_method""#,
                PaymentStatus::Failed(FailReason::ProviderError),
            ),
            (
                r#""status":"requires_confirmation""#,
                PaymentStatus::ConfirmationRequired,
            ),
            (
                r#""status":"requires_capture""#,
                PaymentStatus::ConfirmationRequired,
            ),
            (r#""status":"processing""#, PaymentStatus::Pending),
            (
                r#""status":"requires_action","next_action":{"redirect_to_url":{"url":"https://hooks.stripe.com/3ds"}}"#,
                PaymentStatus::ActionRequired { url },
            ),
            (
                r#""status":"requires_action","next_action":{"redirect_to_url":{"url":"javascript:alert(1)"}}"#,
                PaymentStatus::Pending,
            ),
            (
                r#""status":"requires_action","next_action":{"type":"use_stripe_sdk"}"#,
                PaymentStatus::Pending,
            ),
        ] {
            assert_eq!(payment(rest), Ok(expected), "{rest}");
        }
        let new = payment(r#""status":"requires_patience""#);
        assert!(matches!(new, Err(ProviderError::Unknown(_))), "{new:?}");
    }

    #[test]
    fn a_failure_has_the_most_exact_reason() {
        for (error, reason) in [
            (
                r#""type":"card_error","code":"card_declined","decline_code":"generic_decline""#,
                FailReason::Declined,
            ),
            (
                r#""type":"card_error","code":"card_declined","decline_code":"insufficient_funds""#,
                FailReason::InsufficientFunds,
            ),
            (
                r#""type":"card_error","code":"expired_card","decline_code":"expired_card""#,
                FailReason::InvalidMethod,
            ),
            (
                r#""type":"card_error","code":"incorrect_cvc""#,
                FailReason::InvalidMethod,
            ),
            (
                r#""type":"invalid_request_error","code":"payment_intent_authentication_failure""#,
                FailReason::AuthenticationFailed,
            ),
            (
                r#""type":"card_error","code":"processing_error""#,
                FailReason::ProviderError,
            ),
            (r#""type":"api_error""#, FailReason::ProviderError),
            (
                r#""type":"card_error","code":"brand_new""#,
                FailReason::Declined,
            ),
        ] {
            assert_eq!(failed(error), PaymentStatus::Failed(reason), "{error}");
        }
    }
}
