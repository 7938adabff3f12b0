//! The suite that every backend passes.

use std::sync::Arc;

use livedrop_server::store::{
    SharedStore,
    conformance::{projections, reopening},
};

use crate::keyspace::open;

/// Properties use ids of their own, so they share it.
const SHARED: &str = "livedrop_conformance";

async fn shared() -> SharedStore {
    Arc::new(open(SHARED).await)
}

livedrop_server::store_conformance!(async { (shared().await, ()) });

#[tokio::test]
async fn everything_survives_reopening() {
    reopening::everything_survives(shared().await, async |_| shared().await).await;
}

#[tokio::test]
async fn truncating_empties_derived_rows_only() {
    let store: SharedStore = Arc::new(open("livedrop_conformance_truncated").await);
    projections::truncating_empties_derived_rows_only(&store).await;
}
