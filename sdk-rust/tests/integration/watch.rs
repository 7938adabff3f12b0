//! Orders that are followed.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use livedrop::{
    Client, Code, Error, OrderWatch, RetryPolicy,
    tonic::Status,
    v1::{self, GoodbyeReason, OrderState, watch_order_response::Frame},
};

use crate::scripted::{End, Scripted, refusal, unavailable};

type Told = Result<v1::WatchOrderResponse, Status>;

fn order(state: OrderState, seq: i64) -> v1::Order {
    v1::Order {
        state: state.into(),
        seq,
        ..Default::default()
    }
}

fn frame(token: &str, frame: Frame) -> Told {
    Ok(v1::WatchOrderResponse {
        resume_token: token.into(),
        server_time: None,
        frame: Some(frame),
    })
}

fn snapshot(token: &str, order: Option<v1::Order>) -> Told {
    let heartbeat_interval = Some(Duration::from_millis(200).try_into().unwrap());
    let snapshot = v1::OrderSnapshot {
        order,
        heartbeat_interval,
    };
    frame(token, Frame::Snapshot(snapshot))
}

fn change(token: &str, order: v1::Order) -> Told {
    let event_id = format!("event {}", order.seq);
    let order = Some(order);
    frame(token, Frame::Change(v1::OrderChange { event_id, order }))
}

fn goodbye(token: &str, reason: GoodbyeReason) -> Told {
    let reconnect_after = Some(Duration::from_millis(30).try_into().unwrap());
    let goodbye = v1::Goodbye {
        reason: reason.into(),
        reconnect_after,
    };
    frame(token, Frame::Goodbye(goodbye))
}

async fn client(script: &Scripted) -> Client {
    script.start().await.client(RetryPolicy::default())
}

/// The `seq` of each version until the end.
async fn all(watch: &mut OrderWatch) -> Result<Vec<i64>, Error> {
    let mut seen = Vec::new();
    while let Some(order) = watch.next().await? {
        seen.push(order.seq);
    }
    Ok(seen)
}

use OrderState::{ActionRequired, Held, Paid, PaymentPending};

#[tokio::test]
async fn a_watch_goes_on_over_streams_and_drops_repeats() {
    let script = Scripted::default();
    let client = client(&script).await;
    let cut = Err(unavailable());
    script.tell([
        (
            vec![
                snapshot("1", Some(order(Held, 1))),
                change("2", order(PaymentPending, 2)),
                frame("2", Frame::Heartbeat(v1::Heartbeat {})),
                goodbye("2", GoodbyeReason::MaxAge),
            ],
            End::Closed,
        ),
        // Ends in silence.
        (
            vec![
                snapshot("2", None),
                change("2", order(PaymentPending, 2)),
                change("3", order(ActionRequired, 3)),
            ],
            End::Silent,
        ),
        // Breaks.
        (vec![snapshot("3", None), cut], End::Closed),
        // Ends without a goodbye.
        (vec![snapshot("3", None)], End::Closed),
        (
            vec![snapshot("3", None), change("4", order(Paid, 4))],
            End::Silent,
        ),
    ]);
    let mut watch = client.watch_order("d1", "o1").until_final();
    assert_eq!(all(&mut watch).await.unwrap(), [1, 2, 3, 4]);
    assert_eq!(watch.resume_token(), "4");
    let tokens: Vec<_> = script
        .watched()
        .into_iter()
        .map(|(token, _)| token)
        .collect();
    assert_eq!(tokens, ["", "2", "3", "3", "3"]);
}

#[tokio::test]
async fn a_goodbye_for_the_token_brings_a_new_one() {
    let script = Scripted::default();
    script.demand_tokens(Duration::from_secs(900));
    let client = client(&script).await;
    client.sign_in(v1::SignInRequest::default()).await.unwrap();
    script.tell([
        (
            vec![
                snapshot("1", Some(order(Held, 1))),
                goodbye("1", GoodbyeReason::Reauthenticate),
            ],
            End::Closed,
        ),
        (
            vec![snapshot("1", None), change("2", order(Paid, 2))],
            End::Silent,
        ),
    ]);
    let mut watch = client.watch_order("d1", "o1").until_final();
    assert_eq!(all(&mut watch).await.unwrap(), [1, 2]);
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    let expected = [
        (String::new(), bearer("access-1")),
        ("1".to_owned(), bearer("access-2")),
    ];
    assert_eq!(script.watched(), expected);
    assert_eq!(script.refreshed(), ["refresh-1"]);
}

#[tokio::test]
async fn a_token_that_nobody_knows_any_more_starts_anew() {
    let script = Scripted::default();
    let client = client(&script).await;
    let expired = refusal(Code::OutOfRange, "RESUME_TOKEN_EXPIRED", None);
    script.tell([
        (vec![Err(expired)], End::Closed),
        (vec![snapshot("7", Some(order(Paid, 7)))], End::Silent),
    ]);
    let watch = client.watch_order("d1", "o1").resuming("kept");
    assert_eq!(all(&mut watch.until_final()).await.unwrap(), [7]);
    let tokens: Vec<_> = script
        .watched()
        .into_iter()
        .map(|(token, _)| token)
        .collect();
    assert_eq!(tokens, ["kept", ""]);
}

#[tokio::test]
async fn a_watch_gives_up_and_can_go_on() {
    let script = Scripted::default();
    let client = client(&script).await;
    let broken = || (vec![Err(unavailable())], End::Closed);
    let good = (vec![snapshot("1", Some(order(Held, 1)))], End::Silent);
    script.tell([broken(), broken(), broken(), good]);
    let mut watch = client.watch_order("d1", "o1");
    assert_eq!(watch.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(script.watched().len(), 3);
    assert_eq!(watch.next().await.unwrap().unwrap().seq, 1);

    // A definite refusal is told at once.
    let error = client.watch_order("d1", "o1").next().await.unwrap_err();
    assert_eq!(error.reason(), Some(v1::ErrorReason::OrderNotFound));
    assert_eq!(script.watched().len(), 5);
}

#[tokio::test]
async fn a_watch_is_a_stream_too() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.tell([
        (
            vec![
                snapshot("1", Some(order(Held, 1))),
                goodbye("1", GoodbyeReason::Shutdown),
            ],
            End::Closed,
        ),
        (
            vec![snapshot("1", None), change("2", order(Paid, 2))],
            End::Silent,
        ),
    ]);
    let stream = client.watch_order("d1", "o1").until_final().into_stream();
    let seqs = stream.map_ok(|order| order.seq);
    assert_eq!(seqs.try_collect::<Vec<_>>().await.unwrap(), [1, 2]);

    // A refusal ends it.
    let stream = client.watch_order("d1", "o1").into_stream();
    let told: Vec<_> = stream.collect().await;
    assert_eq!(told.len(), 1);
    assert!(told[0].is_err());
}

#[tokio::test]
async fn paying_is_repeated_like_placing() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.refuse_orders([unavailable(), unavailable()]);
    client
        .pay_order(v1::PayOrderRequest::default())
        .await
        .unwrap();
    let (ids, counts): (Vec<_>, Vec<_>) = script.paid().into_iter().unzip();
    assert_eq!(counts, [0, 1, 2]);
    assert!(!ids[0].is_empty() && ids.iter().all(|id| *id == ids[0]));
}
