//! Refunds: all of it, once.

use futures::future::join_all;

use super::scene::{
    Behaviour, Scene, assert_captured, assert_nothing_is_taken, assert_refunded, charge, refund_of,
    refund_until_done, start, status,
};
use crate::{
    domain::payment::FailReason,
    payments::{PaymentStatus, ProviderError, RefundStatus},
};

/// Calls that race.
const RACERS: usize = 8;

/// However often it is called, and whether the reference is known or not.
pub async fn money_goes_back_once(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let payment = start(scene, &charge).await;
    for reference in [None, Some(payment.reference.clone()), None] {
        refund_until_done(scene, &refund_of(&charge, reference)).await;
        assert_refunded(scene, &charge).await;
    }
    // The capture is still one: what went back is asked of `refund`.
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_eq!(start(scene, &charge).await.status, PaymentStatus::Captured);
    assert_refunded(scene, &charge).await;
}

/// Of calls at the same time some may be refused, but they give back once.
pub async fn racing_refunds_give_back_once(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    start(scene, &charge).await;
    let (provider, refund) = (scene.provider(), refund_of(&charge, None));
    for answer in join_all((0..RACERS).map(|_| provider.refund(&refund))).await {
        match answer {
            Ok(RefundStatus::Done | RefundStatus::Pending)
            | Err(ProviderError::Unavailable(_) | ProviderError::Unknown(_)) => {}
            Ok(RefundStatus::Failed) | Err(ProviderError::Rejected(_)) => panic!("{answer:?}"),
        }
    }
    refund_until_done(scene, &refund).await;
    assert_refunded(scene, &charge).await;
}

/// Neither a crash after the refund nor the call that follows it gives back twice.
pub async fn a_reopened_provider_gives_back_once(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    start(scene, &charge).await;
    refund_until_done(scene, &refund_of(&charge, None)).await;
    if !scene.reopen().await {
        eprintln!("SKIPPED: nothing is left of the provider after a crash");
        return;
    }
    refund_until_done(scene, &refund_of(&charge, None)).await;
    assert_refunded(scene, &charge).await;
}

/// A refund that fails gives nothing back; asking again makes the provider try anew.
pub async fn a_failed_refund_works_later(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::RefundFailsOnce) else {
        return;
    };
    start(scene, &charge).await;
    let refund = refund_of(&charge, None);
    let first = scene.provider().refund(&refund).await.unwrap();
    assert_eq!(first, RefundStatus::Failed);
    assert_captured(scene, &charge).await;
    refund_until_done(scene, &refund).await;
    refund_until_done(scene, &refund).await;
    assert_refunded(scene, &charge).await;
}

/// There is nothing to give back.
pub async fn what_was_not_captured_is_not_refunded(scene: &dyn Scene) {
    for behaviour in [Behaviour::Fails(FailReason::Declined), Behaviour::AsksBuyer] {
        let Some(charge) = charge(scene, behaviour) else {
            continue;
        };
        start(scene, &charge).await;
        let answer = scene.provider().refund(&refund_of(&charge, None)).await;
        assert!(
            matches!(answer, Err(ProviderError::Rejected(_))),
            "{answer:?}"
        );
        assert_nothing_is_taken(scene, charge.key).await;
    }
}
