//! How tokens are kept fresh.

use std::time::{Duration, SystemTime};

use livedrop::{Client, Code, RetryPolicy, prost_types, v1};

use crate::scripted::{Scripted, refusal, unavailable, wish};

const LONG: Duration = Duration::from_secs(900);

fn unauthenticated() -> tonic::Status {
    refusal(Code::Unauthenticated, "UNAUTHENTICATED", None)
}

async fn signed_in(script: &Scripted) -> Client {
    let client = script.start().await.client(RetryPolicy::default());
    let request = v1::SignInRequest::default();
    client.sign_in(request).await.unwrap();
    client
}

/// Tokens that an app kept and that end after `left` seconds.
fn kept(left: i64) -> v1::Tokens {
    let now = prost_types::Timestamp::from(SystemTime::now());
    v1::Tokens {
        access_token: "kept".into(),
        refresh_token: "kept-refresh".into(),
        access_token_expires_at: Some(prost_types::Timestamp {
            seconds: now.seconds + left,
            ..now
        }),
        refresh_token_expires_at: None,
    }
}

#[tokio::test]
async fn a_refused_token_is_exchanged_once() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = signed_in(&script).await;
    client.place_order(wish()).await.unwrap();
    client.set_tokens(Some(kept(900)));
    client.place_order(wish()).await.unwrap();

    let placed = script.placed();
    let tokens: Vec<_> = placed
        .iter()
        .map(|it| it.authorization.as_deref().unwrap())
        .collect();
    assert_eq!(
        tokens,
        ["Bearer access-1", "Bearer kept", "Bearer access-2"]
    );
    assert_eq!(placed[1].request_id, placed[2].request_id);
    assert_eq!(
        placed[2].retry_count, 0,
        "a refused token means nothing was done"
    );
    assert_eq!(script.refreshed(), ["kept-refresh"]);
    assert_eq!(client.tokens().unwrap().access_token, "access-2");
}

#[tokio::test]
async fn a_call_that_stays_refused_ends_after_one_exchange() {
    let script = Scripted::default();
    let client = signed_in(&script).await;
    script.refuse_orders([unauthenticated(), unauthenticated(), unauthenticated()]);
    let error = client.place_order(wish()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!((script.placed().len(), script.refreshed().len()), (2, 1));
}

#[tokio::test]
async fn many_calls_share_one_exchange() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = signed_in(&script).await;
    client.set_tokens(Some(kept(900)));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.place_order(wish()).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(script.refreshed(), ["kept-refresh"]);
}

#[tokio::test]
async fn an_ended_token_is_exchanged_before_the_call() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = script.start().await.client(RetryPolicy::default());
    let client = client.with_tokens(kept(-10));
    client.place_order(wish()).await.unwrap();
    assert_eq!(script.placed().len(), 1);
    assert_eq!(script.refreshed(), ["kept-refresh"]);
}

#[tokio::test]
async fn a_due_token_is_exchanged_beside_the_call() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = signed_in(&script).await;
    let mut changes = client.token_changes();
    forward(LONG.mul_f64(0.7)).await;
    client.place_order(wish()).await.unwrap();
    assert!(script.refreshed().is_empty(), "not due yet");

    forward(LONG.mul_f64(0.2)).await;
    client.place_order(wish()).await.unwrap();
    let told = changes.next().await.unwrap().unwrap();
    assert_eq!(told.access_token, "access-2");
    assert_eq!(script.refreshed(), ["refresh-1"]);
}

/// Moves the runtime's clock.
async fn forward(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn an_ended_session_is_told_and_forgotten() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = signed_in(&script).await;
    client.set_tokens(Some(kept(900)));
    let mut changes = client.token_changes();
    script.refuse_refreshes([unauthenticated()]);
    let error = client.place_order(wish()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!(changes.next().await, Some(None));
    assert!(client.tokens().is_none());
    assert_eq!(
        client.refresh_token().await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn a_lost_exchange_keeps_the_session() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = signed_in(&script).await;
    client.set_tokens(Some(kept(900)));
    script.refuse_refreshes([unavailable(), unavailable(), unavailable()]);
    let error = client.place_order(wish()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.is_retryable() && error.request_id().is_some());
    assert!(client.tokens().is_some());
    client.place_order(wish()).await.unwrap();
}

#[tokio::test]
async fn many_calls_share_a_failed_exchange() {
    let script = Scripted::default();
    script.demand_tokens(LONG);
    let client = signed_in(&script).await;
    client.set_tokens(Some(kept(900)));
    let slow = refusal(
        Code::Unavailable,
        "UNAVAILABLE",
        Some(Duration::from_millis(100)),
    );
    script.refuse_refreshes([slow.clone(), slow.clone(), slow]);
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.place_order(wish()).await })
        })
        .collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
    }
    assert_eq!(script.refreshed().len(), 3, "the attempts of one exchange");
}

#[tokio::test]
async fn sessions_share_a_connection_but_no_tokens() {
    let script = Scripted::default();
    let client = signed_in(&script).await;
    let other = client.new_session();
    other.place_order(wish()).await.unwrap();
    assert_eq!(script.placed()[0].authorization, None);
    other
        .with_tokens(kept(900))
        .place_order(wish())
        .await
        .unwrap();
    assert_eq!(
        script.placed()[1].authorization.as_deref(),
        Some("Bearer kept")
    );
    let clone = client.clone();
    client.sign_out().await.unwrap();
    assert!(clone.tokens().is_none());
    assert!(!format!("{client:?}").contains("access-1"));
}
