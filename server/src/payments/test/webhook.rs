//! The provider's webhook messages: JSON, signed with HMAC-SHA-256 over `seconds.body`.

use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::state::Owed;
use crate::{
    domain::{DropId, OrderId, Timestamp},
    payments::{AttemptKey, WebhookError, WebhookEvent},
};

/// Holds `t=SECONDS,v1=HEX`.
const SIGNATURE: HeaderName = HeaderName::from_static("livedrop-test-signature");

/// How far the signature's time may be from ours, either way: enough for retries and clocks, too short to replay at leisure.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Signs messages.
pub(super) struct Signer(Hmac<Sha256>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// A message's body.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    id: String,
    #[serde(rename = "type")]
    what: String,
    /// Microseconds since 1970.
    created_at: Timestamp,
    drop_id: DropId,
    order_id: OrderId,
    attempt: i32,
    reference: String,
}

/// The provider's id of a payment.
pub(super) fn reference(key: AttemptKey) -> String {
    format!("test_{}_{}", key.order_id, key.attempt)
}

/// The message about what is owed.
pub(super) fn body(event: &str, owed: &Owed) -> Bytes {
    let AttemptKey {
        drop_id,
        order_id,
        attempt,
    } = owed.key;
    let body = Body {
        id: event.to_owned(),
        what: owed.what.to_owned(),
        created_at: owed.at,
        drop_id,
        order_id,
        attempt,
        reference: reference(owed.key),
    };
    // Texts and numbers always are JSON.
    serde_json::to_vec(&body).unwrap_or_default().into()
}

impl Signer {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("32 bytes are a key"))
    }

    pub(super) fn sign(&self, now: Timestamp, body: &[u8]) -> HeaderMap {
        let at = now.seconds().to_string();
        let mac = hex::encode(self.mac(&at, body).finalize().into_bytes());
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::try_from(format!("t={at},v1={mac}")) {
            headers.insert(SIGNATURE, value);
        }
        headers
    }

    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError> {
        self.check(headers, body, now)
            .ok_or(WebhookError::Signature)?;
        let body: Body = serde_json::from_slice(body).map_err(|_| WebhookError::Malformed)?;
        Ok(WebhookEvent {
            event_id: body.id,
            key: Some(AttemptKey {
                drop_id: body.drop_id,
                order_id: body.order_id,
                attempt: body.attempt,
            }),
            reference: Some(body.reference),
        })
    }

    fn check(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<()> {
        let (at, mac) = headers.get(SIGNATURE)?.to_str().ok()?.split_once(',')?;
        let (at, mac) = (at.strip_prefix("t=")?, mac.strip_prefix("v1=")?);
        let signed_at = Timestamp::from_micros(at.parse::<i64>().ok()?.checked_mul(1_000_000)?);
        if now.since(signed_at) > TOLERANCE || signed_at.since(now) > TOLERANCE {
            return None;
        }
        let mac = hex::decode(mac).ok()?;
        // In constant time.
        self.mac(at, body).verify_slice(&mac).ok()
    }

    fn mac(&self, at: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(at.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn signed_nonsense_is_malformed() {
        let signer = Signer::new(&[7; 32]);
        for body in ["", "{}", "[1]", "\u{0}"] {
            let headers = signer.sign(NOW, body.as_bytes());
            let read = signer.verify(&headers, body.as_bytes(), NOW);
            assert_eq!(read, Err(WebhookError::Malformed), "{body}");
        }
    }

    #[test]
    fn another_secret_or_a_strange_header_is_refused() {
        let signer = Signer::new(&[7; 32]);
        let mut headers = Signer::new(&[8; 32]).sign(NOW, b"{}");
        let refused = |headers: &HeaderMap| {
            assert_eq!(
                signer.verify(headers, b"{}", NOW),
                Err(WebhookError::Signature),
                "{headers:?}"
            );
        };
        refused(&headers);
        let strange = [
            "",
            "t=1800000000",
            "t=1800000000,v1=",
            "t=1800000000,v1=zz",
            "t=9223372036854775807,v1=00",
            "v1=00,t=1800000000",
        ];
        for value in strange {
            headers.insert(SIGNATURE, HeaderValue::from_static(value));
            refused(&headers);
        }
    }
}
