//! Webhook messages: kept, and handed to the test, which delivers them late, twice, in another order or not at all.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::WEBHOOK_SECRET;

/// A message that Stripe would send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Such as `payment_intent.succeeded`.
    pub kind: String,
    /// JSON.
    pub body: Vec<u8>,
}

impl Message {
    pub(crate) fn new(number: usize, kind: &str, object: &Value) -> Self {
        let body = json!({
            "id": format!("evt_{number}"), "object": "event", "type": kind, "livemode": false, "data": { "object": object },
        });
        Self {
            kind: kind.to_owned(),
            body: body.to_string().into_bytes(),
        }
    }

    /// The value of `Stripe-Signature` if it is sent at this time, in seconds since 1970.
    #[must_use]
    pub fn signature(&self, seconds: i64) -> String {
        Self::sign(WEBHOOK_SECRET, seconds, &self.body)
    }

    /// The same for any body and secret.
    #[must_use]
    pub fn sign(secret: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        let mac = hex::encode(mac.finalize().into_bytes());
        format!("t={seconds},v1={mac},v0={}", "0".repeat(64))
    }
}
