//! `/media/…`: takes and serves pictures that are in a folder of this process.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse as _, Response},
    routing::{get, put},
};

use crate::media::{self, BadUpload, Grant, Media};

/// What stands before the keys of pictures in URLs.
pub const PREFIX: &str = "/media";

/// How long a picture may take to arrive: 10 MiB from a phone with a bad network.
const BODY_WITHIN: Duration = Duration::from_secs(5 * 60);

/// Serves a folder; a bucket serves itself.
pub fn router(media: Media) -> Router {
    if !media.is_folder() {
        return Router::new();
    }
    let of = |what: &str| format!("{PREFIX}/{what}/{{creator}}/{{file}}");
    Router::new()
        .route(&of("uploads"), put(receive))
        .route(&of("images"), get(serve))
        .with_state(media)
}

type Refusal = (StatusCode, String);

async fn receive(
    State(media): State<Media>,
    Path((creator, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let grant = media.grant(&creator, &file, query.as_deref().unwrap_or_default());
    let grant = match grant
        .map_err(refusal)
        .and_then(|grant| checked(grant, request.headers()))
    {
        Ok(grant) => grant,
        Err(refusal) => return told(refusal),
    };
    let body = request.into_body().into_data_stream();
    let received = tokio::time::timeout(BODY_WITHIN, media.receive(grant, body)).await;
    match received.unwrap_or(Err(BadUpload::CutOff)) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(why) => told(refusal(why)),
    }
}

/// What can be known before the body is.
fn checked(grant: Grant, headers: &HeaderMap) -> Result<Grant, Refusal> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|sent: &HeaderValue| sent.to_str().ok())
    };
    let declared = grant.content_type().as_str();
    if text(CONTENT_TYPE) != Some(declared) {
        let how = format!("send it with `Content-Type: {declared}`, as CreateImageUpload says");
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, how));
    }
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        let how = "send it with its Content-Length".to_owned();
        return Err((StatusCode::LENGTH_REQUIRED, how));
    };
    let length = length.to_str().ok().and_then(|it| it.parse::<u64>().ok());
    match length {
        Some(length) if length > grant.size_bytes => Err(refusal(BadUpload::TooLarge)),
        Some(1..) => Ok(grant),
        Some(0) | None => Err((
            StatusCode::BAD_REQUEST,
            "send the picture as the body".to_owned(),
        )),
    }
}

fn refusal(why: BadUpload) -> Refusal {
    let status = match &why {
        BadUpload::Unknown => StatusCode::NOT_FOUND,
        BadUpload::Forged | BadUpload::Expired => StatusCode::FORBIDDEN,
        BadUpload::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BadUpload::Busy => StatusCode::SERVICE_UNAVAILABLE,
        BadUpload::CutOff => StatusCode::BAD_REQUEST,
        BadUpload::Failed(cause) => {
            tracing::warn!(%cause, "an uploaded picture can't be stored");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    (status, why.to_string())
}

fn told((status, how): Refusal) -> Response {
    let mut response = (status, how).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, second);
    }
    response
}

async fn serve(
    State(media): State<Media>,
    Path((creator, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let stored = match media.find(&creator, &file).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "a picture can't be read");
            let how = "the picture can't be read now: try again".to_owned();
            return told((StatusCode::SERVICE_UNAVAILABLE, how));
        }
    };
    let kept = [
        (ETAG, stored.etag.as_str()),
        (CACHE_CONTROL, media::CACHE_CONTROL),
    ];
    if is_known(&headers, &stored.etag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let length = stored.size.to_string();
    let about = [
        (CONTENT_TYPE, stored.content_type.as_str()),
        (CONTENT_LENGTH, length.as_str()),
        // Whatever somebody has hidden in it, a browser shows a picture or nothing.
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    (kept, about, Body::from_stream(stored.bytes)).into_response()
}

/// Whether the client has it already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let sent = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = sent
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}
