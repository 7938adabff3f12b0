//! The server under test as a process of its own, killed when dropped.

use std::{
    fs::{File, OpenOptions},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use tokio::time::{Instant, sleep};

use super::wire;

/// CPU time in `/proc` is counted in these, on every Linux.
const TICKS_PER_SECOND: u64 = 100;
/// A start on a fresh directory takes a second or two, one after a kill reads the ledgers again.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two starts of one that can't.
const START_AGAIN: Duration = Duration::from_millis(200);

/// Signal 9.
const SIGKILL: i32 = 9;

/// What all servers of a run have in common.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The program.
    pub(crate) binary: PathBuf,
    /// Settings beyond the flags.
    pub(crate) variables: Vec<(String, String)>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    launch: Arc<Launch>,
    data: PathBuf,
    port: u16,
    metrics_port: u16,
    child: Child,
    /// CPU time of the killed ones since the last [`Server::reset_cpu`].
    cpu_before: Duration,
    cpu_at_reset: Duration,
}

impl Server {
    /// Starts a server on these ports, with its data and its log in `data`.
    pub(crate) async fn start(
        launch: Arc<Launch>,
        data: PathBuf,
        (port, metrics_port): (u16, u16),
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&data)?;
        let child = spawn(&launch, &data, port, metrics_port)?;
        let mut server = Self {
            launch,
            data,
            port,
            metrics_port,
            child,
            cpu_before: Duration::ZERO,
            cpu_at_reset: Duration::ZERO,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its counters are.
    pub(crate) fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.metrics_port)
    }

    /// Its process, of now.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Its log.
    pub(crate) fn log(&self) -> PathBuf {
        log_path(&self.data)
    }

    /// Ends it with SIGKILL and starts it again, same data and ports.
    pub(crate) async fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.restart().await
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.cpu_before += self.child_cpu().saturating_sub(self.cpu_at_reset);
        self.cpu_at_reset = Duration::ZERO;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again if somebody has killed it; true if so. One that ends by itself is an error.
    pub(crate) async fn restart_if_killed(&mut self) -> anyhow::Result<bool> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(false);
        };
        if status.signal() != Some(SIGKILL) {
            return Err(self.ended(status));
        }
        // What it had used is gone with it.
        self.cpu_at_reset = Duration::ZERO;
        self.restart().await?;
        Ok(true)
    }

    /// As a service manager does: again and again while it can't start, for what it needs may be away too.
    async fn restart(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            self.child = spawn(&self.launch, &self.data, self.port, self.metrics_port)?;
            match self.wait_until_ready().await {
                Ok(()) => return Ok(()),
                Err(error) if start.elapsed() > START_TIMEOUT => return Err(error),
                Err(_) => sleep(START_AGAIN).await,
            }
            self.child.kill()?;
            self.child.wait()?;
        }
    }

    /// Checks all ledgers on the disk of a killed server. Returns what is wrong.
    pub(crate) fn verify(&self) -> anyhow::Result<Option<String>> {
        let mut verify = Command::new(&self.launch.binary);
        verify
            .args(["ledger", "verify", "--all", "--data"])
            .arg(store(&self.data));
        let output = verify.output()?;
        let told = [output.stdout, output.stderr].concat();
        Ok((!output.status.success()).then(|| String::from_utf8_lossy(&told).into_owned()))
    }

    /// Starts counting CPU time at zero.
    pub(crate) fn reset_cpu(&mut self) {
        self.cpu_before = Duration::ZERO;
        self.cpu_at_reset = self.child_cpu();
    }

    /// CPU time since the reset, of all processes that were this server.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu_before + self.child_cpu().saturating_sub(self.cpu_at_reset)
    }

    fn child_cpu(&self) -> Duration {
        cpu_of(&self.child.id().to_string())
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.ended(status));
            }
            let endpoint = self.endpoint();
            if wire::reach(&endpoint, Duration::from_secs(1)).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "the server does not answer after {START_TIMEOUT:?}:\n{}",
            self.log_tail()
        )
    }

    fn ended(&self, status: ExitStatus) -> anyhow::Error {
        anyhow!("the server ended with {status}:\n{}", self.log_tail())
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(log_path(&self.data)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines
            .get(lines.len().saturating_sub(20)..)
            .unwrap_or_default()
            .join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time, user and system, of a process: its id, or `self`.
pub(crate) fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Fields 14 and 15; the second field is a name in brackets that may hold blanks.
    let fields = stat
        .rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// The file of the test provider of the server whose data is there.
pub(crate) fn provider_file(data: &Path) -> PathBuf {
    store(data).join("test-provider.jsonl")
}

fn log_path(data: &Path) -> PathBuf {
    data.join("server.log")
}

fn store(data: &Path) -> PathBuf {
    data.join("store")
}

fn spawn(launch: &Launch, data: &Path, port: u16, metrics_port: u16) -> anyhow::Result<Child> {
    let log: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log_path(data))?;
    Command::new(&launch.binary)
        .args(["dev", "--empty"])
        .args(["--metrics-listen", &format!("127.0.0.1:{metrics_port}")])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(store(data))
        .envs(launch.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("can't start {}", launch.binary.display()))
}

/// The server's binary beside this one. Under `cargo run` it is built first, so that what is measured is what the tree says.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("livedrop");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let release = (!cfg!(debug_assertions)).then_some("--release");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "-p", "livedrop-server"]);
        let status = build.args(release).status()?;
        ensure!(status.success(), "the server can't be built");
    }
    ensure!(
        binary.exists(),
        "there is no {}: build livedrop-server first",
        binary.display()
    );
    Ok(binary)
}
