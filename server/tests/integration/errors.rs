//! Errors that do not come from a use case: credentials, limits, sizes, deadlines.

use std::{str::FromStr, time::Duration};

use livedrop::{Client, Code, v1};
use tonic::{Status, metadata::MetadataValue};
use tonic_types::StatusExt as _;

use crate::harness::{Server, get_drop, open_drop, order_request, sign_up_request, stock};

/// `GetMe` with this authorization header.
async fn get_me_with(client: &Client, header: &str) -> Result<(), Status> {
    let mut request = tonic::Request::new(v1::GetMeRequest {});
    let header = MetadataValue::from_str(header).unwrap();
    request.metadata_mut().insert("authorization", header);
    client.raw_accounts().get_me(request).await.map(drop)
}

#[tokio::test]
async fn bad_tokens_get_one_answer() {
    let server = Server::start().await;
    let (person, other) = (
        server.person().await,
        Server::foreign().await.person().await,
    );
    let good = person.tokens().unwrap().access_token;
    assert!(
        get_me_with(&person, &format!("Bearer {good}"))
            .await
            .is_ok()
    );

    let stranger = server.stranger();
    let parts: Vec<_> = good.split('.').collect();
    let refresh = person.tokens().unwrap().refresh_token;
    let foreign = other.tokens().unwrap().access_token;
    let bad = [
        String::new(),
        "Bearer".into(),
        "Bearer x".into(),
        format!("Basic {good}"),
        format!("Bearer {}.{}", parts[0], parts[1]),
        format!("Bearer {}.{}.", parts[0], parts[1]),
        format!("Bearer {good}x"),
        format!("Bearer {good}.{good}"),
        format!("Bearer {refresh}"),
        format!("Bearer {foreign}"),
        format!("Bearer {}", "x".repeat(4_000)),
    ];
    let mut texts = vec![stranger.get_me().await.unwrap_err().message().to_owned()];
    for header in &bad {
        let status = get_me_with(&stranger, header).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{header}");
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "UNAUTHENTICATED"
        );
        texts.push(status.message().to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn limits_say_when_to_come_back() {
    let server = Server::strict().await;
    let client = server.stranger();
    let mut limited = None;
    for _ in 0..200 {
        let request = v1::SignInRequest {
            email: "nobody@example.com".into(),
            password: "wrong horse".into(),
        };
        let error = client.sign_in(request).await.unwrap_err();
        if error.code() == Code::ResourceExhausted {
            limited = Some(error);
            break;
        }
    }
    let error = limited.expect("sign-ins are limited");
    assert_eq!(error.reason_text(), Some("RATE_LIMITED"));
    assert!(error.retry_after().unwrap() >= Duration::from_millis(50));
    assert!(error.correlation_id().is_some());
}

#[tokio::test]
async fn too_large_and_too_late() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let large = v1::SignUpRequest {
        display_name: "x".repeat(70_000),
        ..sign_up_request()
    };
    let error = server.stranger().sign_up(large).await.unwrap_err();
    assert_eq!(
        (error.code(), error.reason_text()),
        (Code::ResourceExhausted, Some("TOO_LARGE"))
    );

    let drop = open_drop(&creator, &[(0, 5)]).await;
    let mut request = tonic::Request::new(order_request(&drop, &[(0, 1)]));
    buyer.authorize(&mut request).await;
    request
        .metadata_mut()
        .insert("grpc-timeout", MetadataValue::from_static("1n"));
    let status = buyer.raw_orders().place_order(request).await.unwrap_err();
    // tonic's client watches the deadline too, and says so in its own way if it is first.
    let late = [Code::DeadlineExceeded, Code::Cancelled];
    assert!(late.contains(&status.code()), "{status:?}");
    assert_eq!(
        stock(&get_drop(&buyer, &drop).await, 0),
        (5, 0, 0),
        "nobody waited, so nothing was done"
    );

    let mut request = tonic::Request::new(v1::GetMeRequest {});
    buyer.authorize(&mut request).await;
    request
        .metadata_mut()
        .insert("grpc-timeout", MetadataValue::from_static("soon"));
    assert_eq!(
        buyer
            .raw_accounts()
            .get_me(request)
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn every_answer_carries_the_correlation_id() {
    let server = Server::start().await;
    let person = server.person().await;
    let mut request = tonic::Request::new(v1::GetMeRequest {});
    person.authorize(&mut request).await;
    request
        .metadata_mut()
        .insert("x-correlation-id", MetadataValue::from_static("order-42.a"));
    let answer = person.raw_accounts().get_me(request).await.unwrap();
    assert_eq!(
        answer.metadata().get("x-correlation-id").unwrap(),
        "order-42.a"
    );
    let error = server.stranger().get_me().await.unwrap_err();
    assert!(!error.correlation_id().unwrap().is_empty());
}
