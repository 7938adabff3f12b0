//! Unique names: claimed once, taken over by compare-and-set.

use super::samples::{claim, id};
use crate::store::{Cas, Put, SharedStore, accounts::Claim};

/// Claim, repeat, take over; both names work alike.
macro_rules! check {
    ($store:ident, $name:ident, $claim:ident, $get:ident, $take_over:ident) => {
        let first = claim();
        let second = Claim {
            version: 2,
            ..claim()
        };
        assert_eq!($store.$get(&$name).await.unwrap(), None);
        assert_eq!(
            $store.$take_over(&$name, &second).await.unwrap(),
            Cas::Stale(None)
        );
        assert_eq!($store.$claim(&$name, &first).await.unwrap(), Put::Done);
        for late in [&first, &claim()] {
            assert_eq!(
                $store.$claim(&$name, late).await.unwrap(),
                Put::Exists(first.clone())
            );
        }
        assert_eq!($store.$get(&$name).await.unwrap(), Some(first.clone()));
        assert_eq!($store.$take_over(&$name, &second).await.unwrap(), Cas::Done);
        // Ours already, as after an answer that was lost.
        assert_eq!($store.$take_over(&$name, &second).await.unwrap(), Cas::Done);
        let late = Claim {
            version: 2,
            ..claim()
        };
        assert_eq!(
            $store.$take_over(&$name, &late).await.unwrap(),
            Cas::Stale(Some(second.clone()))
        );
        assert_eq!($store.$get(&$name).await.unwrap(), Some(second));
        // A name that begins with another is another.
        assert_eq!($store.$get(&format!("{}x", $name)).await.unwrap(), None);
    };
}

/// E-mail addresses are claimed once and taken over by version.
pub async fn emails_are_claimed_and_taken_over(store: &SharedStore) {
    let email = format!("jörg+{}@example.com", id());
    check!(store, email, claim_email, get_email_claim, take_over_email);
}

/// Only the claim that was read is released; from then on the address is free.
pub async fn emails_are_released_by_their_claim_only(store: &SharedStore) {
    let email = format!("{}@example.com", id());
    let (first, other) = (claim(), claim());
    let put = async |it: &Claim| store.claim_email(&email, it).await.unwrap();
    assert_eq!(put(&first).await, Put::Done);
    store.release_email(&email, &other).await.unwrap();
    let found = store.get_email_claim(&email).await.unwrap();
    assert_eq!(found.as_ref(), Some(&first));
    for _ in 0..2 {
        store.release_email(&email, &first).await.unwrap();
        assert_eq!(store.get_email_claim(&email).await.unwrap(), None);
    }
    assert_eq!(put(&other).await, Put::Done);
}

/// Handles are claimed once and taken over by version.
pub async fn handles_are_claimed_and_taken_over(store: &SharedStore) {
    let handle = format!("handle_{}", id().simple());
    check!(
        store,
        handle,
        claim_handle,
        get_handle_claim,
        take_over_handle
    );
}

/// A handle may read like an address.
pub async fn emails_and_handles_are_apart(store: &SharedStore) {
    let name = id().to_string();
    assert_eq!(store.claim_email(&name, &claim()).await.unwrap(), Put::Done);
    assert_eq!(store.get_handle_claim(&name).await.unwrap(), None);
    assert_eq!(
        store.claim_handle(&name, &claim()).await.unwrap(),
        Put::Done
    );
}

/// Of many claims of one name exactly one is made, and of many take-overs.
pub async fn racing_claims_have_one_winner(store: &SharedStore) {
    let handle = id().to_string();
    let claims = (0..16).map(|_| {
        let (store, handle, claim) = (store.clone(), handle.clone(), claim());
        tokio::spawn(async move { store.claim_handle(&handle, &claim).await.unwrap() == Put::Done })
    });
    let won = futures::future::join_all(claims)
        .await
        .into_iter()
        .filter(|won| *won.as_ref().unwrap())
        .count();
    assert_eq!(won, 1);
    let take_overs = (0..16).map(|_| {
        let (store, handle, claim) = (
            store.clone(),
            handle.clone(),
            Claim {
                version: 2,
                ..claim()
            },
        );
        tokio::spawn(
            async move { store.take_over_handle(&handle, &claim).await.unwrap() == Cas::Done },
        )
    });
    let won = futures::future::join_all(take_overs)
        .await
        .into_iter()
        .filter(|won| *won.as_ref().unwrap())
        .count();
    assert_eq!(won, 1);
}
