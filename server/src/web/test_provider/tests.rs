use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::{
    domain::{AccountId, DropId, Money, OrderId, Timestamp},
    env::SystemEnv,
    payments::{AttemptKey, Charge, Provider as _},
};

fn money(code: &str, amount_minor: i64) -> Money {
    Money {
        currency: code.parse().unwrap(),
        amount_minor,
    }
}

async fn asked() -> (Arc<TestProvider>, AttemptKey, String) {
    let provider = Arc::new(TestProvider::open(Arc::new(SystemEnv), None).unwrap());
    let key = AttemptKey {
        drop_id: DropId::new(uuid::Uuid::now_v7()),
        order_id: OrderId::new(uuid::Uuid::now_v7()),
        attempt: 1,
    };
    let charge = Charge {
        key,
        buyer_id: AccountId::new(uuid::Uuid::now_v7()),
        amount: money("EUR", 4_905),
        method: "pm_test_3ds".parse().unwrap(),
        started_at: Timestamp::default(),
    };
    let PaymentStatus::ActionRequired { url } = provider.start(&charge).await.unwrap().status
    else {
        panic!("the buyer is not asked");
    };
    let path = url.strip_prefix("http://localhost").unwrap().to_owned();
    (provider, key, path)
}

async fn call(
    provider: &Arc<TestProvider>,
    method: &str,
    path: &str,
) -> (StatusCode, Response<()>, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let answer = router(provider.clone()).oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (head.status, Response::from_parts(head, ()), text)
}

#[tokio::test]
async fn the_page_asks_and_the_buttons_answer() {
    for (button, then, says) in [
        (
            "approve",
            PaymentStatus::ConfirmationRequired,
            "<p>Approved.",
        ),
        (
            "decline",
            PaymentStatus::Failed(crate::domain::payment::FailReason::AuthenticationFailed),
            "<p>Declined",
        ),
    ] {
        let (provider, key, path) = asked().await;
        let (status, head, page) = call(&provider, "GET", &path).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            head.headers()[CONTENT_SECURITY_POLICY],
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
        );
        assert!(page.contains("49.05 EUR") && page.contains("This is a test."));
        assert!(
            page.contains(&format!("action=\"{path}/{button}\"")),
            "{page}"
        );
        assert!(!page.contains("<script"));

        let (status, head, _) = call(&provider, "POST", &format!("{path}/{button}")).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        assert_eq!(head.headers()[LOCATION], *path);
        let payment = provider.look_up(key, None).await.unwrap().unwrap();
        assert_eq!(payment.status, then);
        let (_, _, page) = call(&provider, "GET", &path).await;
        assert!(page.contains(says) && !page.contains("<form"), "{page}");
    }
}

#[tokio::test]
async fn without_the_secret_there_is_nothing() {
    let (provider, _, path) = asked().await;
    for (method, path, expected) in [
        ("GET", "/test-provider/3ds/0000", StatusCode::NOT_FOUND),
        (
            "GET",
            "/test-provider/3ds/%3Cscript%3E",
            StatusCode::NOT_FOUND,
        ),
        (
            "POST",
            "/test-provider/3ds/0000/approve",
            StatusCode::NOT_FOUND,
        ),
        (
            "GET",
            &format!("{path}/approve"),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
    ] {
        let (status, head, page) = call(&provider, method, path).await;
        assert_eq!(status, expected, "{method} {path}");
        assert!(!head.headers().contains_key(LOCATION));
        assert!(!page.contains("script"));
    }
}

#[test]
fn amounts_have_their_currency_s_decimals() {
    for (money, text) in [
        (money("EUR", 5), "0.05 EUR"),
        (money("JPY", 12_000), "12000 JPY"),
        (money("KWD", 12_340), "12.340 KWD"),
    ] {
        assert_eq!(money.to_string(), text);
    }
    assert_eq!(escape("<a href=\"'&"), "&lt;a href=&quot;&#39;&amp;");
}
