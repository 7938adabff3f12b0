//! Request ids.

use super::samples::id;
use crate::{
    domain::{AccountId, RequestId},
    store::{
        Put, SharedStore,
        requests::{RequestKey, RequestRow},
    },
};

fn row() -> RequestRow {
    RequestRow {
        fingerprint: [200; 32],
        entity_id: id(),
    }
}

/// Whoever comes later learns what the first one claimed, of many at once too.
pub async fn a_request_is_claimed_once(store: &SharedStore) {
    let key = RequestKey {
        caller_id: Some(AccountId::new(id())),
        method: "ScheduleDrop",
        request_id: RequestId::new(id()),
    };
    let first = row();
    assert_eq!(store.claim_request(&key, &first).await.unwrap(), Put::Done);
    for late in [&first, &row()] {
        assert_eq!(
            store.claim_request(&key, late).await.unwrap(),
            Put::Exists(first.clone())
        );
    }

    let key = RequestKey {
        request_id: RequestId::new(id()),
        ..key
    };
    let racers = (0..16).map(|_| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move { store.claim_request(&key, &row()).await.unwrap() == Put::Done })
    });
    let won = futures::future::join_all(racers)
        .await
        .into_iter()
        .filter(|won| *won.as_ref().unwrap())
        .count();
    assert_eq!(won, 1);
}

/// The same id of another caller, of nobody, or of another method is another request.
pub async fn caller_method_and_id_make_the_key(store: &SharedStore) {
    let caller_id = Some(AccountId::new(id()));
    let key = RequestKey {
        caller_id,
        method: "ScheduleDrop",
        request_id: RequestId::new(id()),
    };
    let others = [
        RequestKey {
            caller_id: Some(AccountId::new(id())),
            ..key.clone()
        },
        RequestKey {
            caller_id: None,
            ..key.clone()
        },
        RequestKey {
            method: "CancelDrop",
            ..key.clone()
        },
        RequestKey {
            method: "ScheduleDrops",
            ..key.clone()
        },
        RequestKey {
            request_id: RequestId::new(id()),
            ..key.clone()
        },
    ];
    for key in std::iter::once(&key).chain(&others) {
        assert_eq!(
            store.claim_request(key, &row()).await.unwrap(),
            Put::Done,
            "{key:?}"
        );
    }
}
