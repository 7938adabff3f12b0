//! Who may call from a browser, and how.

use super::{
    GET_ME, SHOP, shop,
    wire::{Connection, frame},
};
use crate::harness::Server;

#[tokio::test]
async fn preflights_let_listed_origins_in_and_no_others() {
    let listed = shop().await;
    let dev = Server::start().await;
    let preflight = async |server: &Server, origin: &str| {
        let mut page = Connection::open(server).await;
        let origin = format!("origin: {origin}");
        let headers = [
            origin.as_str(),
            "access-control-request-method: POST",
            "access-control-request-headers: authorization,content-type,x-grpc-web",
        ];
        page.ask(&format!("OPTIONS /livedrop.v1.{GET_ME}"), &headers, 0)
            .await;
        page.answer().await
    };
    let cases = [
        (&listed, SHOP, true),
        (&listed, "http://localhost:5173", false),
        (&listed, "https://evil.example", false),
        (&listed, "null", false),
        (&dev, "http://localhost:5173", true),
        (&dev, "http://127.0.0.1:8080", true),
        (&dev, "http://localhost.evil.example", false),
        (&dev, SHOP, false),
    ];
    for (server, origin, is_allowed) in cases {
        let answer = preflight(server, origin).await;
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, if is_allowed { origin } else { "" }, "{origin}");
        assert!(answer.header("vary").contains("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let answer = preflight(&listed, SHOP).await;
    let headers = answer.header("access-control-allow-headers");
    for name in [
        "authorization",
        "content-type",
        "x-grpc-web",
        "x-user-agent",
        "grpc-timeout",
        "x-correlation-id",
        "traceparent",
    ] {
        assert!(headers.split(',').any(|it| it == name), "{headers}");
    }
    assert_eq!(answer.header("access-control-max-age"), "7200");
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("POST")
    );
    listed.stop().await;
    dev.stop().await;
}

/// A cache that keeps it for somebody without an origin must not give it to a page.
#[tokio::test]
async fn plain_answers_say_that_they_depend_on_the_origin() {
    let server = shop().await;
    let path = "GET /.well-known/jwks.json";
    for (headers, allowed) in [(&[][..], ""), (&["origin: https://shop.example"], SHOP)] {
        let mut page = Connection::open(&server).await;
        page.ask(path, headers, 0).await;
        let answer = page.answer().await;
        assert_eq!(answer.code, 200);
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        assert!(answer.header("vary").contains("origin"), "{answer:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_grpc_web_is_told_how_to_call() {
    let server = shop().await;
    for content_type in [
        "application/grpc",
        "application/grpc-web+json",
        "application/grpc-web+proto; charset=utf-8",
        "application/grpcx",
        "application/json",
        "text/plain",
    ] {
        let mut page = Connection::open(&server).await;
        let content_type = format!("content-type: {content_type}");
        page.ask(&format!("POST /livedrop.v1.{GET_ME}"), &[&content_type], 5)
            .await;
        page.write(&frame(0, &[])).await;
        let answer = page.answer().await;
        assert_eq!(answer.code, 415, "{content_type}");
    }
    server.stop().await;
}
