//! Payments that the buyer has to approve.

use super::scene::{
    Scene, asked, assert_captured, assert_nothing_is_taken, confirm, start, status,
};
use crate::{domain::payment::FailReason, payments::PaymentStatus};

/// The approved payment waits for `confirm`, which captures, once.
pub async fn approved_is_captured_when_confirmed(scene: &dyn Scene) {
    let Some((charge, payment, url)) = asked(scene).await else {
        return;
    };
    assert_eq!(start(scene, &charge).await, payment);
    scene.act(&url, true).await;
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::ConfirmationRequired)
    );
    assert_nothing_is_taken(scene, charge.key).await;
    for _ in 0..2 {
        let confirmed = confirm(scene, charge.key, &payment).await.unwrap();
        assert_eq!(confirmed.status, PaymentStatus::Captured);
        assert_eq!(confirmed.reference, payment.reference);
    }
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_captured(scene, &charge).await;
}

/// Confirming does not stand in for the buyer.
pub async fn nothing_is_captured_before_approval(scene: &dyn Scene) {
    let Some((charge, payment, _)) = asked(scene).await else {
        return;
    };
    // Refusing to confirm is as good as saying where it stands.
    if let Ok(confirmed) = confirm(scene, charge.key, &payment).await {
        assert!(
            matches!(confirmed.status, PaymentStatus::ActionRequired { .. }),
            "{confirmed:?}"
        );
    }
    let status = status(scene, charge.key).await;
    assert!(
        matches!(status, Some(PaymentStatus::ActionRequired { .. })),
        "{status:?}"
    );
    assert_nothing_is_taken(scene, charge.key).await;
}

/// The buyer who declines pays nothing.
pub async fn declined_is_failed(scene: &dyn Scene) {
    let Some((charge, _, url)) = asked(scene).await else {
        return;
    };
    scene.act(&url, false).await;
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Failed(FailReason::AuthenticationFailed))
    );
    assert_nothing_is_taken(scene, charge.key).await;
}

/// The buyer may come after a crash; the URL from before is still good.
pub async fn a_reopened_provider_goes_on(scene: &dyn Scene) {
    let Some((charge, payment, url)) = asked(scene).await else {
        return;
    };
    if !scene.reopen().await {
        eprintln!("SKIPPED: nothing is left of the provider after a crash");
        return;
    }
    scene.act(&url, true).await;
    let confirmed = confirm(scene, charge.key, &payment).await.unwrap();
    assert_eq!(confirmed.status, PaymentStatus::Captured);
    assert_captured(scene, &charge).await;
}
