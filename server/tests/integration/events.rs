//! What follows a change of a row: its events, and the lists that it is in.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests pick the kinds that they are about"
)]

use std::{sync::Arc, time::Duration};

use livedrop::v1;
use livedrop_server::{
    app::Parts,
    domain::{AccountId, DropId, Timestamp},
    events::{Event, Payload, RecordingSink},
    store::{Order, PageRequest, SharedStore},
};

use crate::harness::{Server, after, drop_request, eventually, item, request_id, schedule};

async fn recorded() -> (Server, Arc<RecordingSink>) {
    let sink = Arc::new(RecordingSink::default());
    let parts = Parts {
        sinks: vec![Arc::<RecordingSink>::clone(&sink)],
        ..Parts::default()
    };
    (Server::start_with_parts(|_| (), parts).await, sink)
}

async fn drops_of(store: &SharedStore, drop: &v1::Drop) -> Vec<(Timestamp, DropId)> {
    let creator_id: AccountId = drop.creator_id.parse().unwrap();
    let page = PageRequest {
        after: None,
        limit: 10,
        order: Order::Descending,
    };
    store.list_creator_drops(creator_id, page).await.unwrap()
}

#[tokio::test]
async fn scheduled_drops_are_their_creators() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let first = schedule(&creator, drop_request(vec![item(0, 5)])).await;
    let second = schedule(&creator, drop_request(vec![item(0, 5)])).await;
    let store = server.store();
    let listed = || async {
        let drops = drops_of(&store, &first).await;
        (drops.len() == 2).then_some(drops)
    };
    let ids: Vec<String> = eventually(listed)
        .await
        .into_iter()
        .map(|(_, drop_id)| drop_id.to_string())
        .collect();
    assert_eq!(ids, [second.drop_id, first.drop_id]);
    drop(store);
    server.stop().await;
}

#[tokio::test]
async fn every_change_of_a_row_is_told() {
    let (server, sink) = recorded().await;
    let creator = server.creator().await;
    let request = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(1_800)),
        ..drop_request(vec![item(1_250, 5)])
    };
    let drop = schedule(&creator, request).await;
    let cancel = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    };
    creator.cancel_drop(cancel).await.unwrap();

    let told = || async {
        let events = sink.events();
        let is_told = |id: &String| events.iter().any(|event| event.event_id == *id);
        let expected = [
            format!("account/{}/1", drop.creator_id),
            format!("creator/{}/1", drop.creator_id),
            format!("drop/{}/1", drop.drop_id),
            format!("drop/{}/2", drop.drop_id),
        ];
        let all: Option<Vec<Event>> = expected.iter().all(is_told).then_some(events.clone());
        all
    };
    for event in eventually(told).await {
        match event.payload.unwrap() {
            Payload::DropScheduled(told) => {
                let told = told.drop.unwrap();
                assert_eq!(
                    (told.title, told.opens_at),
                    (drop.title.clone(), drop.opens_at)
                );
                let price = told.items[0].unit_price.clone().unwrap();
                assert_eq!(
                    (price.currency_code.as_str(), price.amount_minor),
                    ("EUR", 1_250)
                );
            }
            Payload::DropCancelled(told) => assert_eq!(told.drop_id, drop.drop_id),
            Payload::CreatorCreated(told) => assert_eq!(told.creator_id, drop.creator_id),
            Payload::AccountCreated(told) => assert_eq!(told.account_id, drop.creator_id),
            other => panic!("{other:?}"),
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn people_sign_up_while_the_sink_is_down() {
    let (server, sink) = recorded().await;
    sink.set_down(true);
    server.creator().await;
    assert_eq!(sink.ids(), [""; 0]);
    sink.set_down(false);
    // By the relay: nothing else happens.
    let told = || async { (sink.ids().len() >= 2).then_some(()) };
    eventually(told).await;
    server.stop().await;
}
