//! Stripe's messages: signed with HMAC-SHA-256 over `t.body` (<https://docs.stripe.com/webhooks/signature>).

use std::{fmt, time::Duration};

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use super::intent::Metadata;
use crate::{
    domain::Timestamp,
    payments::{WebhookError, WebhookEvent},
};

/// Holds `t=SECONDS,v1=HEX`, `v1` once for each secret while secrets are rolled.
const SIGNATURE: &str = "stripe-signature";

/// How far the signature's time may be from ours, either way. Stripe's own libraries allow as much.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Longest header that is read: two signatures have 200 bytes.
const HEADER_BYTES_MAX: usize = 4096;

/// Knows the secrets of the webhook endpoint: two, while one replaces the other.
pub(super) struct Verifier(Vec<Hmac<Sha256>>);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

impl Verifier {
    /// `None` if a secret is empty: anybody could sign with it.
    pub(super) fn new(secrets: &[SecretString]) -> Option<Self> {
        let mac = |secret: &SecretString| {
            let secret = secret.expose_secret().as_bytes();
            let mac = Hmac::new_from_slice(secret).ok();
            mac.filter(|_| !secret.is_empty())
        };
        secrets.iter().map(mac).collect::<Option<_>>().map(Self)
    }

    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError> {
        let header = sole_header(headers).ok_or(WebhookError::Signature)?;
        let signature = Signature::parse(header).ok_or(WebhookError::Signature)?;
        let apart = now.seconds().abs_diff(signature.seconds);
        if apart > TOLERANCE.as_secs() || !self.signed(&signature, body) {
            return Err(WebhookError::Signature);
        }
        read(body).ok_or(WebhookError::Malformed)
    }

    fn signed(&self, signature: &Signature<'_>, body: &[u8]) -> bool {
        self.0.iter().any(|secret| {
            let mut mac = secret.clone();
            mac.update(signature.time.as_bytes());
            mac.update(b".");
            mac.update(body);
            let is_it = |given: &Vec<u8>| mac.clone().verify_slice(given).is_ok();
            signature.given.iter().any(is_it)
        })
    }
}

fn sole_header(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(SIGNATURE).into_iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && value.len() <= HEADER_BYTES_MAX).then_some(value)
}

struct Signature<'a> {
    /// As it was signed.
    time: &'a str,
    seconds: i64,
    given: Vec<Vec<u8>>,
}

impl<'a> Signature<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let (mut time, mut given) = (None, Vec::new());
        for part in header.split(',') {
            match part.trim().split_once('=')? {
                ("t", _) if time.is_some() => return None,
                ("t", value) => time = Some(value),
                ("v1", value) => given.extend(hex::decode(value)),
                // Other schemes may come and go; `v0` is for tests of Stripe's.
                _ => {}
            }
        }
        let time = time?;
        let seconds = time.parse().ok()?;
        Some(Self {
            time,
            seconds,
            given,
        })
    }
}

/// As far as it is of use. What it is about is read only if it is of interest: the rest has any shape.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Subject {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

/// A payment intent, a charge, a refund, or something else.
#[derive(Deserialize)]
struct Object {
    id: Option<String>,
    payment_intent: Option<String>,
    metadata: Option<Metadata>,
}

fn read(body: &[u8]) -> Option<WebhookEvent> {
    let Event { id, kind } = serde_json::from_slice(body).ok()?;
    let is_intent = kind.starts_with("payment_intent.");
    let is_refund = kind.starts_with("refund.") || kind.starts_with("charge.refund");
    if !is_intent && !is_refund {
        return Some(WebhookEvent {
            event_id: id,
            key: None,
            reference: None,
        });
    }
    let Subject { data } = serde_json::from_slice(body).ok()?;
    let object = data.object;
    Some(WebhookEvent {
        event_id: id,
        key: object.metadata.as_ref().and_then(Metadata::key),
        reference: if is_intent {
            object.id
        } else {
            object.payment_intent
        },
    })
}
