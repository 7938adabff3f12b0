//! All servers of a run: one, or several on one database.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::server::{Launch, Server};

/// Who is started again when somebody has killed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    /// Each.
    All,
    /// The first one; it has to finish the work of the others.
    First,
}

/// The servers, killed when dropped.
#[derive(Debug)]
pub(crate) struct Fleet(Vec<Server>);

impl Fleet {
    /// Starts so many servers, with data and logs in `data`.
    pub(crate) async fn start(launch: Launch, count: u8, data: &Path) -> anyhow::Result<Self> {
        let launch = Arc::new(launch);
        let ports = free_ports(2 * usize::from(count))?;
        let mut servers = Vec::new();
        for (number, ports) in (1..).zip(ports.chunks_exact(2)) {
            let own = match number {
                1 => data.to_owned(),
                more => data.join(format!("server-{more}")),
            };
            if let [port, metrics_port] = *ports {
                let server = Server::start(Arc::clone(&launch), own, (port, metrics_port));
                servers.push(server.await?);
            }
        }
        Ok(Self(servers))
    }

    /// Where they listen.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.0.iter().map(Server::endpoint).collect()
    }

    /// Where their counters are.
    pub(crate) fn metrics_urls(&self) -> Vec<String> {
        self.0.iter().map(Server::metrics_url).collect()
    }

    /// Their processes, of now.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        self.0.iter().map(Server::process_id).collect()
    }

    /// Their logs.
    pub(crate) fn logs(&self) -> Vec<PathBuf> {
        self.0.iter().map(Server::log).collect()
    }

    /// Starts counting CPU time at zero.
    pub(crate) fn reset_cpu(&mut self) {
        self.0.iter_mut().for_each(Server::reset_cpu);
    }

    /// CPU time since the reset.
    pub(crate) fn cpu(&self) -> Duration {
        self.0.iter().map(Server::cpu).sum()
    }

    /// Kills the one whose turn it is, and starts it again.
    pub(crate) async fn kill_and_restart(&mut self, turn: usize) -> anyhow::Result<()> {
        let count = self.0.len().max(1);
        match self.0.get_mut(turn % count) {
            Some(server) => server.kill_and_restart().await,
            None => Ok(()),
        }
    }

    /// Starts again whom somebody has killed, one after the other; how many.
    pub(crate) async fn restart_killed(&mut self, who: Restart) -> anyhow::Result<usize> {
        let count = match who {
            Restart::All => self.0.len(),
            Restart::First => 1,
        };
        let mut restarted = 0;
        for server in self.0.iter_mut().take(count) {
            restarted += usize::from(server.restart_if_killed().await?);
        }
        Ok(restarted)
    }

    /// Ends all with SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.0.iter_mut().try_for_each(Server::kill)
    }

    /// Checks all ledgers on the disk of a killed server that had it for itself. Returns what is wrong.
    pub(crate) fn verify(&self) -> anyhow::Result<Option<String>> {
        self.0.first().map_or(Ok(None), Server::verify)
    }
}

/// Ports that nobody has: all are held until the last is found.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let bind = |_| TcpListener::bind("127.0.0.1:0");
    let held: Vec<TcpListener> = (0..count).map(bind).collect::<Result<_, _>>()?;
    let port = |it: &TcpListener| it.local_addr().map(|at| at.port());
    Ok(held.iter().map(port).collect::<Result<_, _>>()?)
}
