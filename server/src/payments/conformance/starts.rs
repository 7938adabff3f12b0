//! Starting: once per key, exactly as asked.

use futures::future::join_all;

use super::scene::{Behaviour, Scene, assert_captured, charge, money, new_key, start, status};
use crate::payments::{AttemptKey, Charge, PaymentStatus, ProviderError};

/// Calls that race.
const RACERS: usize = 8;

/// What is captured is what was asked for, in currencies with no, two and three decimals.
pub async fn amounts_and_currencies_arrive(scene: &dyn Scene) {
    for amount in [
        money("EUR", 4_999),
        money("USD", 100),
        money("JPY", 12_000),
        money("KWD", 12_340),
        money("GBP", 99_999_999),
    ] {
        let Some(charge) = charge(scene, Behaviour::Captures) else {
            return;
        };
        let charge = Charge { amount, ..charge };
        assert_eq!(start(scene, &charge).await.status, PaymentStatus::Captured);
        assert_captured(scene, &charge).await;
    }
}

/// The same call again is answered alike and charges nothing more.
pub async fn a_key_charges_once(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let first = start(scene, &charge).await;
    assert_eq!(first.status, PaymentStatus::Captured);
    assert!(!first.reference.is_empty());
    assert_eq!(start(scene, &charge).await, first);
    let provider = scene.provider();
    for reference in [None, Some(first.reference.as_str())] {
        let found = provider.look_up(charge.key, reference).await.unwrap();
        assert_eq!(found.as_ref(), Some(&first));
    }
    assert_captured(scene, &charge).await;
}

/// Of calls at the same time some may be refused, but they charge once.
pub async fn racing_starts_charge_once(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let provider = scene.provider();
    let answers = join_all((0..RACERS).map(|_| provider.start(&charge))).await;
    let last = start(scene, &charge).await;
    assert_eq!(last.status, PaymentStatus::Captured);
    for answer in answers {
        match answer {
            Ok(payment) => assert_eq!(payment, last),
            Err(ProviderError::Unavailable(_) | ProviderError::Unknown(_)) => {}
            Err(error @ ProviderError::Rejected(_)) => panic!("{error}"),
        }
    }
    assert_captured(scene, &charge).await;
}

/// A key means the same after a crash.
pub async fn a_reopened_provider_charges_once(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let first = start(scene, &charge).await;
    if !scene.reopen().await {
        eprintln!("SKIPPED: nothing is left of the provider after a crash");
        return;
    }
    assert_eq!(
        status(scene, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_eq!(start(scene, &charge).await, first);
    assert_captured(scene, &charge).await;
}

/// A key that is used again for something else does not charge that.
pub async fn another_amount_under_a_key_is_not_charged(scene: &dyn Scene) {
    let Some(charge) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let first = start(scene, &charge).await;
    let other = Charge {
        amount: money("EUR", charge.amount.amount_minor + 1),
        ..charge.clone()
    };
    match scene.provider().start(&other).await {
        Ok(payment) => assert_eq!(payment, first),
        Err(ProviderError::Rejected(_)) => {}
        Err(error @ (ProviderError::Unavailable(_) | ProviderError::Unknown(_))) => {
            panic!("{error}")
        }
    }
    assert_captured(scene, &charge).await;
}

/// Another attempt for the same order is another payment.
pub async fn attempts_are_apart(scene: &dyn Scene) {
    let Some(first) = charge(scene, Behaviour::Captures) else {
        return;
    };
    let second = Charge {
        key: AttemptKey {
            attempt: 2,
            ..first.key
        },
        amount: money("EUR", 150),
        ..first.clone()
    };
    let first_payment = start(scene, &first).await;
    assert_eq!(status(scene, second.key).await, None);
    let second_payment = start(scene, &second).await;
    assert_ne!(first_payment.reference, second_payment.reference);
    assert_captured(scene, &first).await;
    assert_captured(scene, &second).await;
}

/// Asking creates nothing.
pub async fn the_unknown_is_not_found(scene: &dyn Scene) {
    let key = new_key();
    assert_eq!(status(scene, key).await, None);
    assert_eq!(status(scene, key).await, None);
}
