//! grpc-web, as browsers speak it: by hand over HTTP/1.1, and over HTTP/2. The browser itself is in `sdk-ts/e2e`.

mod origins;
mod wire;

use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use livedrop::{
    Client, Code,
    tonic::{Status, body::Body, transport::Channel},
    v1::{self, GoodbyeReason, watch_drop_response::Frame},
};
use livedrop_server::{config::Config, rpc::Rate};
use prost::Message as _;
use tonic_types::StatusExt as _;
use tower::{Service as _, ServiceExt as _};

use self::wire::{Answer, Connection, Part, frame};
use crate::harness::{
    Server, eventually, get_drop, open_drop, order_request, place, sign_up_request, stock,
};

const SHOP: &str = "https://shop.example";
const GET_ME: &str = "AccountService/GetMe";
const GET_DROP: &str = "DropService/GetDrop";
const WATCH_DROP: &str = "DropService/WatchDrop";

async fn shop() -> Server {
    shop_with(|_| ()).await
}

async fn shop_with(change: impl FnOnce(&mut Config)) -> Server {
    let with_origin = |config: &mut Config| {
        config.server.cors_origins = vec![SHOP.to_owned()];
        change(config);
    };
    Server::start_with(with_origin).await
}

fn bearer(client: &Client) -> String {
    format!(
        "authorization: Bearer {}",
        client.tokens().unwrap().access_token
    )
}

/// A call over HTTP/2, which browsers use on TLS.
async fn call_http2(server: &Server, path: &str, body: Vec<u8>) -> Response<Body> {
    let channel = Channel::from_shared(server.endpoint()).unwrap();
    let mut channel = channel.connect().await.unwrap();
    let request = Request::post(format!("/livedrop.v1.{path}"))
        .header("content-type", "application/grpc-web+proto")
        .header("origin", SHOP)
        .body(Body::new(Full::new(bytes::Bytes::from(body))))
        .unwrap();
    channel.ready().await.unwrap().call(request).await.unwrap()
}

/// What a page needs to see an error: the reason it was refused for.
fn readable(answer: &Answer, status: &Status) -> (Code, String) {
    assert_eq!(answer.code, 200);
    assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    let exposed = answer.header("access-control-expose-headers");
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "x-correlation-id",
    ] {
        assert!(exposed.split(',').any(|it| it == name), "{exposed}");
    }
    assert!(answer.header("vary").contains("origin"));
    assert!(!answer.header("x-correlation-id").is_empty());
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no details in {status:?}"));
    (status.code(), info.reason)
}

async fn refused(connection: &mut Connection, mut answer: Answer) -> (Code, String) {
    let outcome = connection.outcome::<v1::GetMeResponse>(&mut answer).await;
    readable(&answer, &outcome.unwrap_err())
}

/// The next frame of a watch.
async fn told(connection: &mut Connection, answer: &mut Answer) -> (String, Frame) {
    match connection.part(answer).await.expect("the stream goes on") {
        Part::Message(bytes) => {
            let frame = v1::WatchDropResponse::decode(&*bytes).unwrap();
            (frame.resume_token, frame.frame.unwrap())
        }
        Part::Trailers(trailers) => panic!("{trailers:?}"),
    }
}

/// A good end: the status, and nothing after it.
async fn ends_well(connection: &mut Connection, answer: &mut Answer) {
    match connection.part(answer).await {
        Some(Part::Trailers(trailers)) => assert_eq!(trailers["grpc-status"], "0"),
        other => panic!("{other:?}"),
    }
    assert_eq!(connection.part(answer).await, None);
}

fn watch_request(drop: &v1::Drop, resume_token: &str) -> v1::WatchDropRequest {
    v1::WatchDropRequest {
        drop_id: drop.drop_id.clone(),
        resume_token: resume_token.to_owned(),
    }
}

#[tokio::test]
async fn a_purchase_over_one_connection() {
    let server = shop().await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let mut page = Connection::open(&server).await;
    let mut answer = page
        .call("AuthService/SignUp", &[], &sign_up_request())
        .await;
    let signed_up: v1::SignUpResponse = page.outcome(&mut answer).await.unwrap();
    let token = signed_up.tokens.unwrap().access_token;
    let authorization = format!("authorization: Bearer {token}");
    let request = v1::PlaceOrderRequest {
        payment_method: "pm_test_ok".into(),
        ..order_request(&drop, &[(0, 2)])
    };
    let headers = [authorization.as_str(), "x-correlation-id: mine-1"];
    let mut answer = page
        .call("OrderService/PlaceOrder", &headers, &request)
        .await;
    assert_eq!(answer.header("x-correlation-id"), "mine-1");
    let placed: v1::PlaceOrderResponse = page.outcome(&mut answer).await.unwrap();
    assert_eq!(
        placed.order.unwrap().buyer_id,
        signed_up.account.unwrap().account_id
    );
    eventually(|| async {
        (stock(&get_drop(&creator, &drop).await, 0) == (3, 0, 2)).then_some(())
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn the_same_over_http2() {
    let server = shop().await;
    let drop = open_drop(&server.creator().await, &[(0, 5)]).await;
    let request = v1::GetDropRequest {
        drop_id: drop.drop_id.clone(),
    };
    let answer = call_http2(&server, GET_DROP, frame(0, &request.encode_to_vec())).await;
    assert_eq!(
        answer.headers()["content-type"],
        "application/grpc-web+proto"
    );
    assert_eq!(answer.headers()["access-control-allow-origin"], SHOP);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    let found = v1::GetDropResponse::decode(&body[5..5 + length]).unwrap();
    assert_eq!(found.drop.unwrap().drop_id, drop.drop_id);
    assert!(String::from_utf8_lossy(&body[5 + length..]).contains("grpc-status:0"));

    let answer = call_http2(&server, GET_ME, frame(0, &[])).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], SHOP);
    let status = Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "UNAUTHENTICATED"
    );
    server.stop().await;
}

#[tokio::test]
async fn refusals_of_every_layer_are_readable() {
    let server = shop_with(|config| {
        config.limits.credentials = Rate {
            burst: 5,
            period: Duration::from_secs(60),
        }
    })
    .await;
    let ann = bearer(&server.person().await);
    let ann = ann.as_str();
    let call = async |path: &str, headers: &[&str], body: &[u8]| {
        let mut page = Connection::open(&server).await;
        let answer = page.send(path, headers, body).await;
        refused(&mut page, answer).await
    };
    let is = |code, reason: &str| (code, reason.to_owned());
    let empty = frame(0, &[]);
    assert_eq!(
        call(GET_ME, &[], &empty).await,
        is(Code::Unauthenticated, "UNAUTHENTICATED")
    );
    assert_eq!(
        call("OrderService/Nothing", &[ann], &empty).await,
        is(Code::Unimplemented, "UNIMPLEMENTED")
    );
    assert_eq!(
        call(GET_DROP, &[], &empty).await,
        is(Code::InvalidArgument, "INVALID_REQUEST")
    );
    assert_eq!(
        call(WATCH_DROP, &[], &empty).await,
        is(Code::InvalidArgument, "INVALID_REQUEST"),
        "a stream that does not begin"
    );
    assert_eq!(
        call(GET_ME, &[ann, "grpc-timeout: 1n"], &empty).await,
        is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
    assert_eq!(
        call(GET_ME, &[ann, "grpc-timeout: soon"], &empty).await,
        is(Code::InvalidArgument, "INVALID_REQUEST")
    );

    let mut page = Connection::open(&server).await;
    let sign_in = v1::SignInRequest {
        email: "nobody@example.com".into(),
        password: "wrong".into(),
    };
    let limited = loop {
        let mut answer = page.call("AuthService/SignIn", &[], &sign_in).await;
        let status = page
            .outcome::<v1::SignInResponse>(&mut answer)
            .await
            .unwrap_err();
        if status.code() != Code::Unauthenticated {
            assert!(
                status
                    .get_details_retry_info()
                    .unwrap()
                    .retry_delay
                    .is_some()
            );
            break readable(&answer, &status);
        }
    };
    assert_eq!(limited, is(Code::ResourceExhausted, "RATE_LIMITED"));
    server.stop().await;
}

/// A refusal comes before such a message has: a server that then closed would have it reset, and the page would see a broken connection.
#[tokio::test]
async fn a_message_that_is_too_large_is_told_so() {
    let server = shop().await;
    let ann = bearer(&server.person().await);
    for size in [64 * 1024 + 1, 1024 * 1024, 3 * 1024 * 1024] {
        let mut page = Connection::open(&server).await;
        let answer = page
            .send(
                "AccountService/BecomeCreator",
                &[&ann],
                &frame(0, &vec![b'x'; size]),
            )
            .await;
        let told = refused(&mut page, answer).await;
        assert_eq!(
            told,
            (Code::ResourceExhausted, "TOO_LARGE".to_owned()),
            "{size}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_broken_or_slow() {
    let server = shop().await;
    let ann = bearer(&server.person().await);
    let ann = ann.as_str();
    let bodies: [&[u8]; 9] = [
        b"",
        b"\0",
        b"\0\0\0\0\x09\x01", // ends inside its message
        b"\x80\0\0\0\0",     // trailers, and no message
        b"\x80\0\0\0\x0dgrpc-status:0",
        b"\x01\0\0\0\0", // compressed, by nothing that was named
        b"\x07\0\0\0\0",
        b"\0\0\0\0\x02\x0a\xff", // a field beyond the end
        b"\0\xff\xff\xff\xff",
    ];
    for body in bodies {
        let mut page = Connection::open(&server).await;
        let answer = page
            .send("AccountService/BecomeCreator", &[ann], body)
            .await;
        let (code, reason) = refused(&mut page, answer).await;
        let expected = match body {
            b"\0\xff\xff\xff\xff" => (Code::ResourceExhausted, "TOO_LARGE"),
            _ => (Code::InvalidArgument, "INVALID_REQUEST"),
        };
        assert_eq!((code, reason.as_str()), expected, "{body:?}");
    }

    // A body that never comes: the call's own deadline ends it.
    let mut page = Connection::open(&server).await;
    let headers = [
        ann,
        "content-type: application/grpc-web+proto",
        "origin: https://shop.example",
        "grpc-timeout: 300m",
    ];
    page.ask(&format!("POST /livedrop.v1.{GET_ME}"), &headers, 100)
        .await;
    page.write(&[0, 0, 0]).await;
    let answer = page.answer().await;
    let told = refused(&mut page, answer).await;
    assert_eq!(
        told,
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned())
    );
    server.stop().await;
}

#[tokio::test]
async fn a_stream_ends_on_purpose_and_is_resumed() {
    let server = shop_with(|config| config.limits.watch_age_web = Duration::from_millis(500)).await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 5)]).await;
    let mut page = Connection::open(&server).await;
    let mut answer = page.call(WATCH_DROP, &[], &watch_request(&drop, "")).await;
    let (_, first) = told(&mut page, &mut answer).await;
    assert!(matches!(first, Frame::Snapshot(_)), "{first:?}");
    let (mut token, last) = loop {
        let (token, told) = told(&mut page, &mut answer).await;
        match told {
            Frame::Goodbye(goodbye) => break (token, goodbye),
            Frame::Snapshot(_) | Frame::Change(_) | Frame::Heartbeat(_) | Frame::Stock(_) => {}
        }
    };
    assert_eq!(last.reason(), GoodbyeReason::MaxAge);
    assert!(last.reconnect_after.is_some());
    ends_well(&mut page, &mut answer).await;

    place(&ann, &drop, &[(0, 5)]).await.unwrap();
    let change = 'streams: loop {
        let request = watch_request(&drop, &token);
        let mut answer = page.call(WATCH_DROP, &[], &request).await;
        loop {
            let (next, said) = told(&mut page, &mut answer).await;
            token = next;
            match said {
                Frame::Change(change) => break 'streams change,
                Frame::Snapshot(snapshot) => assert_eq!(snapshot.drop, None),
                Frame::Stock(_) | Frame::Heartbeat(_) => {}
                Frame::Goodbye(_) => break,
            }
        }
        ends_well(&mut page, &mut answer).await;
    };
    assert_eq!(change.kind(), v1::DropChangeKind::SoldOut);
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_goes_away_ends_its_stream() {
    let server = shop_with(|config| config.limits.watches = 1).await;
    let drop = open_drop(&server.creator().await, &[(0, 5)]).await;
    let request = watch_request(&drop, "");
    let open = async || {
        let mut page = Connection::open(&server).await;
        let answer = page.call(WATCH_DROP, &[], &request).await;
        answer.header("grpc-status").is_empty().then_some(page)
    };
    let page = open().await.expect("the only place is free");
    assert!(open().await.is_none(), "it is taken");
    std::mem::drop(page);
    let page = eventually(open).await;
    std::mem::drop(page);

    let over_http2 = async || {
        let body = frame(0, &request.encode_to_vec());
        let answer = call_http2(&server, WATCH_DROP, body).await;
        (!answer.headers().contains_key("grpc-status")).then_some(answer)
    };
    let answer = eventually(over_http2).await;
    assert!(open().await.is_none(), "it is taken");
    std::mem::drop(answer);
    eventually(open).await;
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_says_goodbye_first() {
    // Longer than the test waits: connections have to end by themselves.
    let drain = Duration::from_secs(600);
    let server = shop_with(|config| config.limits.drain = drain).await;
    let drop = open_drop(&server.creator().await, &[(0, 5)]).await;
    let mut page = Connection::open(&server).await;
    let mut answer = page.call(WATCH_DROP, &[], &watch_request(&drop, "")).await;
    told(&mut page, &mut answer).await;
    let mut idle = Connection::open(&server).await;
    let mut done = idle.call(GET_ME, &[], &v1::GetMeRequest {}).await;
    idle.outcome::<v1::GetMeResponse>(&mut done)
        .await
        .unwrap_err();

    let stopping = tokio::spawn(server.stop());
    let last = loop {
        if let (_, Frame::Goodbye(goodbye)) = told(&mut page, &mut answer).await {
            break goodbye;
        }
    };
    assert_eq!(last.reason(), GoodbyeReason::Shutdown);
    ends_well(&mut page, &mut answer).await;
    page.closed().await;
    idle.closed().await;
    stopping.await.unwrap();
}
