//! Connecting: nodes, user, TLS, datacenter.

use std::{fmt, sync::Arc, time::Duration};

use scylla::{
    client::{session::Session, session_builder::SessionBuilder},
    errors::{
        ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError,
        MetadataError, NewSessionError,
    },
    policies::timestamp_generator::MonotonicTimestampGenerator,
};

use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use super::{
    outcome,
    row::{self, Value, values},
    schema::SchemaProblem,
};
use crate::store::StoreError;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A node that has stopped, but not its machine, keeps connections open and answers nothing: they are closed after these.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(4);
/// DDL on a busy cluster.
pub(super) const AGREEMENT_WITHIN: Duration = Duration::from_secs(60);

/// Where the database is, and as whom.
#[derive(Clone)]
pub struct Settings {
    /// Nodes to begin with, as `host:port`.
    pub nodes: Vec<String>,
    /// The keyspace. It becomes part of statements: `a-z`, `0-9` and `_` only.
    pub keyspace: String,
    /// The home datacenter; `None`: that of the node which answers first.
    pub datacenter: Option<String>,
    /// User and password.
    pub user: Option<(String, String)>,
    /// How to make sure whom one talks to; `None`: plain connections.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("nodes", &self.nodes)
            .field("keyspace", &self.keyspace)
            .field("datacenter", &self.datacenter)
            .finish_non_exhaustive()
    }
}

/// Why the database can't be used. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No node answers.
    #[error("no database answers at {nodes} ({cause}): start it, or set cql.nodes")]
    Unreachable {
        /// Whom was asked.
        nodes: String,
        /// What the last one did.
        cause: String,
    },
    /// A node answers, and not by TLS.
    #[error(
        "the database at {nodes} does not speak TLS: unset cql.tls_ca, or name its port for TLS"
    )]
    NoTls {
        /// Whom was asked.
        nodes: String,
    },
    /// The database wants another user or password.
    #[error("the database at {nodes} refuses {who}: set cql.user and cql.password_secret")]
    Refused {
        /// Whom was asked.
        nodes: String,
        /// As whom.
        who: String,
    },
    /// No node is in the home datacenter.
    #[error("the database has no datacenter {wanted:?}, but {known}: set cql.datacenter")]
    NoDatacenter {
        /// The home datacenter by the settings.
        wanted: String,
        /// Those that there are.
        known: String,
    },
    /// There is no such keyspace.
    #[error(
        "the database has no keyspace {keyspace:?}: run `livedrop migrate`, or set cql.keyspace"
    )]
    NoKeyspace {
        /// By the settings.
        keyspace: String,
    },
    /// The tables are not those that this program knows, or not of this house.
    #[error(transparent)]
    Schema(#[from] SchemaProblem),
    /// The driver does not see that a statement is an LWT, and would send it to any replica.
    #[error(
        "the driver does not route `{0}` as LWT: this version of ScyllaDB is too old, 2025.4 or newer is needed"
    )]
    NotRouted(String),
    /// A statement failed.
    #[error("the database failed at the start")]
    Store(#[from] StoreError),
}

/// What kind of database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// ScyllaDB.
    Scylla,
    /// Apache Cassandra.
    Cassandra,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scylla => "ScyllaDB",
            Self::Cassandra => "Apache Cassandra",
        })
    }
}

/// A session and what it found.
pub(super) struct Connected {
    pub(super) session: Arc<Session>,
    pub(super) flavor: Flavor,
    /// As the database says; ScyllaDB says which Cassandra it is like.
    pub(super) version: String,
    pub(super) cluster: String,
    /// The home datacenter.
    pub(super) datacenter: String,
    /// Nodes in the home datacenter.
    pub(super) node_count: usize,
}

/// Connects, without choosing a keyspace.
pub(super) async fn connect(settings: &Settings) -> Result<Connected, ConnectError> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&settings.nodes)
        .tls_context(settings.tls.clone())
        .connection_timeout(CONNECT_WITHIN)
        .keepalive_interval(KEEPALIVE_EVERY)
        .keepalive_timeout(KEEPALIVE_WITHIN)
        .schema_agreement_timeout(AGREEMENT_WITHIN)
        .keyspaces_to_fetch([&settings.keyspace])
        // One process' writes to a row stay in order, whichever nodes they go through.
        .timestamp_generator(Arc::new(MonotonicTimestampGenerator::new()));
    if let Some((user, password)) = &settings.user {
        builder = builder.user(user, password);
    }
    // What it logs on a failure, the error says in one line.
    let session = builder.build().with_subscriber(NoSubscriber::new()).await;
    let session = session.map_err(|error| not_connected(settings, &error))?;
    let nodes = session.get_cluster_state();
    let datacenters: Vec<_> = nodes
        .get_nodes_info()
        .iter()
        .filter_map(|it| it.datacenter.clone())
        .collect();
    let local = ask(
        &session,
        "SELECT release_version, cluster_name, data_center FROM system.local",
        vec![],
        |row| {
            Ok((
                row.get("release_version")?,
                row.get("cluster_name")?,
                row.get::<String>("data_center")?,
            ))
        },
    )
    .await?;
    let Some((version, cluster, nearest)) = local else {
        return Err(StoreError::Determinate("system.local is empty".to_owned()).into());
    };
    let datacenter = settings.datacenter.clone().unwrap_or(nearest);
    let node_count = datacenters.iter().filter(|it| **it == datacenter).count();
    if node_count == 0 {
        let mut known = datacenters;
        known.sort_unstable();
        known.dedup();
        return Err(ConnectError::NoDatacenter {
            wanted: datacenter,
            known: known.join(", "),
        });
    }
    // Only ScyllaDB has a table of this name.
    let marker = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system' AND table_name = 'scylla_local'";
    let found = ask(&session, marker, vec![], |_| Ok(())).await?;
    let flavor = if found.is_some() {
        Flavor::Scylla
    } else {
        Flavor::Cassandra
    };
    Ok(Connected {
        session: Arc::new(session),
        flavor,
        version,
        cluster,
        datacenter,
        node_count,
    })
}

impl Connected {
    /// Refuses a database without the keyspace.
    pub(super) async fn must_have(&self, keyspace: &str) -> Result<(), ConnectError> {
        if self.has_keyspace(keyspace).await? {
            return Ok(());
        }
        Err(ConnectError::NoKeyspace {
            keyspace: keyspace.to_owned(),
        })
    }

    /// Statements that name tables alone mean those of this keyspace from now on.
    pub(super) async fn use_keyspace(&self, keyspace: &str) -> Result<(), StoreError> {
        let used = self.session.use_keyspace(keyspace, false).await;
        used.map_err(|error| StoreError::Determinate(error.to_string()))
    }

    pub(super) async fn has_keyspace(&self, keyspace: &str) -> Result<bool, StoreError> {
        let cql = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let found = ask(&self.session, cql, values![keyspace.to_owned()], |_| Ok(())).await?;
        Ok(found.is_some())
    }
}

/// The first row of a statement that is run once.
pub(super) async fn ask<T>(
    session: &Session,
    cql: &str,
    values: Vec<Value>,
    read: impl FnOnce(&row::Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let answer = session.query_unpaged(cql, values).await;
    let rows = answer
        .map_err(|error| outcome::of(cql, &error))?
        .into_rows_result()
        .map_err(|error| outcome::unreadable(cql, error))?;
    row::first(&rows, read)
}

fn not_connected(settings: &Settings, error: &NewSessionError) -> ConnectError {
    let nodes = settings.nodes.join(", ");
    if is_refused(error) {
        let who = settings.user.as_ref().map_or_else(
            || "a connection without user and password".to_owned(),
            |(user, _)| format!("the user {user:?} with the password given"),
        );
        return ConnectError::Refused { nodes, who };
    }
    let cause = if let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
        ConnectionPoolError::Broken {
            last_connection_error,
        },
    )) = error
    {
        last_connection_error.to_string()
    } else {
        error.to_string()
    };
    // What rustls says of an answer that is no TLS.
    if settings.tls.is_some() && cause.contains("InvalidContentType") {
        return ConnectError::NoTls { nodes };
    }
    ConnectError::Unreachable { nodes, cause }
}

fn is_refused(error: &NewSessionError) -> bool {
    let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
        ConnectionPoolError::Broken {
            last_connection_error: ConnectionError::ConnectionSetupRequestError(setup),
        },
    )) = error
    else {
        return false;
    };
    matches!(
        setup.get_error(),
        ConnectionSetupRequestErrorKind::MissingAuthentication
            | ConnectionSetupRequestErrorKind::DbError(
                DbError::AuthenticationError | DbError::Unauthorized,
                _
            )
    )
}
