//! HTTP/1.1 on the same port: plain HTTP, grpc-web, and what browsers need.

use super::*;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const PLACE: &str = "/livedrop.v1.OrderService/PlaceOrder";

fn status_of(answer: &str) -> Status {
    let mut headers = http::HeaderMap::new();
    for line in answer.split("\r\n") {
        if let Some((name, value)) = line.split_once(": ")
            && let Ok(name) = http::HeaderName::try_from(name)
        {
            headers.append(name, value.parse().unwrap());
        }
    }
    Status::from_header_map(&headers).unwrap_or_else(|| panic!("no status in {answer}"))
}

#[tokio::test]
async fn plain_http_is_served() {
    let running = start(Limits::strict()).await;
    let alive = running
        .http1("GET /healthz", &["x-correlation-id: abc"], b"")
        .await;
    assert!(
        alive.starts_with("HTTP/1.1 200") && alive.ends_with("alive"),
        "{alive}"
    );
    assert!(alive.contains("x-correlation-id: abc"), "{alive}");
    let starting = running.http1("GET /readyz", &[], b"").await;
    assert!(
        starting.starts_with("HTTP/1.1 503") && starting.ends_with("starting"),
        "{starting}"
    );
    running.readiness.set_ready();
    assert!(
        running
            .http1("GET /readyz", &[], b"")
            .await
            .starts_with("HTTP/1.1 200")
    );
    let keys = running.http1("GET /.well-known/jwks.json", &[], b"").await;
    assert!(
        keys.contains("application/jwk-set+json") && keys.ends_with(r#"{"keys":[]}"#),
        "{keys}"
    );
    assert!(
        running
            .http1("GET /nothing", &[], b"")
            .await
            .starts_with("HTTP/1.1 404")
    );
}

#[tokio::test]
async fn grpc_web_is_served() {
    let running = start(Limits::strict()).await;
    let answer = running.web_call(CHECK, &[], b"").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("grpc-status:0"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_panic_is_masked_for_pages_too() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    // All tasks of this test run on its thread.
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let running = start(Limits::strict()).await;
    // Field 2, the drop's id.
    let message = [&[18, 5][..], b"panic"].concat();
    let head = [
        "authorization: Bearer good",
        "origin: https://shop.example",
        "x-correlation-id: mine-1",
    ];
    let answer = running.web_call(PLACE, &head, &message).await;
    let status = status_of(&answer);
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (tonic::Code::Internal, "INTERNAL")
    );
    assert!(!answer.contains("ann"), "{answer}");
    for line in [
        "access-control-allow-origin: https://shop.example",
        "x-correlation-id: mine-1",
    ] {
        assert!(answer.contains(line), "{answer}");
    }
    let counted = r#"method="livedrop.v1.OrderService/PlaceOrder",code="INTERNAL"} 1"#;
    let text = recorder.handle().render();
    assert!(text.contains(counted), "{text}");
}

#[tokio::test]
async fn a_malformed_message_is_the_clients_fault() {
    let running = start(Limits::strict()).await;
    let token = "authorization: Bearer good";
    // Field 1 with a length beyond the end; field 1 with a wrong type; text that is not UTF-8.
    for message in [&[10, 200, 1][..], &[8, 1], &[10, 1, 0xff]] {
        let status = status_of(&running.web_call(PLACE, &[token], message).await);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::InvalidArgument, "INVALID_REQUEST")
        );
    }
    let text = "content-type: application/grpc-web-text";
    let status = status_of(
        &running
            .http1(&format!("POST {PLACE}"), &[text, token], b"!!!!")
            .await,
    );
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_broken_frame_is_the_clients_fault() {
    let running = start(Limits::strict()).await;
    let head = [
        "content-type: application/grpc-web",
        "authorization: Bearer good",
    ];
    for body in [
        &[][..],
        &[0, 0, 0, 0, 9, 1],
        &[7, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0],
    ] {
        let status = status_of(&running.http1(&format!("POST {PLACE}"), &head, body).await);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::InvalidArgument, "INVALID_REQUEST"),
            "{body:?}"
        );
    }
}

/// Not with a native client, which would end the call itself.
#[tokio::test]
async fn a_deadline_that_has_passed_has_no_effect() {
    let running = start(Limits::strict()).await;
    let token = "authorization: Bearer good";
    for timeout in ["grpc-timeout: 1n", "grpc-timeout: 0S"] {
        let status = status_of(&running.web_call(PLACE, &[token, timeout], b"").await);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::DeadlineExceeded, "DEADLINE_EXCEEDED")
        );
    }
    let status = status_of(
        &running
            .web_call(PLACE, &[token, "grpc-timeout: soon"], b"")
            .await,
    );
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (tonic::Code::InvalidArgument, "INVALID_REQUEST")
    );
    assert_eq!(running.seen.calls.load(Ordering::SeqCst), 0);
    let long = running
        .web_call(PLACE, &[token, "grpc-timeout: 99999999H"], b"")
        .await;
    assert!(long.contains("grpc-status:0"), "{long}");
}

#[tokio::test]
async fn unknown_methods_are_unimplemented() {
    let running = start(Limits::strict()).await;
    for path in [
        "/livedrop.v1.OrderService/Nothing",
        "/livedrop.internal.v1.Ledger/Append",
        "/",
        "//",
    ] {
        let status = status_of(&running.web_call(path, &[], b"").await);
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (tonic::Code::Unimplemented, "UNIMPLEMENTED"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn methods_answer_to_grpc_only() {
    let running = start(Limits::strict()).await;
    let plain = running
        .http1(
            &format!("POST {PLACE}"),
            &["content-type: text/plain"],
            b"x",
        )
        .await;
    assert!(plain.starts_with("HTTP/1.1 415"), "{plain}");
    let get = running
        .http1(
            &format!("GET {PLACE}"),
            &["content-type: application/grpc-web"],
            b"",
        )
        .await;
    assert!(get.starts_with("HTTP/1.1 405"), "{get}");
    assert_eq!(running.seen.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn listed_origins_may_call_and_see_errors() {
    let running = start(Limits::strict()).await;
    let preflight = [
        "access-control-request-method: POST",
        "access-control-request-headers: authorization",
    ];
    let asked = |origin: &'static str| [&[origin][..], &preflight].concat();
    let allowed = running
        .http1(
            &format!("OPTIONS {PLACE}"),
            &asked("origin: https://shop.example"),
            b"",
        )
        .await;
    assert!(
        allowed.contains("access-control-allow-origin: https://shop.example"),
        "{allowed}"
    );
    for origin in ["origin: https://evil.example", "origin: null"] {
        let refused = running
            .http1(&format!("OPTIONS {PLACE}"), &asked(origin), b"")
            .await;
        assert!(
            !refused.contains("access-control-allow-origin"),
            "{refused}"
        );
    }
    let error = running
        .web_call(PLACE, &["origin: https://shop.example"], b"")
        .await;
    assert_eq!(status_of(&error).code(), tonic::Code::Unauthenticated);
    assert!(
        error.contains("access-control-allow-origin: https://shop.example"),
        "{error}"
    );
    assert!(
        error.contains("access-control-expose-headers: grpc-status,grpc-message"),
        "{error}"
    );
}
