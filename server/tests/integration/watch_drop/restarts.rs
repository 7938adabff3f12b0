//! Servers that stop, die or are several.

use std::time::Duration;

use livedrop::{
    Client, RetryPolicy,
    v1::{self, DropChangeKind as Kind, DropState, GoodbyeReason, watch_drop_response::Frame},
};
use tokio::time::timeout;

use super::{
    LIFE, PATIENCE, agree, kinds, live_a_life, next, restock, snapshot, until, watch, watched,
};
use crate::harness::{
    Server, eventually, get_drop, home::Home, open_drop, place, process::Process, profile_request,
    stock,
};

#[tokio::test]
async fn a_killed_server_is_watched_on() {
    let home = Home::new().await;
    let process = Process::dev(&home).await;
    let (creator, sign_up) = process.signed_up().await;
    creator.become_creator(profile_request()).await.unwrap();
    let (ann, anns) = process.signed_up().await;
    let drop = open_drop(&creator, &[(0, 2)]).await;
    let mut frames = watch(&ann, &drop, "").await.unwrap();
    let (token, _) = snapshot(&mut frames).await;
    place(&ann, &drop, &[(0, 2)]).await.unwrap();
    let (changes, _) = until(&mut frames, Kind::SoldOut).await;
    restock(&creator, &drop, 3).await;
    process.end("KILL").await;
    // What was on its way may have arrived; then it breaks, and not with a good end.
    let broken = loop {
        match timeout(PATIENCE, frames.message()).await.unwrap() {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(broken.is_err(), "{broken:?}");

    let process = Process::dev(&home).await;
    let (creator, ann) = (
        process.sign_in(&sign_up).await,
        process.sign_in(&anns).await,
    );
    let ended = eventually(|| async {
        let drop_id = drop.drop_id.clone();
        creator.end_drop(v1::EndDropRequest { drop_id }).await.ok()
    });
    ended.await;
    let over = get_drop(&ann, &drop).await;
    for (token, expected) in [(&token, &LIFE[..]), (&changes[0].0, &LIFE[1..])] {
        let mut frames = watch(&ann, &drop, token).await.unwrap();
        snapshot(&mut frames).await;
        let (changes, stock_told) = until(&mut frames, Kind::Ended).await;
        assert_eq!(kinds(&changes), expected);
        agree(&stock_told, &over);
    }
    process.end("TERM").await;
}

#[tokio::test]
async fn what_another_process_sells_is_seen() {
    let home = Home::new().await;
    if home.shared().await.is_none() {
        // A file has one process.
        return;
    }
    // The file of the test provider has one process too.
    let start = || Server::at_with(&home, |config| config.payments.provider = None);
    let (one, other) = (start().await, start().await);
    let (creator, ann) = (one.creator().await, one.person().await);
    let drop = open_drop(&creator, &[(0, 2)]).await;
    let mut frames = watch(&other.stranger(), &drop, "").await.unwrap();
    let (token, _) = snapshot(&mut frames).await;
    let over = live_a_life(&creator, &ann, &drop).await;
    let (changes, stock_told) = until(&mut frames, Kind::Ended).await;
    assert_eq!(kinds(&changes), LIFE);
    agree(&stock_told, &over);
    // A token of one is good at the other.
    let mut moved = watch(&one.stranger(), &drop, &token).await.unwrap();
    snapshot(&mut moved).await;
    assert_eq!(until(&mut moved, Kind::Ended).await.0, changes);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_stopping_server_says_goodbye_and_is_watched_on() {
    let home = Home::new().await;
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let start = || Server::at_with(&home, |config| config.server.listen = address);
    let server = start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 2)]).await;
    let mut raw = watch(&server.stranger(), &drop, "").await.unwrap();
    snapshot(&mut raw).await;
    let patient = Client::builder(server.endpoint()).retry(
        RetryPolicy::default()
            .attempts(100)
            .without_budget()
            .delays(Duration::from_millis(50), Duration::from_millis(100)),
    );
    let mut watch = patient.build().unwrap().watch_drop(&drop.drop_id);
    let first = watch.next().await.unwrap();
    assert_eq!((first.drop, first.change), (watched(&drop), None));
    let watching = tokio::spawn(async move {
        let mut kinds = Vec::new();
        loop {
            let news = watch.next().await.unwrap();
            kinds.extend(news.change.map(|change| change.kind()));
            if news.drop.state() == DropState::Ended && stock(&news.drop, 0) == (3, 0, 2) {
                return (kinds, news.drop);
            }
        }
    });
    let stopping = tokio::spawn(async move {
        let (_, told) = next(&mut raw).await;
        assert!(matches!(told, Frame::Goodbye(it) if it.reason() == GoodbyeReason::Shutdown));
        assert!(raw.message().await.unwrap().is_none());
    });
    server.stop().await;
    stopping.await.unwrap();
    let server = start().await;
    let again = |client: &Client| server.stranger().with_tokens(client.tokens().unwrap());
    let over = live_a_life(&again(&creator), &again(&ann), &drop).await;
    let (kinds, seen) = timeout(PATIENCE, watching).await.unwrap().unwrap();
    assert_eq!(kinds, LIFE);
    assert_eq!(seen, watched(&over));
    server.stop().await;
}
