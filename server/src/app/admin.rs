//! The admin socket `livedrop.sock` in the data directory: the store has one process, so tools ask that one. For the owner only. All that
//! it changes is orders settled by hand, through the ledger's writer like any other command; backups are written beside the store.
//!
//! One JSON object a line each way: see [`protocol`].

pub mod client;
pub mod protocol;

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use self::protocol::{Answer, Call};
use super::backup::Backup;
use crate::{ledger::verify, service::Operator};

/// The socket's name in the data directory.
pub const SOCKET_NAME: &str = "livedrop.sock";

/// Tools at once; more wait.
const TOOLS_MAX: usize = 8;

/// A tool asks its next question, and takes its answer, within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// After a failed accept, as when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The open socket.
#[derive(Debug)]
pub struct AdminSocket {
    path: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl AdminSocket {
    /// Opens the socket in `dir`, in place of one that a killed process has left. Without `backup` the store can't be copied.
    ///
    /// # Errors
    /// As the system says; so if the path is longer than a socket's may be, about 100 bytes.
    pub fn open(dir: &Path, operator: Operator, backup: Option<Backup>) -> io::Result<Self> {
        let path = dir.join(SOCKET_NAME);
        // Others can't reach it before it has its mode: it is made in a folder of its own, mode 0700, and moved.
        let private = tempfile::Builder::new().prefix(".s").tempdir_in(dir)?;
        let made = private.path().join("s");
        let listener = UnixListener::bind(&made)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, &path)?;
        let (stop, stopped) = oneshot::channel();
        let desk = Desk { operator, backup };
        let task = tokio::spawn(serve(listener, desk, stopped));
        Ok(Self { path, stop, task })
    }

    /// Closes the socket and lets go of the store.
    pub async fn close(self) {
        let _ = fs::remove_file(&self.path);
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Who answers.
#[derive(Debug, Clone)]
struct Desk {
    operator: Operator,
    backup: Option<Backup>,
}

async fn serve(listener: UnixListener, desk: Desk, mut stopped: oneshot::Receiver<()>) {
    let mut tools = JoinSet::new();
    loop {
        let has_room = tools.len() < TOOLS_MAX;
        tokio::select! {
            _ = &mut stopped => break,
            Some(_ended) = tools.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, _)) => drop(tools.spawn(converse(stream, desk.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "admin socket cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    tools.shutdown().await;
}

/// Answers until the tool hangs up, is silent or writes what is no question.
async fn converse(stream: UnixStream, desk: Desk) {
    let mut stream = BufReader::new(stream);
    while let Ok(Ok(Some(line))) = timeout(
        PATIENCE,
        protocol::read_line(&mut stream, protocol::CALL_BYTES_MAX),
    )
    .await
    {
        let answer = match serde_json::from_slice(&line) {
            Ok(call) => answer(&desk, call).await,
            Err(error) => Answer::Failed(format!("not understood: {error}")),
        };
        let Ok(line) = protocol::to_line(&answer) else {
            return;
        };
        let sent = async {
            stream.write_all(&line).await?;
            stream.flush().await
        };
        if !matches!(timeout(PATIENCE, sent).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn answer(desk: &Desk, call: Call) -> Answer {
    let operator = &desk.operator;
    let failed = |error: &dyn std::fmt::Display| Answer::Failed(error.to_string());
    let store = &*operator.store;
    match call {
        Call::ReadFrom {
            ledger_id,
            seq,
            limit,
        } => {
            let limit = limit.clamp(1, verify::PAGE);
            let page = store.read_from(ledger_id, seq, limit).await;
            page.map_or_else(|error| failed(&error), Answer::Records)
        }
        Call::ListDrops { after } => crate::app::drop_list::page(store, after)
            .await
            .map_or_else(|error| failed(&error), Answer::Drops),
        Call::ShowOrder { drop_id, order_id } => operator
            .show_order(drop_id, order_id)
            .await
            .map_or_else(|error| failed(&error), |it| Answer::Order(Box::new(it))),
        Call::SettleOrder(wish) => operator
            .settle_order(&wish)
            .await
            .map_or_else(|error| failed(&error), |it| Answer::Settled(Box::new(it))),
        Call::BackUp { to } => match &desk.backup {
            Some(backup) => backup
                .write(&to)
                .await
                .map_or_else(|error| failed(&Chain(&error)), Answer::BackedUp),
            None => Answer::Failed("this server's store is no file".to_owned()),
        },
    }
}

/// An error and what is behind it, in one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "admin_tests.rs"]
mod tests;
