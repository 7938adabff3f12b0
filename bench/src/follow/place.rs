//! A server in this process, on a store that can be filled beside it.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use livedrop::{Client, v1};
use livedrop_server::{
    app::{App, Parts},
    config::{Config, Profile},
    env::{Env as _, SystemEnv},
    store::{
        SharedStore,
        embedded::{self, EmbeddedStore},
        scylla::{ScyllaStore, Settings, migrate},
    },
};
use tempfile::TempDir;
use uuid::Uuid;

use super::Options;
use crate::ledger::Backend;

/// A server, and what it is on.
pub(super) struct Place {
    app: App,
    /// Of the embedded store.
    _dir: TempDir,
}

impl Place {
    /// Starts one on an empty store.
    pub(super) async fn open(options: &Options) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let store: SharedStore = match options.store {
            Backend::Embedded => Arc::new(EmbeddedStore::open(
                dir.path(),
                embedded::Options::default(),
            )?),
            Backend::Cql => Arc::new(database(&options.cql).await?),
        };
        let mut config = Config::new(Profile::Dev);
        config.server.listen = ([127, 0, 0, 1], 0).into();
        config.server.metrics_listen = None;
        let parts = Parts {
            store: Some(store),
            ..Parts::default()
        };
        let app = App::start_with(&config, parts).await?;
        Ok(Self { app, _dir: dir })
    }

    pub(super) fn store(&self) -> SharedStore {
        self.app.ctx.store.clone()
    }

    /// Somebody new.
    pub(super) async fn person(&self) -> anyhow::Result<Client> {
        let client = Client::builder(self.app.endpoint()).build()?;
        let id = Uuid::new_v4().simple().to_string();
        let request = v1::SignUpRequest {
            email: format!("{id}@example.com"),
            password: id,
            display_name: "Somebody".to_owned(),
            ..Default::default()
        };
        client.sign_up(request).await?;
        Ok(client)
    }

    /// Somebody new with a profile, and their id.
    pub(super) async fn creator(&self) -> anyhow::Result<(Client, String)> {
        let client = self.person().await?;
        let id = Uuid::new_v4().simple().to_string();
        let request = v1::BecomeCreatorRequest {
            handle: format!("c{}", id.get(..20).unwrap_or_default()),
            display_name: "A creator".to_owned(),
            bio: String::new(),
        };
        let creator = client.become_creator(request).await?.creator;
        Ok((client, creator.context("no profile")?.creator_id))
    }

    /// Stops the server.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        Ok(self.app.shutdown(Duration::from_secs(30)).await?)
    }
}

/// A keyspace of our own: nothing of anybody's is touched.
async fn database(nodes: &[String]) -> anyhow::Result<ScyllaStore> {
    let keyspace = format!("livedrop_bench_{}", Uuid::new_v4().simple());
    eprintln!("keyspace {keyspace}");
    let settings = Settings {
        nodes: nodes.to_vec(),
        keyspace,
        datacenter: None,
        user: None,
        tls: None,
    };
    let wishes = migrate::Wishes {
        replicas: u32::try_from(nodes.len().clamp(1, 3))?,
        fingerprint: String::new(),
        replaces_keys: false,
        is_dry: false,
        wait: Duration::from_secs(60),
        now: SystemEnv.now(),
    };
    migrate::run(&settings, &wishes, |_| ()).await?;
    Ok(ScyllaStore::open(&settings, None).await?)
}
