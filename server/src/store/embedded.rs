//! The store in one file on one machine: redb behind the storage traits.
//!
//! All writers' operations go through one committer, which commits whatever waits together and answers after fsync. The file is locked:
//! this process is the only one that can write it. Rows lie in byte order of (partition, clustering), see `key`.

mod accounts;
mod audit;
mod committer;
mod copy;
mod drops;
mod file;
mod follows;
mod jobs;
mod key;
mod ledger;
mod order_row;
mod orders;
mod outbox;
mod payments;
mod processes;
mod products;
mod projections;
#[cfg(test)]
pub(crate) mod raw;
mod requests;
mod rows;
mod search;
mod sessions;
#[cfg(test)]
mod tests;
mod truth;
mod versioned;

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use parking_lot::Mutex;
use redb::{ReadableDatabase, backends::InMemoryBackend};
use tokio::sync::oneshot;

use self::{
    committer::{Committer, Operation, STOPPED},
    rows::{Failure, Rows, Snapshot},
};
use super::{Result, StoreError};
use crate::{
    domain::ProcessId,
    env::{SharedEnv, SystemEnv},
};

pub use self::{
    copy::{CopyError, RowCounts},
    file::{FILE_NAME, OpenError},
};

/// What is called, with a text for the log, when a commit has failed. It must not come back to a process that goes on serving.
pub type FatalHandler = Arc<dyn Fn(&str) + Send + Sync>;

/// Settings of an [`EmbeddedStore`].
#[derive(Clone)]
pub struct Options {
    /// Clock for the expiry of request ids.
    pub env: SharedEnv,
    /// Called once when a commit fails; aborts the process by default.
    pub on_fatal: FatalHandler,
    /// Most bytes of the file that are cached in memory. The system's page cache stands behind it, so more gains little.
    pub cache_bytes: usize,
    /// Check every page on opening, as after a crash. A page that rotted, or was changed by hand, must not pass for stock; only a tool
    /// that looks for the damage goes without.
    pub is_checked: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            env: Arc::new(SystemEnv),
            on_fatal: Arc::new(abort),
            cache_bytes: 256 << 20,
            is_checked: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("env", &self.env)
            .field("cache_bytes", &self.cache_bytes)
            .finish_non_exhaustive()
    }
}

/// After a failed fsync nobody knows what is on disk, and asking again may wrongly say that all is well: only a fresh start, which reads and
/// verifies the file, can tell. Abort and not exit, so that no destructor writes a clean end into the file.
fn abort(cause: &str) {
    tracing::error!(cause, "stopping: the store could not commit");
    std::process::abort();
}

/// All storage traits over one redb file. Dropping it commits what is queued and releases the file.
pub struct EmbeddedStore {
    committer: Committer,
    env: SharedEnv,
    processes: Mutex<BTreeMap<ProcessId, processes::Heard>>,
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("committer", &self.committer)
            .finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in `dir`, or makes it. Blocks; after a crash it first verifies the whole file.
    ///
    /// # Errors
    /// If another process has it open, a newer version wrote it, it is damaged, or the system says no.
    pub fn open(dir: &Path, options: Options) -> std::result::Result<Self, OpenError> {
        let database = file::open(dir, options.cache_bytes, options.is_checked)?;
        Ok(Self {
            committer: Committer::thread(database, options.on_fatal)?,
            env: options.env,
            processes: Mutex::default(),
        })
    }

    /// A store that lives in memory, with default options.
    ///
    /// # Errors
    /// None are known.
    pub fn in_memory() -> std::result::Result<Self, OpenError> {
        Self::in_memory_with(Options::default())
    }

    /// A store that lives in memory. Everything is done in the caller's task, without threads, so that a simulation stays deterministic
    /// and paused timers do not run away.
    ///
    /// # Errors
    /// None are known.
    pub fn in_memory_with(options: Options) -> std::result::Result<Self, OpenError> {
        let database = file::with_backend(InMemoryBackend::new(), options.cache_bytes)?;
        Ok(Self {
            committer: Committer::inline(database, options.on_fatal),
            env: options.env,
            processes: Mutex::default(),
        })
    }

    /// Has the committer run `operation` and answers with its outcome once that is on disk. Runs to its end even if the caller goes away.
    /// `operation` must decode what it reads before it writes: one that gives [`Failure::Row`] is committed as far as it came.
    async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Rows<'_>) -> std::result::Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (answer, outcome) = oneshot::channel();
        let operation: Operation = Box::new(move |rows| {
            let result = match operation(rows) {
                Ok(value) => Ok(value),
                Err(Failure::Row(message)) => Err(StoreError::Determinate(message)),
                Err(Failure::Storage(error)) => return Err(error),
            };
            // The caller may be gone; the work stands all the same.
            Ok(Box::new(move || drop(answer.send(result))))
        });
        self.committer.submit(operation).await?;
        outcome
            .await
            .unwrap_or_else(|_| Err(StoreError::Indeterminate(STOPPED.to_owned())))
    }

    /// Reads a row or a few, here and now: pages in memory make it microseconds.
    fn read<T>(
        &self,
        read: impl FnOnce(&Snapshot) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        Ok(snapshot(self.committer.database()?).and_then(|snapshot| read(&snapshot))?)
    }

    /// Reads a page of rows, off the runtime's workers if the disk may be slow.
    async fn scan<T: Send + 'static>(
        &self,
        scan: impl FnOnce(&Snapshot) -> std::result::Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        if self.committer.is_inline() {
            return self.read(scan);
        }
        let database = Arc::clone(self.committer.database()?);
        let task = tokio::task::spawn_blocking(move || {
            snapshot(&database).and_then(|snapshot| scan(&snapshot))
        });
        match task.await {
            Ok(outcome) => Ok(outcome?),
            Err(error) => Err(StoreError::Determinate(format!(
                "reading was cut off: {error}"
            ))),
        }
    }
}

fn snapshot(database: &redb::Database) -> std::result::Result<Snapshot, Failure> {
    Ok(Snapshot::new(database.begin_read()?))
}
