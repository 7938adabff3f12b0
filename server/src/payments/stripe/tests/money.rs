//! Money moves as it should, in what only Stripe does.

use std::time::Duration;

use fake_stripe::method;
use futures::future::join_all;

use super::stage::{Stage, charge, refund_of};
use crate::{
    domain::payment::FailReason,
    payments::{
        AttemptKey, Charge, Payment, PaymentStatus, Provider as _, ProviderError, RefundStatus,
    },
};

const CANCELLED: PaymentStatus = PaymentStatus::Failed(FailReason::Cancelled);

#[tokio::test]
async fn what_waits_for_a_capture_is_captured() {
    let stage = Stage::start().await;
    let charge = charge(method::REQUIRES_CAPTURE);
    let payment = stage.stripe().start(&charge).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Captured);
    assert_eq!(stage.books(charge.key), (4_999, 0));
}

#[tokio::test]
async fn a_failed_payment_is_never_confirmed() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::DECLINED));
    let failed = stripe.start(&charge).await.unwrap();
    let again = stripe.confirm(charge.key, &failed.reference).await.unwrap();
    assert_eq!(again, failed);
    let path = format!("/v1/payment_intents/{}/confirm", failed.reference);
    assert_eq!(stage.count("POST", &path), 0);
}

#[tokio::test]
async fn an_old_attempt_is_looked_up_and_never_sent() {
    let stage = Stage::start().await;
    let stripe = stage.stripe();
    let new = charge(method::CAPTURES);
    let payment = stripe.start(&new).await.unwrap();
    let old = |charge: Charge| Charge {
        started_at: charge.started_at - Duration::from_secs(86_400),
        ..charge
    };
    assert_eq!(stripe.start(&old(new)).await, Ok(payment));
    let never_sent = stripe.start(&old(charge(method::CAPTURES))).await;
    assert!(
        matches!(never_sent, Err(ProviderError::Rejected(_))),
        "{never_sent:?}"
    );
    assert_eq!(stage.count("POST", "/v1/payment_intents"), 1);
}

/// Search lags behind; the idempotency key tells all the same.
#[tokio::test]
async fn a_cancellation_before_the_start_holds_while_search_is_blind() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
    stage.fake.blind_search(true);
    for _ in 0..2 {
        let cancelled = stripe.cancel(charge.key, None).await.unwrap();
        assert_eq!(cancelled.map(|payment| payment.status), Some(CANCELLED));
    }
    let late = stripe.start(&charge).await;
    assert!(matches!(late, Err(ProviderError::Unknown(_))), "{late:?}");
    stage.fake.blind_search(false);
    assert_eq!(stripe.start(&charge).await.unwrap().status, CANCELLED);
    assert_eq!(stage.books(charge.key), (0, 0));
}

#[tokio::test]
async fn racing_cancellations_and_starts_agree() {
    for _ in 0..20 {
        let stage = Stage::start().await;
        let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
        let calls = (0..6).map(|at| {
            let (stripe, charge) = (&stripe, &charge);
            async move {
                if at % 2 == 0 {
                    stripe.start(charge).await.map(Some)
                } else {
                    stripe.cancel(charge.key, None).await
                }
            }
        });
        let answers = join_all(calls).await;
        let last = stripe.look_up(charge.key, None).await.unwrap().unwrap();
        let captured = last.status == PaymentStatus::Captured;
        let expected = if captured { 4_999 } else { 0 };
        assert_eq!(stage.books(charge.key), (expected, 0));
        for payment in answers.into_iter().flatten().flatten() {
            let ends = [PaymentStatus::Captured, CANCELLED].contains(&payment.status);
            assert!(!ends || payment == last, "{payment:?}, at last {last:?}");
        }
    }
}

#[tokio::test]
async fn a_reference_of_another_order_is_not_believed() {
    let stage = Stage::start().await;
    let stripe = stage.stripe();
    let (mine, other) = (charge(method::CAPTURES), charge(method::CAPTURES));
    let payment = stripe.start(&mine).await.unwrap();
    for reference in [
        payment.reference.as_str(),
        "pi_no_such",
        "pi_../refunds",
        "re_1",
    ] {
        let found = stripe.look_up(other.key, Some(reference)).await;
        assert_eq!(found, Ok(None), "{reference}");
        let found = stripe.look_up(mine.key, Some(reference)).await;
        assert_eq!(found, Ok(Some(payment.clone())), "{reference}");
    }
    let second = AttemptKey {
        attempt: 2,
        ..mine.key
    };
    let confirmed: Result<Payment, _> = stripe.confirm(second, &payment.reference).await;
    assert!(
        matches!(confirmed, Err(ProviderError::Rejected(_))),
        "{confirmed:?}"
    );
}

#[tokio::test]
async fn a_pending_refund_is_asked_for_and_not_made_again() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::REFUND_PENDS));
    stripe.start(&charge).await.unwrap();
    for _ in 0..2 {
        let pending = stripe.refund(&refund_of(&charge)).await;
        assert_eq!(pending, Ok(RefundStatus::Pending));
    }
    stage
        .fake
        .pass_time(&charge.key.order_id.to_string(), charge.key.attempt);
    let done = stripe.refund(&refund_of(&charge)).await;
    assert_eq!(done, Ok(RefundStatus::Done));
    assert_eq!(stage.count("POST", "/v1/refunds"), 1);
}

#[tokio::test]
async fn what_was_given_back_by_hand_is_not_given_back_again() {
    for by_hand in [1_000, 4_999] {
        let stage = Stage::start().await;
        let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
        stripe.start(&charge).await.unwrap();
        let order_id = charge.key.order_id.to_string();
        stage.fake.refund_by_hand(&order_id, 1, by_hand);
        let done = stripe.refund(&refund_of(&charge)).await;
        assert_eq!(done, Ok(RefundStatus::Done), "{by_hand}");
        assert_eq!(stage.books(charge.key), (4_999, 4_999), "{by_hand}");
    }
}
