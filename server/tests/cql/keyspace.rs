//! Keyspaces for tests.

use std::time::Duration;

use livedrop_server::{
    domain::Timestamp,
    store::scylla::{
        ScyllaStore, Settings,
        migrate::{self, Wishes},
    },
};

/// Of the keys that all tests have.
pub(crate) const FINGERPRINT: &str = "fingerprint";

/// Where a keyspace of this name is.
pub(crate) fn settings(keyspace: &str) -> Settings {
    let nodes = std::env::var("LIVEDROP_TEST_CQL")
        .expect("LIVEDROP_TEST_CQL names a database; `scripts/test cql` starts one");
    Settings {
        nodes: nodes.split(',').map(str::to_owned).collect(),
        keyspace: keyspace.to_owned(),
        datacenter: None,
        user: None,
        tls: None,
    }
}

pub(crate) fn wishes() -> Wishes {
    Wishes {
        replicas: 1,
        fingerprint: FINGERPRINT.to_owned(),
        replaces_keys: false,
        is_dry: false,
        wait: Duration::ZERO,
        now: Timestamp::from_micros(1),
    }
}

/// Opens a keyspace, after making it if need be.
pub(crate) async fn open(keyspace: &str) -> ScyllaStore {
    let settings = settings(keyspace);
    if let Ok(store) = ScyllaStore::open(&settings, Some(FINGERPRINT)).await {
        return store;
    }
    migrate::run(&settings, &wishes(), |_| ()).await.unwrap();
    ScyllaStore::open(&settings, Some(FINGERPRINT))
        .await
        .unwrap()
}
