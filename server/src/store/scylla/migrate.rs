//! Making a keyspace and its tables what this program needs. Idempotent; several at once are harmless.

use std::{collections::BTreeMap, fmt, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    ConnectError, Settings,
    db::Db,
    row::values,
    schema::{
        self, BOOTSTRAP, Found, HOME_DATACENTER, KEY_FINGERPRINT, MIGRATIONS, SCOPE, WARM_UP,
    },
    session::{self, Connected, Flavor},
};
use crate::{
    domain::Timestamp,
    store::{Result, StoreError},
};

/// Between two tries to reach a database that is starting.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A keyspace that is listed is known to its nodes after this at most.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);
/// One that was cut off holds the others up for so long.
const LEASE: Duration = Duration::from_secs(60);
/// Its name in `settings`.
const LEASE_NAME: &str = "migrating";

/// What is wished.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Copies of each row, if the keyspace is made.
    pub replicas: u32,
    /// Names the keys that all processes must have.
    pub fingerprint: String,
    /// Record these keys instead of those recorded before.
    pub replaces_keys: bool,
    /// Only say what would be done.
    pub is_dry: bool,
    /// How long to wait for a database that is starting, and for enough of its nodes.
    pub wait: Duration,
    /// Now.
    pub now: Timestamp,
}

/// Why a keyspace is not ready.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database can't be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There are fewer nodes than copies.
    #[error(
        "datacenter {datacenter:?} has {nodes} nodes, too few for {replicas} copies of each row: add nodes, or set cql.replicas"
    )]
    TooFewNodes {
        /// The home datacenter.
        datacenter: String,
        /// How many nodes it has.
        nodes: usize,
        /// How many are needed.
        replicas: u32,
    },
    /// Another one is at work, and does not end.
    #[error(
        "another `livedrop migrate` is at work: wait for its end, a minute at most if it was cut off"
    )]
    Busy,
}

impl From<StoreError> for MigrateError {
    fn from(error: StoreError) -> Self {
        Self::Connect(error.into())
    }
}

impl From<schema::SchemaProblem> for MigrateError {
    fn from(problem: schema::SchemaProblem) -> Self {
        Self::Connect(problem.into())
    }
}

/// One thing that was done, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// For people.
    pub what: String,
    /// The statements, if it has any.
    pub statements: Vec<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "-- {}", self.what)?;
        self.statements
            .iter()
            .try_for_each(|it| writeln!(f, "{it};"))
    }
}

/// Does what is missing, and tells `each` step.
///
/// # Errors
/// See [`MigrateError`]. What was done stays done; run it again.
pub async fn run(
    settings: &Settings,
    wishes: &Wishes,
    each: impl FnMut(&Step),
) -> std::result::Result<(), MigrateError> {
    // Callers need not carry the large future.
    Box::pin(bring_up_to_date(settings, wishes, each)).await
}

async fn bring_up_to_date(
    settings: &Settings,
    wishes: &Wishes,
    each: impl FnMut(&Step),
) -> std::result::Result<(), MigrateError> {
    let (at, has_keyspace) = connect(settings, wishes.replicas, wishes.wait).await?;
    let keyspace = &settings.keyspace;
    let mut work = Work {
        at: &at,
        keyspace,
        wishes,
        each,
    };
    if !has_keyspace {
        work.make_keyspace().await?;
        if wishes.is_dry {
            return work.migrate(&Found::default()).await;
        }
    }
    if has_keyspace {
        work.tell_replicas().await?;
    }
    enter(&at, keyspace).await?;
    if wishes.is_dry {
        let found = Found::read(&at, keyspace).await?;
        return work.migrate(&found).await;
    }
    for statement in schema::statements(BOOTSTRAP) {
        schema::run(&at, &statement).await?;
    }
    let lease = Lease::take(&at, keyspace).await?;
    let found = Found::read(&at, keyspace).await?;
    let migrated = work.migrate(&found).await;
    lease.give_back().await?;
    migrated
}

/// Names the keys that the keyspace's processes have; `None` before the first `run`.
///
/// # Errors
/// See [`MigrateError`].
pub async fn recorded_keys(
    settings: &Settings,
    wait: Duration,
) -> std::result::Result<Option<String>, MigrateError> {
    let (at, has_keyspace) = Box::pin(connect(settings, 0, wait)).await?;
    if !has_keyspace {
        return Ok(None);
    }
    let mut found = Found::read(&at, &settings.keyspace).await?;
    Ok(found.settings.remove(KEY_FINGERPRINT))
}

/// Connects, again and again for `wait` if nobody answers, or too few nodes are up for a keyspace that is not there. The second value:
/// whether it is.
async fn connect(
    settings: &Settings,
    replicas: u32,
    wait: Duration,
) -> std::result::Result<(Connected, bool), MigrateError> {
    let until = Instant::now() + wait;
    loop {
        match connect_once(settings, replicas).await {
            Err(
                MigrateError::Connect(ConnectError::Unreachable { .. } | ConnectError::Store(_))
                | MigrateError::TooFewNodes { .. },
            ) if Instant::now() < until => tokio::time::sleep(AGAIN_AFTER).await,
            connected => return connected,
        }
    }
}

async fn connect_once(
    settings: &Settings,
    replicas: u32,
) -> std::result::Result<(Connected, bool), MigrateError> {
    let at = session::connect(settings).await?;
    let has_keyspace = at.has_keyspace(&settings.keyspace).await?;
    if !has_keyspace && at.node_count < replicas as usize {
        return Err(MigrateError::TooFewNodes {
            datacenter: at.datacenter,
            nodes: at.node_count,
            replicas,
        });
    }
    Ok((at, has_keyspace))
}

/// Another one may have made the keyspace a moment ago: then it is listed before nodes know it.
async fn enter(at: &Connected, keyspace: &str) -> Result<()> {
    let until = Instant::now() + KNOWN_WITHIN;
    loop {
        match at.use_keyspace(keyspace).await {
            Err(_) if Instant::now() < until => tokio::time::sleep(AGAIN_AFTER).await,
            entered => return entered,
        }
    }
}

struct Work<'a, E> {
    at: &'a Connected,
    keyspace: &'a str,
    wishes: &'a Wishes,
    each: E,
}

impl<E: FnMut(&Step)> Work<'_, E> {
    /// Tells a step and does it, unless that is not wished.
    async fn step(&mut self, what: String, statements: Vec<String>) -> Result<()> {
        let step = Step { what, statements };
        (self.each)(&step);
        if !self.wishes.is_dry {
            for statement in &step.statements {
                schema::run_again(self.at, self.keyspace, statement).await?;
            }
        }
        Ok(())
    }

    async fn make_keyspace(&mut self) -> Result<()> {
        let (replicas, datacenter) = (self.wishes.replicas, &self.at.datacenter);
        let tablets = match self.at.flavor {
            Flavor::Scylla => " AND tablets = {'enabled': true}",
            Flavor::Cassandra => "",
        };
        let cql = format!(
            "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{'class': 'NetworkTopologyStrategy', '{datacenter}': {replicas}}}{tablets}",
            self.keyspace
        );
        self.step(format!("keyspace {}", self.keyspace), vec![cql])
            .await
    }

    /// Copies are never changed by the way: rows have to be copied first.
    async fn tell_replicas(&mut self) -> Result<()> {
        let cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let values = values![self.keyspace.to_owned()];
        let replication = session::ask(&self.at.session, cql, values, |row| {
            row.get::<BTreeMap<String, String>>("replication")
        });
        let mut replication = replication.await?.unwrap_or_default();
        let (wished, is) = (
            self.wishes.replicas.to_string(),
            replication.remove(&self.at.datacenter),
        );
        if let Some(is) = is.filter(|is| *is != wished) {
            let what = format!(
                "keyspace {} keeps {is} copies of each row, cql.replicas says {wished}: nothing is changed; see docs/operations.md",
                self.keyspace
            );
            self.step(what, Vec::new()).await?;
        }
        Ok(())
    }

    async fn migrate(&mut self, found: &Found) -> std::result::Result<(), MigrateError> {
        let (at, keyspace) = (self.at, self.keyspace);
        found.check_known(keyspace, at.flavor)?;
        found.check_home(keyspace, &at.datacenter)?;
        if !self.wishes.replaces_keys {
            found.check_keys(keyspace, &self.wishes.fingerprint)?;
        }
        let missing = MIGRATIONS
            .iter()
            .filter(|it| !found.versions.contains_key(&it.version));
        for migration in missing {
            self.step(migration.name.to_owned(), migration.statements(at.flavor))
                .await?;
            if !self.wishes.is_dry {
                let values = values![
                    SCOPE,
                    migration.version,
                    migration.name,
                    migration.checksum(at.flavor),
                    self.wishes.now.micros(),
                ];
                let cql = "INSERT INTO schema_versions (scope, version, name, checksum, applied_at) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS";
                session::ask(&at.session, cql, values, |_| Ok(())).await?;
            }
        }
        if found.versions.len() < MIGRATIONS.len() {
            let warm_up = if self.wishes.is_dry {
                Vec::new()
            } else {
                WARM_UP.map(str::to_owned).to_vec()
            };
            (self.each)(&Step {
                what: "warm up".to_owned(),
                statements: Vec::new(),
            });
            for cql in warm_up {
                session::ask(&at.session, &cql, vec![], |_| Ok(())).await?;
            }
        }
        self.record(found, HOME_DATACENTER, &at.datacenter).await?;
        self.record(found, KEY_FINGERPRINT, &self.wishes.fingerprint)
            .await?;
        Ok(())
    }

    /// Records what all processes must agree on.
    async fn record(&mut self, found: &Found, name: &str, value: &str) -> Result<()> {
        let recorded = found.settings.get(name);
        if recorded.is_some_and(|it| it == value) {
            return Ok(());
        }
        let (name, value) = (name.to_owned(), value.to_owned());
        (self.each)(&Step {
            what: format!("{name} = {value}"),
            statements: Vec::new(),
        });
        if self.wishes.is_dry {
            return Ok(());
        }
        let (cql, values) = match recorded {
            Some(before) => (
                "UPDATE settings SET value = ? WHERE name = ? IF value = ?",
                values![value, name, before.clone()],
            ),
            None => (
                "INSERT INTO settings (name, value) VALUES (?, ?) IF NOT EXISTS",
                values![name, value],
            ),
        };
        session::ask(&self.at.session, cql, values, |_| Ok(())).await?;
        Ok(())
    }
}

/// Keeps a second one away: two that make the same table at once confuse the database.
struct Lease<'a> {
    at: &'a Connected,
    id: String,
}

impl<'a> Lease<'a> {
    async fn take(at: &'a Connected, keyspace: &str) -> std::result::Result<Self, MigrateError> {
        let id = Uuid::new_v4().to_string();
        let db = Db::new(at.session.clone(), &at.datacenter, keyspace);
        let until = Instant::now() + 2 * LEASE;
        let cql = format!(
            "INSERT INTO settings (name, value) VALUES (?, ?) IF NOT EXISTS USING TTL {}",
            LEASE.as_secs()
        );
        let statement = db.lwt(&cql).await?;
        while Instant::now() < until {
            let values = values![LEASE_NAME, id.clone()];
            match db
                .lwt_once(&statement, &values, |row| row.get::<String>("value"))
                .await
            {
                Ok(super::lwt::Outcome::Applied) => return Ok(Self { at, id }),
                Ok(super::lwt::Outcome::Refused(Some(holder))) if holder == id => {
                    return Ok(Self { at, id });
                }
                Ok(super::lwt::Outcome::Refused(_)) | Err(StoreError::Indeterminate(_)) => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Err(error @ StoreError::Determinate(_)) => return Err(error.into()),
            }
        }
        Err(MigrateError::Busy)
    }

    async fn give_back(self) -> Result<()> {
        let cql = "DELETE FROM settings WHERE name = ? IF value = ?";
        session::ask(&self.at.session, cql, values![LEASE_NAME, self.id], |_| {
            Ok(())
        })
        .await?;
        Ok(())
    }
}
