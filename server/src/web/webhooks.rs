//! `POST /webhooks/payments/{provider}`: messages of payment providers. 200 means settled, never to come again.

use std::time::Duration;

use axum::{
    Router,
    body::{self, Body},
    extract::{Path, Request, State},
    http::StatusCode,
    routing::post,
};

use crate::service::{
    Context,
    webhooks::{self, Unsettled},
};

/// Messages are a few KiB.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a message may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Takes messages of all providers.
pub fn router(ctx: Context) -> Router {
    Router::new()
        .route("/webhooks/payments/{provider}", post(receive))
        .with_state(ctx)
}

async fn receive(
    State(ctx): State<Context>,
    Path(provider): Path<String>,
    request: Request,
) -> (StatusCode, &'static str) {
    // Before the body: nobody's message is not waited for.
    if ctx.payments.providers().get(&provider).is_none() {
        return (StatusCode::NOT_FOUND, "unknown provider");
    }
    let (head, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    match webhooks::receive(&ctx, &provider, &head.headers, &body).await {
        Ok(()) => (StatusCode::OK, "settled"),
        Err(Unsettled::UnknownProvider) => (StatusCode::NOT_FOUND, "unknown provider"),
        Err(Unsettled::Refused(error)) => {
            tracing::warn!(provider, %error, "webhook refused");
            (StatusCode::BAD_REQUEST, "refused")
        }
        Err(Unsettled::Later(cause)) => {
            tracing::warn!(provider, cause, "webhook is to come again");
            (StatusCode::SERVICE_UNAVAILABLE, "come again")
        }
    }
}

async fn read(body: Body) -> Result<body::Bytes, (StatusCode, &'static str)> {
    match tokio::time::timeout(BODY_WITHIN, body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "too large, or cut off")),
        Err(_elapsed) => Err((StatusCode::REQUEST_TIMEOUT, "too slow")),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::service::testing;

    fn message(body: Body) -> Request<Body> {
        let request = Request::post("/webhooks/payments/nobody");
        request.body(body).unwrap()
    }

    #[tokio::test]
    async fn nobodys_message_is_not_waited_for() {
        let (ctx, _env) = testing::context();
        let never = stream::pending::<Result<body::Bytes, std::io::Error>>();
        let answer = router(ctx).oneshot(message(Body::from_stream(never))).await;
        assert_eq!(answer.unwrap().status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_stalls_or_is_too_large_is_refused() {
        let never = stream::pending::<Result<body::Bytes, std::io::Error>>();
        let stalled = read(Body::from_stream(never)).await.unwrap_err();
        assert_eq!(stalled.0, StatusCode::REQUEST_TIMEOUT);
        let large = read(Body::from(vec![b'x'; BODY_BYTES_MAX + 1])).await;
        assert_eq!(large.unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
        let fits = read(Body::from(vec![b'x'; BODY_BYTES_MAX])).await;
        assert_eq!(fits.unwrap().len(), BODY_BYTES_MAX);
    }
}
