//! Where the servers of a test keep what must last: a directory, and on CQL a keyspace too.

use std::{path::Path, sync::Arc, time::Duration};

use livedrop_server::{
    config::Config,
    jobs::sweeper::SWEEP_EVERY,
    store::{
        SharedStore,
        embedded::{EmbeddedStore, FILE_NAME, Options},
        processes::DEAD_AFTER,
        scylla::ScyllaStore,
    },
};
use tempfile::TempDir;
use tokio::{process::Command, sync::OnceCell};

use super::{
    keyspace::{self, Keyspace},
    process::livedrop,
};

/// A test's own.
pub(crate) struct Home {
    dir: TempDir,
    keyspace: Option<Keyspace>,
    shared: OnceCell<SharedStore>,
}

/// What dead servers have left.
pub(crate) struct Left {
    pub(crate) store: SharedStore,
    /// Goes after the store.
    _copy: Option<TempDir>,
}

impl Home {
    /// On the backend that is tested.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keyspace = match keyspace::database() {
            Some(database) => Some(Keyspace::take(database).await),
            None => None,
        };
        Self {
            dir,
            keyspace,
            shared: OnceCell::new(),
        }
    }

    /// Embedded, whatever is tested.
    pub(crate) fn of_files() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            keyspace: None,
            shared: OnceCell::new(),
        }
    }

    pub(crate) fn data(&self) -> &Path {
        self.dir.path()
    }

    /// Settings for a server in this process.
    pub(crate) fn configure(&self, config: &mut Config) {
        config.store.data = Some(self.dir.path().to_owned());
        if let Some(keyspace) = &self.keyspace {
            keyspace.configure(config);
        }
    }

    /// The binary, told by its environment which database is meant, if any.
    pub(crate) fn livedrop(&self, args: &[&str]) -> Command {
        let mut command = livedrop(args);
        if let Some(keyspace) = &self.keyspace {
            command.envs(keyspace.environment());
            command.stdin(keyspace.stdin());
        }
        command
    }

    /// The binary, told where everything is.
    pub(crate) fn tool(&self, args: &[&str]) -> Command {
        let data = self.data().to_str().unwrap();
        self.livedrop(&[args, &["--data", data]].concat())
    }

    /// How long it takes at most until the next server takes up what a killed one has left. An embedded store can have one server only; on
    /// CQL others may live, so it must have been silent for some time, and is looked for from time to time.
    pub(crate) fn taken_up_within(&self) -> Duration {
        match self.keyspace {
            Some(_) => DEAD_AFTER + SWEEP_EVERY,
            None => Duration::ZERO,
        }
    }

    /// The store beside its servers, if they let others have it open.
    pub(crate) async fn shared(&self) -> Option<SharedStore> {
        let keyspace = self.keyspace.as_ref()?;
        let open = async || {
            let opened = ScyllaStore::open(&keyspace.settings(), None).await;
            let store: SharedStore = Arc::new(opened.unwrap());
            store
        };
        Some(Arc::clone(self.shared.get_or_init(open).await))
    }

    /// The store, as dead servers have left it. Of a file it is a copy, for opening changes it.
    pub(crate) async fn left(&self) -> Left {
        if let Some(store) = self.shared().await {
            return Left { store, _copy: None };
        }
        let copy = tempfile::tempdir().unwrap();
        let file = self.data().join(FILE_NAME);
        std::fs::copy(file, copy.path().join(FILE_NAME)).unwrap();
        let store = EmbeddedStore::open(copy.path(), Options::default()).unwrap();
        Left {
            store: Arc::new(store),
            _copy: Some(copy),
        }
    }
}
