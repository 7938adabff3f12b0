//! A database for the servers of one run: a keyspace of its own, made by `livedrop migrate`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::{process::Command, time::timeout};
use uuid::Uuid;

/// Three busy nodes agree on a table in a second or two, and there are some thirty.
const MIGRATE_TIMEOUT: Duration = Duration::from_secs(180);
/// More copies of a row than this help nobody.
const REPLICAS_MAX: usize = 3;

/// Where all servers keep what must last.
#[derive(Debug)]
pub(crate) struct Database {
    nodes: Vec<String>,
    /// Of this run alone.
    pub(crate) keyspace: String,
    key_file: PathBuf,
}

impl Database {
    /// A keyspace that is not there yet. `data` is where the servers' common keys go.
    pub(crate) fn new(nodes: &[String], data: &Path) -> Self {
        let run: String = Uuid::new_v4().simple().to_string();
        let run = run.chars().take(12).collect::<String>();
        Self {
            nodes: nodes.to_vec(),
            keyspace: format!("rush_{run}"),
            key_file: data.join("keys.toml"),
        }
    }

    /// What a server needs to find it.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let replicas = self.nodes.len().min(REPLICAS_MAX).to_string();
        let key_file = self.key_file.display().to_string();
        [
            ("STORE__BACKEND", "cql"),
            ("CQL__NODES", &self.nodes.join(",")),
            ("CQL__KEYSPACE", &self.keyspace),
            ("CQL__REPLICAS", &replicas),
            ("AUTH__KEY_FILE", &key_file),
        ]
        .map(|(name, value)| (format!("LIVEDROP_{name}"), value.to_owned()))
        .into()
    }

    /// Makes the keyspace and its tables.
    pub(crate) async fn migrate(&self, binary: &Path) -> anyhow::Result<()> {
        let migration = Command::new(binary)
            // Nodes that have just started don't all know each other yet.
            .args(["migrate", "--wait", "60"])
            .envs(self.variables())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(MIGRATE_TIMEOUT, migration).await;
        let output = output.context("`livedrop migrate` takes too long")??;
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        ensure!(
            output.status.success(),
            "`livedrop migrate` failed:\n{told}"
        );
        Ok(())
    }
}
