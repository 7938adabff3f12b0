//! What is repeated, how often, and with which id.

use std::time::Duration;

use livedrop::{Client, Code, RetryPolicy, Uuid, v1};
use tonic_types::{ErrorDetails, StatusExt};

use crate::scripted::{Scripted, refusal, unavailable, wish};

fn patient() -> RetryPolicy {
    RetryPolicy::default().attempts(200).without_budget()
}

#[tokio::test]
async fn a_repeat_keeps_its_id_and_counts() {
    let script = Scripted::default();
    let client = script.start().await.client(RetryPolicy::default());
    script.refuse_orders([unavailable(), unavailable()]);
    client.place_order(wish()).await.unwrap();
    client.place_order(wish()).await.unwrap();

    let placed = script.placed();
    let counts: Vec<i32> = placed.iter().map(|it| it.retry_count).collect();
    assert_eq!(counts, [0, 1, 2, 0]);
    Uuid::parse_str(&placed[0].request_id).unwrap();
    assert_eq!(placed[0].request_id, placed[2].request_id);
    assert_ne!(
        placed[0].request_id, placed[3].request_id,
        "a new call, a new id"
    );
    assert!(placed.iter().all(|it| it.timeout.is_some()));
}

#[tokio::test]
async fn the_callers_id_and_count_are_kept() {
    let script = Scripted::default();
    let client = script.start().await.client(RetryPolicy::default());
    script.refuse_orders([unavailable(), unavailable(), unavailable()]);
    let mut request = wish();
    request.request_id = "mine".into();
    request.retry_count = 2;
    let error = client.place_order(request).await.unwrap_err();

    let counts: Vec<i32> = script.placed().iter().map(|it| it.retry_count).collect();
    assert_eq!(counts, [2, 3, 4]);
    assert_eq!((error.request_id(), error.retry_count()), (Some("mine"), 5));
    assert!(error.may_have_taken_effect() && error.is_retryable());
}

#[tokio::test]
async fn a_definite_refusal_is_not_repeated() {
    let script = Scripted::default();
    let client = script.start().await.client(patient());
    for code in [
        Code::FailedPrecondition,
        Code::Internal,
        Code::Unknown,
        Code::ResourceExhausted,
    ] {
        script.refuse_orders([refusal(code, "SOLD_OUT", None)]);
        let error = client.place_order(wish()).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!error.is_retryable());
        assert_eq!(error.reason(), Some(v1::ErrorReason::SoldOut));
        assert_eq!(error.metadata()["dropId"], "d1");
        assert_eq!(error.correlation_id(), Some("c0ffee"));
        let open = matches!(code, Code::Internal | Code::Unknown);
        assert_eq!(error.may_have_taken_effect(), open, "{code:?}");
    }
    assert_eq!(script.placed().len(), 4);
}

#[tokio::test]
async fn the_servers_delay_is_kept() {
    let script = Scripted::default();
    let client = script.start().await.client(RetryPolicy::default());
    let delay = Duration::from_millis(300);
    script.refuse_orders([refusal(
        Code::ResourceExhausted,
        "RATE_LIMITED",
        Some(delay),
    )]);
    client.place_order(wish()).await.unwrap();
    let placed = script.placed();
    assert!(placed[1].at - placed[0].at >= delay);
    // Nothing was done, so a refusal of the second try need not void the id.
    assert_eq!(placed[1].retry_count, 0);
}

#[tokio::test]
async fn a_delay_beyond_the_deadline_is_told_at_once() {
    let script = Scripted::default();
    let client = script.start().await.client(RetryPolicy::default());
    let hour = Duration::from_secs(3600);
    script.refuse_orders([refusal(Code::Unavailable, "UNAVAILABLE", Some(hour))]);
    let error = client.place_order(wish()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(hour));
}

#[tokio::test]
async fn an_empty_budget_ends_repeats() {
    let script = Scripted::default();
    let policy = RetryPolicy::default().attempts(10).budget(0, 2);
    let client = script.start().await.client(policy);
    script.refuse_orders(std::iter::repeat_with(unavailable).take(20));
    client.place_order(wish()).await.unwrap_err();
    assert_eq!(script.placed().len(), 3, "a first try and two repeats");
    // The budget belongs to the connection, not to the user.
    client.new_session().place_order(wish()).await.unwrap_err();
    assert_eq!(script.placed().len(), 4);
}

#[tokio::test]
async fn a_server_that_comes_back_is_found() {
    let script = Scripted::default();
    let running = script.start().await;
    let (address, client) = (running.address, running.client(patient()));
    client.place_order(wish()).await.unwrap();
    running.stop().await;

    let hasty = Client::builder(format!("http://{address}"));
    let hasty = hasty.retry(RetryPolicy::never()).build().unwrap();
    let error = hasty.place_order(wish()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!error.may_have_taken_effect(), "it was never sent: {error}");

    let call = tokio::spawn(async move { client.place_order(wish()).await });
    let _again = script.serve(address).await;
    call.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_cut_off_by_a_dying_server_is_open() {
    let script = Scripted::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let served = script.clone();
    let running = runtime.spawn(async move { served.start().await });
    let client = running.await.unwrap().client(RetryPolicy::never());
    let call = tokio::spawn(async move {
        let asked = v1::GetOrderRequest::default();
        client.get_order(asked).await
    });
    script.arrived().await;
    runtime.shutdown_background();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(error.may_have_taken_effect() && error.is_retryable());
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let running = Scripted::default().start().await;
    let client = Client::builder(format!("http://{}", running.address))
        .attempt_timeout(Duration::from_millis(50))
        .operation_timeout(Duration::from_millis(120))
        .retry(patient())
        .build()
        .unwrap();
    let error = client.get_order(v1::GetOrderRequest::default()).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(error.may_have_taken_effect());
}

#[tokio::test]
async fn an_error_tells_all_it_knows() {
    let script = Scripted::default();
    let client = script.start().await.client(RetryPolicy::default());
    let mut details = ErrorDetails::with_error_info("NEWER", "livedrop.dev", []);
    details.add_bad_request_violation("lines[0].quantity", "must be 1 to 1,000");
    let status = tonic::Status::with_error_details(Code::InvalidArgument, "malformed", details);
    script.refuse_orders([status]);
    let error = client.place_order(wish()).await.unwrap_err();
    assert_eq!((error.reason(), error.reason_text()), (None, Some("NEWER")));
    assert_eq!(error.violations()[0].field, "lines[0].quantity");
    let text = "NEWER: malformed; lines[0].quantity must be 1 to 1,000";
    assert_eq!(error.to_string(), text);

    let mut details = ErrorDetails::new();
    details.set_error_info("SOLD_OUT", "elsewhere.example", []);
    let status = tonic::Status::with_error_details(Code::Aborted, "not ours", details);
    script.refuse_orders([status]);
    let error = client.place_order(wish()).await.unwrap_err();
    assert_eq!(error.reason_text(), None);
}

#[tokio::test]
async fn bad_settings_are_refused() {
    for endpoint in ["", "127.0.0.1:7400", "ftp://example.com", "http://a b"] {
        let error = Client::builder(endpoint).build().unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{endpoint}");
    }
    Client::builder("https://example.com").build().unwrap();
    let tls = livedrop::ClientTlsConfig::new();
    let plain = Client::builder("http://example.com").tls(tls);
    assert!(plain.build().is_err());
    let outside = std::thread::spawn(|| Client::builder("http://example.com").build());
    assert!(outside.join().unwrap().is_err());
}
