//! Payment attempts and settled webhook messages.

use std::time::Duration;

use super::samples::{NOW, attempt, id};
use crate::{
    domain::{OrderId, Timestamp},
    store::{Put, SharedStore, payments::AttemptRow},
};

/// The first names of an attempt stay; of each order and attempt for itself.
pub async fn attempts_are_put_if_absent(store: &SharedStore) {
    let [order_id, other] = [(); 2].map(|()| OrderId::new(id()));
    assert_eq!(store.get_attempt(order_id, 1).await.unwrap(), None);
    let rows =
        [(order_id, 1), (order_id, 2), (order_id, 256), (other, 1)].map(|key| (key, attempt()));
    for ((order_id, number), row) in &rows {
        assert_eq!(
            store.put_attempt(*order_id, *number, row).await.unwrap(),
            Put::Done
        );
    }
    for ((order_id, number), row) in &rows {
        for late in [row, &attempt()] {
            assert_eq!(
                store.put_attempt(*order_id, *number, late).await.unwrap(),
                Put::Exists(row.clone())
            );
        }
        let found = store.get_attempt(*order_id, *number).await.unwrap();
        assert_eq!(found.as_ref(), Some(row));
    }
    assert_eq!(store.get_attempt(order_id, 3).await.unwrap(), None);
    assert_eq!(store.get_attempt(other, 2).await.unwrap(), None);
}

/// Of many who put the names of one attempt, one does; all others learn those.
pub async fn racing_attempts_have_one_winner(store: &SharedStore) {
    let order_id = OrderId::new(id());
    let racers = (0..16).map(|_| {
        let (store, row) = (store.clone(), attempt());
        tokio::spawn(async move { (store.put_attempt(order_id, 1, &row).await.unwrap(), row) })
    });
    let (mut winners, mut seen): (Vec<AttemptRow>, Vec<AttemptRow>) = (Vec::new(), Vec::new());
    for outcome in futures::future::join_all(racers).await {
        match outcome.unwrap() {
            (Put::Done, row) => winners.push(row),
            (Put::Exists(existing), _) => seen.push(existing),
        }
    }
    assert_eq!(winners.len(), 1);
    assert!(seen.iter().all(|existing| *existing == winners[0]));
}

/// The first time stays; the provider and its id of the message together are the key.
pub async fn events_are_settled_once(store: &SharedStore) {
    let name = id().simple().to_string();
    let keys = [
        ("stripe", "evt_1"),
        ("stripee", "vt_1"),
        ("stripe", "evt_"),
        ("testpsp", "evt_1"),
    ]
    .map(|(provider, event)| (format!("{name}{provider}"), event));
    let at = |number: usize| -> Timestamp { NOW + Duration::from_micros(number as u64) };
    for (number, (provider, event)) in keys.iter().enumerate() {
        assert_eq!(
            store.get_payment_event(provider, event).await.unwrap(),
            None
        );
        let put = store.put_payment_event(provider, event, at(number)).await;
        assert_eq!(put.unwrap(), Put::Done);
    }
    for (number, (provider, event)) in keys.iter().enumerate() {
        for late in [NOW - Duration::from_secs(1), NOW + Duration::from_secs(1)] {
            let put = store.put_payment_event(provider, event, late).await;
            assert_eq!(put.unwrap(), Put::Exists(at(number)));
        }
        assert_eq!(
            store.get_payment_event(provider, event).await.unwrap(),
            Some(at(number))
        );
    }
}
