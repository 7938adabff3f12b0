//! The public keys that our access tokens verify with.

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    routing::get,
};

/// Serves the key set. Short-lived in caches, so that a new key is known before it signs.
pub fn router(jwks: &serde_json::Value) -> Router {
    let body: bytes::Bytes = jwks.to_string().into();
    let answer = move || {
        let headers = [
            (CONTENT_TYPE, "application/jwk-set+json"),
            (CACHE_CONTROL, "public, max-age=300"),
        ];
        std::future::ready((headers, body.clone()))
    };
    Router::new().route("/.well-known/jwks.json", get(answer))
}
