//! What calls are answered, seen by a native client.

use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1 as reflection;
use tonic_types::StatusExt as _;

use super::*;

async fn refused(running: &Running, request: Request<v1::PlaceOrderRequest>) -> Status {
    running
        .orders()
        .await
        .place_order(request)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_caller_with_a_token_gets_through_and_gets_the_correlation_id_back() {
    let running = start(Limits::strict()).await;
    let mut request = order("x");
    request
        .metadata_mut()
        .insert("x-correlation-id", "mine-1".parse().unwrap());
    let answer = running.orders().await.place_order(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-correlation-id").unwrap(), "mine-1");
}

#[tokio::test]
async fn without_a_good_token_nothing_is_reached() {
    let running = start(Limits::strict()).await;
    let mut none = order("x");
    none.metadata_mut().remove("authorization");
    let mut bad = order("x");
    bad.metadata_mut()
        .insert("authorization", "Bearer bad".parse().unwrap());
    let mut two = order("x");
    two.metadata_mut()
        .append("authorization", "Bearer good".parse().unwrap());
    let mut texts = Vec::new();
    for request in [none, bad, two] {
        let status = refused(&running, request).await;
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::Unauthenticated, "UNAUTHENTICATED")
        );
        assert!(status.metadata().get("x-correlation-id").is_some());
        texts.push(status.message().to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(running.seen.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_panic_is_masked_and_the_server_lives() {
    let running = start(Limits::strict()).await;
    let mut orders = running.orders().await;
    let status = orders.place_order(order("panic")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Internal, "INTERNAL")
    );
    assert!(!format!("{status:?}").contains("ann"));
    orders.place_order(order("x")).await.unwrap();
}

#[tokio::test]
async fn sizes_are_limited_both_ways() {
    let running = start(Limits::strict()).await;
    let status = refused(&running, order(&"x".repeat(REQUEST_BYTES_MAX + 1))).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "TOO_LARGE")
    );
    assert_eq!(running.seen.calls.load(Ordering::SeqCst), 0);
    let status = refused(&running, order("huge")).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Internal, "INTERNAL")
    );
    assert_eq!(status.message(), "internal error");
}

#[tokio::test]
async fn a_deadline_ends_a_call() {
    let running = start(Limits {
        deadline_default: Duration::from_millis(50),
        ..Limits::strict()
    })
    .await;
    let status = refused(&running, order("wait")).await;
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
    );
}

#[tokio::test]
async fn a_full_server_says_when_to_come_back_and_still_tells_its_health() {
    let running = start(Limits {
        in_flight: 1,
        ..Limits::strict()
    })
    .await;
    let mut orders = running.orders().await;
    let mut first = orders.clone();
    let waiting = tokio::spawn(async move { first.place_order(order("wait")).await });
    running.seen.arrived.notified().await;
    let status = orders.place_order(order("x")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "OVERLOADED")
    );
    assert!(
        status
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .is_some()
    );
    HealthClient::new(running.channel().await)
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    running.seen.go_on.notify_one();
    waiting.await.unwrap().unwrap();
    orders.place_order(order("x")).await.unwrap();
}

#[tokio::test]
async fn rates_are_limited_with_details() {
    let rate = |burst| Rate {
        burst,
        period: Duration::from_secs(60),
    };
    let per_caller = start(Limits {
        per_caller: rate(2),
        ..Limits::strict()
    })
    .await;
    let mut orders = per_caller.orders().await;
    for _ in 0..2 {
        orders.place_order(order("x")).await.unwrap();
    }
    let status = orders.place_order(order("x")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::ResourceExhausted, "RATE_LIMITED")
    );
    assert!(
        status
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .unwrap()
            >= Duration::from_secs(59)
    );
    assert_eq!(
        status.get_details_quota_failure().unwrap().violations[0].subject,
        "caller"
    );

    let per_network = start(Limits {
        per_network: rate(1),
        ..Limits::strict()
    })
    .await;
    let mut health = HealthClient::new(per_network.channel().await);
    health.check(HealthCheckRequest::default()).await.unwrap();
    let status = health
        .check(HealthCheckRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        status.get_details_quota_failure().unwrap().violations[0].subject,
        "network"
    );
}

#[tokio::test]
async fn sign_ins_have_a_limit_of_their_own() {
    let running = start(Limits {
        credentials: Rate {
            burst: 1,
            period: Duration::from_secs(60),
        },
        ..Limits::strict()
    })
    .await;
    let mut auth = v1::auth_service_client::AuthServiceClient::new(running.channel().await);
    // There is no such service in this test, so what gets past the limit is unknown.
    let first = auth
        .sign_in(v1::SignInRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        (first.code(), reason(&first).as_str()),
        (Code::Unimplemented, "UNIMPLEMENTED")
    );
    let second = auth
        .sign_in(v1::SignInRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&second), "RATE_LIMITED");
    running
        .orders()
        .await
        .place_order(order("x"))
        .await
        .unwrap();
}

#[tokio::test]
async fn health_follows_readiness() {
    use tonic_health::pb::health_check_response::ServingStatus;
    let running = start(Limits::strict()).await;
    let mut health = HealthClient::new(running.channel().await);
    let request = HealthCheckRequest {
        service: "livedrop.v1.OrderService".to_owned(),
    };
    for request in [HealthCheckRequest::default(), request.clone()] {
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::NotServing);
    }
    let mut watch = health.watch(request).await.unwrap().into_inner();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    running.readiness.set_ready();
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    running.readiness.set_not_ready("draining");
    assert_eq!(
        watch.message().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
}

#[tokio::test]
async fn reflection_lists_the_services() {
    use reflection::{
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let running = start(Limits::strict()).await;
    let mut client =
        reflection::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let list = MessageRequest::ListServices(String::new());
    let request = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(list),
    };
    let mut answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for name in [
        "livedrop.v1.OrderService",
        "livedrop.v1.AuthService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        !names.iter().any(|name| name.contains("internal")),
        "{names:?}"
    );
}

#[tokio::test]
async fn calls_are_counted_by_method_and_code() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    // All tasks of this test run on its thread.
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let running = start(Limits::strict()).await;
    let mut orders = running.orders().await;
    orders.place_order(order("x")).await.unwrap();
    orders.place_order(order("panic")).await.unwrap_err();
    orders.place_order(order("huge")).await.unwrap_err();
    let text = recorder.handle().render();
    let name = "livedrop.v1.OrderService/PlaceOrder";
    for (code, count) in [("OK", 1), ("INTERNAL", 2)] {
        let line =
            format!("livedrop_rpc_requests_total{{method=\"{name}\",code=\"{code}\"}} {count}");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("livedrop_rpc_in_flight 0"), "{text}");
}

#[tokio::test]
async fn a_wrong_setup_is_refused() {
    let zero = Limits {
        per_caller: Rate {
            burst: 0,
            period: Duration::from_secs(1),
        },
        ..Limits::strict()
    };
    assert!(matches!(
        App::new(Routes::default(), setup(zero)).await,
        Err(SetupError::Rate)
    ));
}
