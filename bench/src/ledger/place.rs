//! Where the contenders work: the store of the engine, and the database of the controls. What is made here is removed at the end.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use livedrop_server::{
    env::{Env as _, SystemEnv},
    store::{
        SharedStore,
        embedded::{self, EmbeddedStore},
        faulty::{FaultPlan, Faulty, Odds},
        scylla::{ScyllaStore, Settings, migrate},
    },
};
use scylla::client::{session::Session, session_builder::SessionBuilder};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Backend, Options, machine, usual::Usual};

/// More copies of a row than this help nobody.
const REPLICAS_MAX: usize = 3;

/// A store, and what it is in.
#[derive(Debug)]
pub(super) struct Place {
    store: SharedStore,
    database: Option<Database>,
    disk: PathBuf,
    /// Of the embedded store.
    _dir: TempDir,
}

/// A keyspace of our own.
#[derive(Debug)]
struct Database {
    session: Arc<Session>,
    keyspace: String,
    usual: Usual,
}

impl Place {
    /// Makes a store.
    pub(super) async fn open(options: &Options) -> anyhow::Result<Self> {
        let disk = options.data.clone().unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&disk)?;
        let dir = tempfile::Builder::new()
            .prefix("livedrop-ledger-")
            .tempdir_in(&disk)?;
        let (store, database) = match options.store {
            Backend::Embedded => (embedded(&dir, options.slower)?, None),
            Backend::Cql => {
                let (store, database) = Box::pin(Database::open(options)).await?;
                (store, Some(database))
            }
        };
        Ok(Self {
            store,
            database,
            disk,
            _dir: dir,
        })
    }

    pub(super) fn store(&self) -> SharedStore {
        self.store.clone()
    }

    /// The counter on the same database.
    pub(super) fn usual(&self) -> anyhow::Result<&Usual> {
        let database = self.database.as_ref().context("no database")?;
        Ok(&database.usual)
    }

    /// Machine, disk and database, a line each.
    pub(super) async fn describe(&self) -> anyhow::Result<Vec<String>> {
        let mut lines = machine::describe(&self.disk)?;
        lines.push(match &self.database {
            Some(database) => database.describe().await?,
            None => "store: embedded".to_owned(),
        });
        Ok(lines)
    }

    /// Removes what was made.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        drop(self.store);
        if let Some(database) = self.database {
            let keyspace = format!("DROP KEYSPACE {}", database.keyspace);
            database.session.query_unpaged(keyspace, ()).await?;
        }
        Ok(())
    }
}

fn embedded(dir: &TempDir, slower: Option<u64>) -> anyhow::Result<SharedStore> {
    let store = EmbeddedStore::open(dir.path(), embedded::Options::default())?;
    let store = Arc::new(store);
    let Some(slower) = slower else {
        return Ok(store);
    };
    let plan = FaultPlan {
        append: Odds {
            delay: 1.0,
            ..Odds::default()
        },
        delay_max: Duration::from_millis(slower),
        ..FaultPlan::default()
    };
    Ok(Arc::new(Faulty::new(store, Arc::new(SystemEnv), plan, 1)))
}

impl Database {
    /// Makes a keyspace as `livedrop migrate` does, and opens the server's store in it. The controls have a connection of their own.
    async fn open(options: &Options) -> anyhow::Result<(SharedStore, Self)> {
        // New each time: nothing of anybody's is ever dropped.
        let keyspace = format!("livedrop_bench_{}", Uuid::new_v4().simple());
        eprintln!("keyspace {keyspace}");
        let settings = Settings {
            nodes: options.cql.clone(),
            keyspace: keyspace.clone(),
            datacenter: None,
            user: None,
            tls: None,
        };
        let wishes = migrate::Wishes {
            replicas: u32::try_from(options.cql.len().min(REPLICAS_MAX))?,
            fingerprint: String::new(),
            replaces_keys: false,
            is_dry: false,
            wait: Duration::from_secs(60),
            now: SystemEnv.now(),
        };
        migrate::run(&settings, &wishes, |_| ()).await?;
        let store = ScyllaStore::open(&settings, None).await?;
        let session = SessionBuilder::new()
            .known_nodes(&options.cql)
            .use_keyspace(&keyspace, false)
            .build()
            .await?;
        let session = Arc::new(session);
        let usual = Usual::prepare(Arc::clone(&session)).await?;
        let database = Self {
            session,
            keyspace,
            usual,
        };
        Ok((Arc::new(store), database))
    }

    async fn describe(&self) -> anyhow::Result<String> {
        let local = "SELECT release_version FROM system.local";
        let found = self.session.query_unpaged(local, ()).await?;
        let (version,) = found.into_rows_result()?.single_row::<(String,)>()?;
        let nodes = self.session.get_cluster_state().get_nodes_info().len();
        Ok(format!("store: cql, release {version}, {nodes} nodes"))
    }
}
