//! Plain HTTP, only where the outside world needs it.

pub mod health;
pub mod jwks;
pub mod media;
pub mod metrics;
pub mod test_provider;
pub mod webhooks;

use axum::Router;

use crate::rpc::Readiness;

/// The plain half of the public port: `/healthz`, `/readyz` and `/.well-known/jwks.json`; anything else is 404.
pub fn router(readiness: Readiness, jwks: &serde_json::Value) -> Router {
    health::router(readiness).merge(jwks::router(jwks))
}
