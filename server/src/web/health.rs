//! For load balancers and supervisors.

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::rpc::Readiness;

/// `/healthz` is OK while the process can answer at all; `/readyz` says 503 and why while calls had better go elsewhere.
pub fn router(readiness: Readiness) -> Router {
    let readyz = async |State(readiness): State<Readiness>| match readiness.reason() {
        None => (StatusCode::OK, "ready".into()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
    };
    Router::new()
        .route("/healthz", get(async || "alive"))
        .route("/readyz", get(readyz))
        .with_state(readiness)
}
