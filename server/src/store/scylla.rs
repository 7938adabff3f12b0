//! The store on ScyllaDB, or what speaks CQL like it: for any number of processes.
//!
//! What must not be done twice is a lightweight transaction on one row (`lwt`), all else an upsert that may be repeated. What is known after
//! a failure is decided in one place (`outcome`). The tables are described in `cql/base`.

mod accounts;
mod audit;
mod db;
mod drops;
mod follows;
mod jobs;
mod ledger;
mod list;
mod lwt;
pub mod migrate;
mod orders;
mod outbox;
mod outcome;
mod payments;
mod processes;
mod products;
mod projections;
mod requests;
mod row;
mod schema;
mod search;
mod session;
mod sessions;
mod truth;

use std::fmt;

use tokio::sync::OnceCell;

use self::{db::Db, schema::Found};
pub use self::{
    schema::SchemaProblem,
    session::{ConnectError, Flavor, Settings},
};

/// All storage traits over one keyspace.
pub struct ScyllaStore {
    db: Db,
    ledgers: ledger::Statements,
    accounts: accounts::Statements,
    follows: follows::Statements,
    search: search::Statements,
    sessions: sessions::Statements,
    requests: lwt::Statements,
    drops: drops::Statements,
    // Apart: callers carry a store that was opened through futures.
    products: Box<products::Statements>,
    orders: orders::Statements,
    projections: projections::Statements,
    payments: payments::Statements,
    outbox: outbox::Statements,
    jobs: lwt::Statements,
    audit: audit::Statements,
    processes: processes::Statements,
    truth: OnceCell<truth::Statements>,
}

impl fmt::Debug for ScyllaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScyllaStore").finish_non_exhaustive()
    }
}

impl ScyllaStore {
    /// Connects to a keyspace that `livedrop migrate` has made ready. `fingerprint` names the keys of this process; tools that take no calls
    /// have none.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn open(
        settings: &Settings,
        fingerprint: Option<&str>,
    ) -> Result<Self, ConnectError> {
        // All that is prepared makes a large future, which callers need not carry.
        Box::pin(Self::connect(settings, fingerprint)).await
    }

    async fn connect(settings: &Settings, fingerprint: Option<&str>) -> Result<Self, ConnectError> {
        let at = session::connect(settings).await?;
        let keyspace = &settings.keyspace;
        at.must_have(keyspace).await?;
        let found = Found::read(&at, keyspace).await?;
        found.check_ready(keyspace, &at)?;
        if let Some(fingerprint) = fingerprint {
            found.check_keys(keyspace, fingerprint)?;
        }
        tracing::info!(
            database = %at.flavor, version = at.version, cluster = at.cluster, datacenter = at.datacenter, nodes = at.node_count, keyspace,
            "connected"
        );
        let flavor = at.flavor;
        let db = Db::new(at.session.clone(), &at.datacenter, keyspace);
        let store = Self {
            ledgers: ledger::Statements::prepare(&db).await?,
            accounts: accounts::Statements::prepare(&db).await?,
            follows: follows::Statements::prepare(&db).await?,
            search: search::Statements::prepare(&db).await?,
            sessions: sessions::Statements::prepare(&db).await?,
            requests: requests::prepare(&db).await?,
            drops: drops::Statements::prepare(&db).await?,
            products: Box::new(products::Statements::prepare(&db).await?),
            orders: orders::Statements::prepare(&db).await?,
            projections: projections::Statements::prepare(&db).await?,
            payments: payments::Statements::prepare(&db).await?,
            outbox: outbox::Statements::prepare(&db).await?,
            jobs: jobs::prepare(&db).await?,
            audit: audit::Statements::prepare(&db).await?,
            processes: processes::Statements::prepare(&db).await?,
            truth: OnceCell::new(),
            db,
        };
        // Cassandra does not tell the driver which statements are LWTs.
        let append = store.ledgers.append();
        if flavor == Flavor::Scylla && !append.is_confirmed_lwt() {
            return Err(ConnectError::NotRouted(append.get_statement().to_owned()));
        }
        Ok(store)
    }
}
