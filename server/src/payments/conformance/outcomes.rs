//! How payments end that don't simply capture.

use super::scene::{
    Behaviour, Scene, assert_captured, assert_nothing_is_taken, charge, start, status,
};
use crate::{
    domain::payment::FailReason,
    payments::{PaymentStatus, ProviderError},
};

/// A failure has its reason, and stays whatever is called.
pub async fn failures_say_why_and_stay(scene: &dyn Scene) {
    for reason in [
        FailReason::Declined,
        FailReason::InsufficientFunds,
        FailReason::InvalidMethod,
    ] {
        let Some(charge) = charge(scene, Behaviour::Fails(reason)) else {
            continue;
        };
        let failed = start(scene, &charge).await;
        assert_eq!(failed.status, PaymentStatus::Failed(reason));
        assert_eq!(start(scene, &charge).await, failed);
        assert_nothing_is_taken(scene, charge.key).await;
        assert_eq!(
            status(scene, charge.key).await,
            Some(PaymentStatus::Failed(reason))
        );
    }
}

/// What is pending is captured without another call.
pub async fn pending_is_captured_later(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::CapturesLater) else {
        return;
    };
    assert_eq!(start(scene, &charge).await.status, PaymentStatus::Pending);
    scene.pass_time(charge.key).await;
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_eq!(start(scene, &charge).await.status, PaymentStatus::Captured);
    assert_captured(scene, &charge).await;
}

/// After an unknown outcome the truth is found without the payment's reference, and sending it again charges nothing more.
pub async fn a_lost_answer_is_found_by_asking(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::LosesAnswer) else {
        return;
    };
    let lost = scene.provider().start(&charge).await;
    assert!(matches!(lost, Err(ProviderError::Unknown(_))), "{lost:?}");
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_eq!(start(scene, &charge).await.status, PaymentStatus::Captured);
    assert_captured(scene, &charge).await;
}

/// A provider that says no and captures all the same says so when it is asked.
pub async fn a_failure_may_capture_late(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::FailsThenCaptures) else {
        return;
    };
    let status_now = start(scene, &charge).await.status;
    assert!(
        matches!(status_now, PaymentStatus::Failed(_)),
        "{status_now:?}"
    );
    scene.pass_time(charge.key).await;
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_captured(scene, &charge).await;
}
