//! Webhooks: only what the provider signed, lately, as it was.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::scene::{Behaviour, MINUTE, Scene, charge, start};
use crate::{
    domain::Timestamp,
    payments::{AttemptKey, WebhookError, WebhookEvent},
};

/// How far a signature's time may be off at most, in minutes.
const TOLERANCE_MAX: u32 = 10;

/// A genuine message and the payment that it is about.
async fn message(scene: &dyn Scene) -> Option<(AttemptKey, HeaderMap, Bytes)> {
    let charge = charge(scene, Behaviour::CapturesLater)?;
    start(scene, &charge).await;
    scene.pass_time(charge.key).await;
    let (headers, body) = scene.webhook(charge.key).await;
    Some((charge.key, headers, body))
}

fn verify(
    scene: &dyn Scene,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<WebhookEvent, WebhookError> {
    scene.provider().verify_webhook(headers, body, now)
}

fn assert_refused(scene: &dyn Scene, headers: &HeaderMap, body: &[u8], now: Timestamp) {
    let read = verify(scene, headers, body, now);
    assert_eq!(read, Err(WebhookError::Signature), "{headers:?}");
}

/// A genuine message is believed, also if it comes again, and says what it is about.
pub async fn a_message_names_its_attempt(scene: &dyn Scene) {
    let Some((key, headers, body)) = message(scene).await else {
        return;
    };
    let now = scene.now();
    let event = verify(scene, &headers, &body, now).unwrap();
    assert_eq!(event.key, Some(key));
    assert!(!event.event_id.is_empty());
    assert_eq!(verify(scene, &headers, &body, now + MINUTE), Ok(event));
}

/// A message can't be replayed later, nor be from the future.
pub async fn stale_is_refused(scene: &dyn Scene) {
    let Some((_, headers, body)) = message(scene).await else {
        return;
    };
    let now = scene.now();
    assert_refused(scene, &headers, &body, now + MINUTE * (TOLERANCE_MAX + 1));
    assert_refused(scene, &headers, &body, now - MINUTE * (TOLERANCE_MAX + 1));
}

/// A changed, cut, longer or foreign body does not fit the signature.
pub async fn tampered_is_refused(scene: &dyn Scene) {
    let Some((_, headers, body)) = message(scene).await else {
        return;
    };
    let now = scene.now();
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        assert_refused(scene, &headers, &changed, now);
    }
    assert_refused(scene, &headers, &body[1..], now);
    assert_refused(scene, &headers, &body[..body.len() - 1], now);
    assert_refused(scene, &headers, &[&body[..], b" "].concat(), now);
    let Some((_, _, foreign)) = message(scene).await else {
        return;
    };
    assert_refused(scene, &headers, &foreign, now);
}

/// Without its header, or with something else in it, nothing is believed.
pub async fn unsigned_is_refused(scene: &dyn Scene) {
    let Some((_, headers, body)) = message(scene).await else {
        return;
    };
    let now = scene.now();
    assert_refused(scene, &HeaderMap::new(), &body, now);
    let seconds = now.seconds();
    let values = [
        String::new(),
        ",".to_owned(),
        format!("t={seconds}"),
        format!("t={seconds},v1="),
        format!("t={seconds},v1={}", "00".repeat(32)),
        format!("t={},v1={}", i64::MAX, "00".repeat(32)),
    ];
    for value in values {
        let value = HeaderValue::try_from(value).unwrap();
        let forged = headers.keys().map(|name| (name.clone(), value.clone()));
        assert_refused(scene, &forged.collect(), &body, now);
    }
}
