//! Following an order.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use livedrop::{
    Client, Code, RetryPolicy,
    tonic::{Request, Status, Streaming},
    v1::{self, GoodbyeReason, OrderState, watch_order_response::Frame},
};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic_types::StatusExt as _;

use crate::harness::{
    Server, cancel_order, eventually, get_order, home::Home, open_drop, order_request, place,
    reason,
};

type Frames = Streaming<v1::WatchOrderResponse>;

/// An address that nobody takes while its server is away: below the ports that the system gives to connections.
fn lasting_address() -> SocketAddr {
    let mut ports = (20_000..32_000).map(|_| rand::random_range(20_000..32_000_u16));
    let address = ports.find_map(|port| {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).ok()?;
        listener.local_addr().ok()
    });
    address.expect("a free port")
}

/// Opens a stream by hand.
async fn watch(client: &Client, order: &v1::Order, resume_token: &str) -> Result<Frames, Status> {
    let mut request = Request::new(v1::WatchOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        resume_token: resume_token.to_owned(),
    });
    client.authorize(&mut request).await;
    let answer = client.raw_orders().watch_order(request).await?;
    Ok(answer.into_inner())
}

/// The next frame that is no heartbeat, and its resume token.
async fn next(frames: &mut Frames) -> (String, Frame) {
    loop {
        let frame = frames.message().await.unwrap().expect("the stream goes on");
        assert!(frame.server_time.is_some() && !frame.resume_token.is_empty());
        let told = frame.frame.unwrap();
        if !matches!(told, Frame::Heartbeat(_)) {
            return (frame.resume_token, told);
        }
    }
}

async fn snapshot(frames: &mut Frames) -> (String, v1::OrderSnapshot) {
    match next(frames).await {
        (token, Frame::Snapshot(snapshot)) => (token, snapshot),
        (_, other) => panic!("{other:?}"),
    }
}

async fn change(frames: &mut Frames) -> (String, v1::OrderChange) {
    match next(frames).await {
        (token, Frame::Change(change)) => (token, change),
        (_, other) => panic!("{other:?}"),
    }
}

/// The stream's last word; it must be the last.
async fn goodbye(frames: &mut Frames) -> v1::Goodbye {
    match next(frames).await {
        (_, Frame::Goodbye(goodbye)) => {
            assert!(frames.message().await.unwrap().is_none());
            goodbye
        }
        (_, other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_watcher_sees_the_order_and_then_every_change() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let (mut buyers, mut creators) = (
        watch(&ann, &order, "").await.unwrap(),
        watch(&creator, &order, "").await.unwrap(),
    );
    for frames in [&mut buyers, &mut creators] {
        let (_, snapshot) = snapshot(frames).await;
        assert_eq!(snapshot.order.as_ref(), Some(&order));
        assert_eq!(snapshot.heartbeat_interval.unwrap().seconds, 15);
    }
    let cancelled = cancel_order(&ann, &order).await.unwrap();
    let mut ids = Vec::new();
    for frames in [&mut buyers, &mut creators] {
        let (_, change) = change(frames).await;
        assert_eq!(change.order.as_ref(), Some(&cancelled));
        ids.push(change.event_id);
    }
    assert_eq!(ids[0], ids[1]);

    let error = watch(&bob, &order, "").await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let info = error.get_details_error_info().unwrap();
    assert_eq!(info.reason, "ORDER_NOT_FOUND");
    let stranger = watch(&server.stranger(), &order, "").await.unwrap_err();
    assert_eq!(stranger.code(), Code::Unauthenticated);
    server.stop().await;
}

#[tokio::test]
async fn a_resumed_stream_goes_on_without_loss() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let (token, _) = snapshot(&mut watch(&ann, &order, "").await.unwrap()).await;

    let pay = v1::PayOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        payment_method: "pm_test_declined".into(),
        ..Default::default()
    };
    let declined = ann.pay_order(pay).await.unwrap().order.unwrap();
    let cancelled = cancel_order(&ann, &order).await.unwrap();

    let mut events = Vec::new();
    // Twice, for a token may be used again: repeats carry the same ids.
    for _ in 0..2 {
        let mut frames = watch(&ann, &order, &token).await.unwrap();
        let (same, begun) = snapshot(&mut frames).await;
        assert!(same == token && begun.order.is_none());
        let mut versions = Vec::new();
        for _ in 0..3 {
            let (token, change) = change(&mut frames).await;
            versions.push((token, change.event_id, change.order.unwrap()));
        }
        assert_eq!(versions[0].2.state(), OrderState::PaymentPending);
        assert_eq!((&versions[1].2, &versions[2].2), (&declined, &cancelled));
        // And from its middle.
        let mut rest = watch(&ann, &order, &versions[1].0).await.unwrap();
        snapshot(&mut rest).await;
        let (_, last) = change(&mut rest).await;
        assert_eq!(last.event_id, versions[2].1);
        events.push(versions.into_iter().map(|it| it.1).collect::<Vec<_>>());
    }
    assert_eq!(events[0], events[1]);
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_token_is_refused() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let other = place(&bob, &drop, &[(0, 1)]).await.unwrap();
    let (anns, _) = snapshot(&mut watch(&ann, &order, "").await.unwrap()).await;
    let long = "A".repeat(300);
    for (client, order, token) in [
        (&bob, &other, anns.as_str()),
        (&creator, &order, &anns),
        (&creator, &other, &anns),
        (&ann, &order, "nonsense"),
        (&ann, &order, &long),
    ] {
        let error = watch(client, order, token).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let details = error.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, "resume_token");
    }
    let bad = v1::Order {
        drop_id: "x".into(),
        ..Default::default()
    };
    let error = watch(&ann, &bad, "").await.unwrap_err();
    let details = error.get_details_bad_request().unwrap();
    let fields = details.field_violations.iter().map(|it| it.field.as_str());
    assert_eq!(fields.collect::<Vec<_>>(), ["drop_id", "order_id"]);
    server.stop().await;
}

#[tokio::test]
async fn silence_is_broken_by_heartbeats() {
    let server =
        Server::start_with(|config| config.limits.watch_heartbeat = Duration::from_millis(50))
            .await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let mut frames = watch(&ann, &order, "").await.unwrap();
    let (token, _) = snapshot(&mut frames).await;
    for _ in 0..3 {
        let frame = frames.message().await.unwrap().unwrap();
        assert!(matches!(frame.frame, Some(Frame::Heartbeat(_))));
        assert_eq!(frame.resume_token, token);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stopping_server_says_goodbye() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let mut streams = join_all((0..20).map(|_| watch(&ann, &order, ""))).await;
    for frames in &mut streams {
        snapshot(frames.as_mut().unwrap()).await;
    }
    let begun_at = Instant::now();
    let reading = tokio::spawn(async move {
        for frames in &mut streams {
            let goodbye = goodbye(frames.as_mut().unwrap()).await;
            assert_eq!(goodbye.reason(), GoodbyeReason::Shutdown);
            assert!(goodbye.reconnect_after.is_some());
        }
    });
    server.stop().await;
    reading.await.unwrap();
    // The drain has 4 s: streams must not use them up.
    assert!(begun_at.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn streams_and_connections_have_an_age() {
    let brief = Duration::from_millis(200);
    let of_stream = Server::start_with(|config| config.limits.watch_age = brief).await;
    let of_connection = Server::start_with(|config| config.limits.connection_age = brief).await;
    for server in [of_stream, of_connection] {
        // A connection that has just ended fails a call, which tests must try again.
        let patient = |client: &Client| {
            let built = Client::builder(server.endpoint()).retry(RetryPolicy::default());
            built.build().unwrap().with_tokens(client.tokens().unwrap())
        };
        let (creator, ann) = (
            patient(&server.creator().await),
            patient(&server.person().await),
        );
        let drop = open_drop(&creator, &[(100, 5)]).await;
        let order = ann.place_order(order_request(&drop, &[(0, 1)])).await;
        let order = order.unwrap().order.unwrap();
        let mut frames = watch(&ann, &order, "").await.unwrap();
        snapshot(&mut frames).await;
        let goodbye = goodbye(&mut frames).await;
        assert_eq!(goodbye.reason(), GoodbyeReason::MaxAge);

        // The SDK goes on, however often.
        let mut watch = ann
            .watch_order(&drop.drop_id, &order.order_id)
            .until_final();
        assert_eq!(watch.next().await.unwrap(), Some(order.clone()));
        let cancelling = async {
            tokio::time::sleep(brief * 4).await;
            cancel_order(&ann, &order).await.unwrap()
        };
        let (cancelled, seen) = tokio::join!(cancelling, watch.next());
        assert_eq!(seen.unwrap(), Some(cancelled));
        assert_eq!(watch.next().await.unwrap(), None);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_browsers_stream_is_whole_and_ends_sooner() {
    let server =
        Server::start_with(|config| config.limits.watch_age_web = Duration::from_millis(200)).await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let message = v1::WatchOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        resume_token: String::new(),
    };
    let message = message.encode_to_vec();
    let token = ann.tokens().unwrap().access_token;
    let length = u32::try_from(message.len()).unwrap();
    let head = format!(
        "POST /livedrop.v1.OrderService/WatchOrder HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/grpc-web+proto\r\nauthorization: Bearer {token}\r\n\
         content-length: {}\r\n\r\n\0",
        message.len() + 5
    );
    let request = [head.as_bytes(), &length.to_be_bytes(), &message].concat();
    let address = server.endpoint().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(10), reading).await;
    read.expect("it ends by itself").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.contains(&order.order_id) && answer.contains("grpc-status:0"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn streams_are_capped_and_places_come_back() {
    let server = Server::start_with(|config| config.limits.watches_per_caller = 2).await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let first = watch(&ann, &order, "").await.unwrap();
    let _second = watch(&ann, &order, "").await.unwrap();
    let error = watch(&ann, &order, "").await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    let info = error.get_details_error_info().unwrap();
    assert_eq!(info.reason, "RATE_LIMITED");
    assert!(error.get_details_retry_info().is_some());
    assert!(watch(&creator, &order, "").await.is_ok());
    std::mem::drop(first);
    eventually(|| async { watch(&ann, &order, "").await.ok() }).await;
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_watched_on() {
    let home = Home::new().await;
    let address = lasting_address();
    let start = || Server::at_with(&home, |config| config.server.listen = address);
    let server = start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let patient = Client::builder(server.endpoint()).retry(
        RetryPolicy::default()
            .attempts(100)
            .without_budget()
            .delays(Duration::from_millis(50), Duration::from_millis(100)),
    );
    let patient = patient.build().unwrap();
    let patient = patient.with_tokens(ann.tokens().unwrap());
    let mut watch = patient
        .watch_order(&drop.drop_id, &order.order_id)
        .until_final();
    assert_eq!(watch.next().await.unwrap(), Some(order.clone()));
    let watching = tokio::spawn(async move { watch.next().await });
    server.stop().await;
    let server = start().await;
    let again = || async { get_order(&patient, &order).await.ok() };
    eventually(again).await;
    let cancelled = cancel_order(&patient, &order).await.unwrap();
    assert_eq!(watching.await.unwrap().unwrap(), Some(cancelled));
    assert_eq!(
        reason(cancel_order(&creator, &order).await),
        "ORDER_NOT_FOUND"
    );
    server.stop().await;
}
