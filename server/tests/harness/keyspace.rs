//! Keyspaces of a real database: a few, each given to one test at a time, and emptied before. One of its own for each test would cost five
//! seconds for its tables.

use std::{collections::BTreeSet, path::PathBuf, process::Stdio, sync::LazyLock};

use futures::{StreamExt as _, stream};
use livedrop_server::{
    config::{Backend, Config},
    store::scylla::Settings,
};
use scylla::client::{session::Session, session_builder::SessionBuilder};
use tokio::sync::Mutex;

use super::{
    process::{livedrop, told},
    seats::{Seat, Seats},
};

/// How many there are: enough for two cores to be busy, and for a test that needs two of them while others have the rest.
pub(crate) const COUNT: usize = 16;
/// Tables that are emptied at the same time.
const TABLES_AT_ONCE: usize = 6;
/// What `livedrop migrate` has written, and each server checks.
const KEPT: [&str; 2] = ["schema_versions", "settings"];

/// Keyspaces whose tables this process has seen to.
static MIGRATED: LazyLock<Mutex<BTreeSet<usize>>> = LazyLock::new(Mutex::default);

/// Where the real database is, as `host:port` of its nodes with commas between them, if the tests run on one.
pub(crate) fn database() -> Option<String> {
    std::env::var("LIVEDROP_TEST_CQL").ok()
}

/// A keyspace that nobody else has.
pub(crate) struct Keyspace {
    database: String,
    seat: Seat,
}

impl Keyspace {
    /// Waits for one, and empties it.
    pub(crate) async fn take(database: String) -> Self {
        // For all checkouts on this machine that use the database.
        let seats = Seats {
            folder: folder(&database),
            count: COUNT,
        };
        let seat = seats.take().await;
        let keyspace = Self { database, seat };
        keyspace.migrate().await;
        keyspace.empty().await;
        keyspace
    }

    pub(crate) fn name(&self) -> String {
        format!("livedrop_test_{}", self.seat.number)
    }

    /// Settings for a server in this process.
    pub(crate) fn configure(&self, config: &mut Config) {
        config.store.backend = Backend::Cql;
        config.cql.nodes = self.nodes();
        config.cql.keyspace = self.name();
        config.auth.key_file = Some(self.key_file());
        self.seat.keep();
    }

    /// The same as variables, for a server in a process of its own.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("LIVEDROP_STORE__BACKEND", "cql".to_owned()),
            ("LIVEDROP_CQL__NODES", self.database.clone()),
            ("LIVEDROP_CQL__KEYSPACE", self.name()),
            ("LIVEDROP_CQL__REPLICAS", "1".to_owned()),
            (
                "LIVEDROP_AUTH__KEY_FILE",
                self.key_file().to_str().unwrap().to_owned(),
            ),
        ]
    }

    /// The same for a store without a server.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            nodes: self.nodes(),
            keyspace: self.name(),
            datacenter: None,
            user: None,
            tls: None,
        }
    }

    /// What a server's process must have as its standard input.
    pub(crate) fn stdin(&self) -> Stdio {
        self.seat.stdin()
    }

    fn nodes(&self) -> Vec<String> {
        self.database.split(',').map(str::to_owned).collect()
    }

    /// One for all keyspaces and tests of a database: it remembers who made its tables.
    fn key_file(&self) -> PathBuf {
        folder(&self.database).join("keys.toml")
    }

    async fn migrate(&self) {
        // Tables are made one after the other anyway.
        let mut migrated = MIGRATED.lock().await;
        if migrated.contains(&self.seat.number) {
            return;
        }
        let mut migrate = livedrop(&["migrate"]);
        migrate.envs(self.environment()).stdin(self.stdin());
        let output = migrate.output().await;
        let (status, _, err) = told(output.unwrap());
        assert_eq!(status, 0, "{}: {err}", self.name());
        migrated.insert(self.seat.number);
    }

    /// Everything is gone but what `livedrop migrate` has written.
    pub(crate) async fn empty(&self) {
        let session = SessionBuilder::new().known_nodes(self.nodes());
        let session = session.build().await.unwrap();
        let tables = self.tables(&session).await;
        let kept = KEPT.map(str::to_owned);
        assert!(kept.iter().all(|kept| tables.contains(kept)), "{tables:?}");
        let others = tables.iter().filter(|table| !kept.contains(table));
        stream::iter(others)
            .for_each_concurrent(TABLES_AT_ONCE, |table| self.truncate(&session, table))
            .await;
    }

    async fn tables(&self, session: &Session) -> Vec<String> {
        let cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
        let found = session.query_unpaged(cql, (self.name(),)).await.unwrap();
        let found = found.into_rows_result().unwrap();
        let names = found.rows::<(String,)>().unwrap();
        names.map(|name| name.unwrap().0).collect()
    }

    /// Looks first: emptying a table takes ten times as long.
    async fn truncate(&self, session: &Session, table: &str) {
        let table = format!("{}.{table}", self.name());
        let look = format!("SELECT * FROM {table} LIMIT 1");
        let found = session.query_unpaged(look, ()).await.unwrap();
        if found.into_rows_result().unwrap().rows_num() > 0 {
            let truncate = format!("TRUNCATE {table}");
            session.query_unpaged(truncate, ()).await.unwrap();
        }
    }
}

fn folder(database: &str) -> PathBuf {
    let name = database.replace(|it: char| !it.is_ascii_alphanumeric(), "-");
    std::env::temp_dir().join(format!("livedrop-test-{name}"))
}
