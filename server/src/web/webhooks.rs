//! `POST /webhooks/payments/{provider}`: messages of payment providers. 200 means settled, never to come again.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};

use crate::service::{
    Context,
    webhooks::{self, Unsettled},
};

/// Messages are a few KiB.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Takes messages of all providers.
pub fn router(ctx: Context) -> Router {
    Router::new()
        .route("/webhooks/payments/{provider}", post(receive))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(ctx)
}

async fn receive(
    State(ctx): State<Context>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    match webhooks::receive(&ctx, &provider, &headers, &body).await {
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
