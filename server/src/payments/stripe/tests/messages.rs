//! Webhook messages of Stripe's form.

use fake_stripe::{Message, WEBHOOK_SECRET, method};

use super::stage::{Stage, charge, config, refund_of, signed};
use crate::{
    domain::Timestamp,
    payments::{Provider as _, RefundStatus},
    payments::{
        WebhookError, WebhookEvent,
        stripe::{StripeConfig, webhook::Verifier},
    },
};

const NOW: i64 = 1_800_000_000;

fn verify(header: &str, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
    let StripeConfig {
        webhook_secrets, ..
    } = config("");
    let now = Timestamp::from_micros(NOW * 1_000_000);
    let verifier = Verifier::new(&webhook_secrets).unwrap();
    verifier.verify(&signed(header), body, now)
}

fn sign(seconds: i64, body: &[u8]) -> String {
    Message::sign(WEBHOOK_SECRET, seconds, body)
}

/// An own computation, with openssl, of what the fake computes with the same library as the adapter.
#[test]
fn a_signature_made_elsewhere_is_known() {
    let body = br#"{"id":"evt_1","type":"ping","data":{"object":{}}}"#;
    let mac = "f861a7b5cf42435f44529a9e61ca67d1260866067e74056ec8907a8509fda4d3";
    let event = verify(&format!("t={NOW},v1={mac}"), body).unwrap();
    assert_eq!(event.event_id, "evt_1");
    assert_eq!(event.key, None);
}

#[test]
fn five_minutes_either_way_and_no_more() {
    let body = br#"{"id":"evt_1","type":"ping"}"#;
    for (seconds, is_believed) in [
        (NOW - 300, true),
        (NOW + 300, true),
        (NOW - 301, false),
        (NOW + 301, false),
        (i64::MIN, false),
    ] {
        let read = verify(&sign(seconds, body), body);
        assert_eq!(read.is_ok(), is_believed, "{seconds}: {read:?}");
    }
}

#[test]
fn secrets_can_be_rolled() {
    let body = br#"{"id":"evt_1","type":"ping"}"#;
    let now = Timestamp::from_micros(NOW * 1_000_000);
    let verifier = Verifier::new(&["whsec_new".into(), "whsec_old".into()]).unwrap();
    let header = |secrets: &[&str]| {
        let mut header = format!("t={NOW}");
        for secret in secrets {
            let signed = Message::sign(secret, NOW, body);
            header += &format!(",{}", signed.split(',').nth(1).unwrap());
        }
        signed(&header)
    };
    for (secrets, is_believed) in [
        (&["whsec_new"][..], true),
        (&["whsec_old"], true),
        (&["whsec_other", "whsec_old"], true),
        (&["whsec_other"], false),
        (&[], false),
    ] {
        let read = verifier.verify(&header(secrets), body, now);
        assert_eq!(read.is_ok(), is_believed, "{secrets:?}");
    }
    assert!(Verifier::new(&["whsec_new".into(), "".into()]).is_none());
}

#[test]
fn odd_headers_are_refused() {
    let body = br#"{"id":"evt_1","type":"ping"}"#;
    let good = sign(NOW, body);
    assert!(verify(&good, body).is_ok());
    for header in [
        format!("t={NOW},{good}"),
        good.replace("v1=", "v0="),
        good.replace("t=", "t=+"),
        good.replace(',', ";"),
        format!("{good},{}", "v1=00,".repeat(1_000)),
    ] {
        let read = verify(&header, body);
        assert_eq!(read, Err(WebhookError::Signature), "{header}");
    }
    let mut twice = signed(&good);
    twice.append("stripe-signature", good.parse().unwrap());
    let now = Timestamp::from_micros(NOW * 1_000_000);
    let verifier = Verifier::new(&[WEBHOOK_SECRET.into()]).unwrap();
    let read = verifier.verify(&twice, body, now);
    assert_eq!(read, Err(WebhookError::Signature));
}

#[test]
fn signed_nonsense_is_malformed_and_foreign_events_are_not_ours() {
    for body in [
        "",
        "[]",
        r#"{"id":"evt_1"}"#,
        r#"{"id":"evt_1","type":"payment_intent.succeeded"}"#,
    ] {
        let read = verify(&sign(NOW, body.as_bytes()), body.as_bytes());
        assert_eq!(read, Err(WebhookError::Malformed), "{body}");
    }
    for body in [
        r#"{"id":"evt_1","type":"customer.created","data":{"object":{"metadata":{"order_id":"x"}}}}"#,
        r#"{"id":"evt_1","type":"payment_intent.created","data":{"object":{"id":"pi_1","metadata":{}}}}"#,
        r#"{"id":"evt_1","type":"charge.refunded","data":{"object":{"payment_intent":"pi_1"}}}"#,
        r#"{"id":"evt_1","type":"refund.updated","data":{"object":{"payment_intent":null,"metadata":{"attempt":"1"}}}}"#,
    ] {
        let event = verify(&sign(NOW, body.as_bytes()), body.as_bytes()).unwrap();
        assert_eq!(event.key, None, "{body}");
    }
}

/// In whatever order they come, and however often: each names its attempt, and the same message has the same id.
#[tokio::test]
async fn all_messages_of_a_payment_and_its_refund_name_the_attempt() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
    let payment = stripe.start(&charge).await.unwrap();
    let refunded = stripe.refund(&refund_of(&charge)).await;
    assert_eq!(refunded, Ok(RefundStatus::Done));
    let messages = stage.fake.messages(&charge.key.order_id.to_string(), 1);
    let mut ids = Vec::new();
    for message in messages.iter().rev().chain(&messages) {
        let event = verify(&message.signature(NOW), &message.body).unwrap();
        assert_eq!(event.key, Some(charge.key), "{}", message.kind);
        assert_eq!(event.reference.as_ref(), Some(&payment.reference));
        ids.push(event.event_id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), messages.len());
    let last = messages.last().map(|message| message.kind.as_str());
    assert_eq!(last, Some("refund.created"));
}
