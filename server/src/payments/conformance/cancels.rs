//! Cancelling: before the capture it prevents it for good, after it it says so.

use super::scene::{
    Behaviour, Scene, asked, assert_captured, assert_nothing_is_taken, cancel, charge, confirm,
    new_key, start, status,
};
use crate::{
    domain::payment::FailReason,
    payments::{Charge, PaymentStatus},
};

const CANCELLED: Option<PaymentStatus> = Some(PaymentStatus::Failed(FailReason::Cancelled));

/// It stays cancelled, whatever is called and however long one waits.
async fn assert_cancelled_for_good(scene: &dyn Scene, charge: &Charge) {
    assert_nothing_is_taken(scene, charge.key).await;
    assert_eq!(status(scene, charge.key).await, CANCELLED);
    assert_eq!(cancel(scene, charge.key).await, CANCELLED);
    assert_eq!(Some(start(scene, charge).await.status), CANCELLED);
    assert_nothing_is_taken(scene, charge.key).await;
}

/// A pending payment that is cancelled in time does not capture when time passes.
pub async fn pending_is_never_captured(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::CapturesLater) else {
        return;
    };
    start(scene, &charge).await;
    assert_eq!(cancel(scene, charge.key).await, CANCELLED);
    assert_cancelled_for_good(scene, &charge).await;
}

/// The buyer who comes too late finds nothing to approve.
pub async fn waiting_for_the_buyer_is_never_captured(scene: &dyn Scene) {
    let Some((charge, payment, url)) = asked(scene).await else {
        return;
    };
    assert_eq!(cancel(scene, charge.key).await, CANCELLED);
    scene.act(&url, true).await;
    // An error is as good an answer.
    if let Ok(confirmed) = confirm(scene, charge.key, &payment).await {
        assert_eq!(Some(confirmed.status), CANCELLED);
    }
    assert_cancelled_for_good(scene, &charge).await;
}

/// Approved and not yet confirmed is still in time.
pub async fn approved_is_never_captured(scene: &dyn Scene) {
    let Some((charge, _, url)) = asked(scene).await else {
        return;
    };
    scene.act(&url, true).await;
    assert_eq!(cancel(scene, charge.key).await, CANCELLED);
    assert_cancelled_for_good(scene, &charge).await;
}

/// What was said to have failed is cancelled nevertheless, so that it can't capture late.
pub async fn a_late_capture_is_prevented(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::FailsThenCaptures) else {
        return;
    };
    start(scene, &charge).await;
    let cancelled = cancel(scene, charge.key).await;
    if cancelled == Some(PaymentStatus::Captured) {
        return assert_captured(scene, &charge).await;
    }
    assert!(
        matches!(cancelled, Some(PaymentStatus::Failed(_))),
        "{cancelled:?}"
    );
    assert_nothing_is_taken(scene, charge.key).await;
}

/// Too late is answered with what is.
pub async fn captured_stays_captured(scene: &dyn Scene) {
    for behaviour in [Behaviour::Captures, Behaviour::CapturesLater] {
        let Some(charge) = charge(scene, behaviour) else {
            continue;
        };
        let payment = start(scene, &charge).await;
        scene.pass_time(charge.key).await;
        let provider = scene.provider();
        for reference in [None, Some(payment.reference.as_str())] {
            let answer = provider.cancel(charge.key, reference).await.unwrap();
            let answer = answer.map(|payment| payment.status);
            assert_eq!(answer, Some(PaymentStatus::Captured));
        }
        assert_captured(scene, &charge).await;
    }
}

/// What failed needs no cancelling.
pub async fn failed_stays_failed(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Fails(FailReason::Declined)) else {
        return;
    };
    start(scene, &charge).await;
    let cancelled = cancel(scene, charge.key).await;
    assert!(
        matches!(cancelled, Some(PaymentStatus::Failed(_))),
        "{cancelled:?}"
    );
    assert_nothing_is_taken(scene, charge.key).await;
}

/// If the provider promises it, a key that was cancelled before its start never charges.
pub async fn the_never_seen_is_not_charged_later(scene: &dyn Scene) {
    let key = new_key();
    let Some(answer) = cancel(scene, key).await else {
        eprintln!("provider {} can't promise it", scene.provider().name());
        return;
    };
    assert_eq!(Some(answer), CANCELLED);
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let charge = Charge { key, ..charge };
    assert_cancelled_for_good(scene, &charge).await;
    if scene.reopen().await {
        assert_cancelled_for_good(scene, &charge).await;
    }
}
