//! Group commit: one thread runs all writers' operations, everything that waits in one redb transaction.
//!
//! **One fsync per commit.** `Durability::Immediate` without two-phase commit writes pages, the inactive commit slot and the byte that
//! makes it active, then calls fsync once. After a crash redb takes the newest slot whose checksums are all right, so a half-written commit
//! is rolled back whole, and nobody was answered yet. Two-phase commit costs a second fsync and guards only against someone who forges
//! XXH3 sums *and* picks which pages survive a crash; such a one owns the machine. Quick repair implies two-phase commit: we rather read the
//! whole file after a crash. Readers see a commit only when it is durable.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use redb::{Database, Durability};
use tokio::{sync::mpsc, time::Instant};

use super::{FatalHandler, OpenError, rows::Rows};
use crate::store::{Result, StoreError};

/// Tells one writer its outcome.
pub(super) type Answer = Box<dyn FnOnce() + Send>;
/// One writer's work: runs inside the group's transaction, its answer after the commit. An error stops the store.
pub(super) type Operation =
    Box<dyn FnOnce(&mut Rows<'_>) -> std::result::Result<Answer, redb::Error> + Send>;

/// What callers read once the store has failed.
pub(super) const STOPPED: &str = "the store has stopped";

/// Most operations that wait. Records are up to 64 KiB, so at most 64 MiB; beyond it, callers wait to get in.
const QUEUE_OPERATIONS_MAX: usize = 1024;
/// Most operations in a commit: bounds the memory and time of a transaction, and fsync is long amortised by then.
const GROUP_OPERATIONS_MAX: usize = 256;

/// Where operations become commits.
pub(super) struct Committer {
    shared: Arc<Shared>,
    /// `None`: operations run in the caller's task.
    thread: Option<(mpsc::Sender<Operation>, JoinHandle<()>)>,
}

struct Shared {
    database: Arc<Database>,
    has_failed: AtomicBool,
    on_fatal: FatalHandler,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer")
            .field("is_inline", &self.is_inline())
            .finish_non_exhaustive()
    }
}

impl Committer {
    /// A committer with a thread of its own: fsync blocks.
    pub(super) fn thread(
        database: Database,
        on_fatal: FatalHandler,
    ) -> std::result::Result<Self, OpenError> {
        let shared = Arc::new(Shared::new(database, on_fatal));
        let (sender, receiver) = mpsc::channel(QUEUE_OPERATIONS_MAX);
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-committer".to_owned())
            .spawn(move || commit_all(&worker, receiver))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            shared,
            thread: Some((sender, thread)),
        })
    }

    /// A committer that commits each operation in its caller's task, for stores without fsync.
    pub(super) fn inline(database: Database, on_fatal: FatalHandler) -> Self {
        Self {
            shared: Arc::new(Shared::new(database, on_fatal)),
            thread: None,
        }
    }

    pub(super) fn is_inline(&self) -> bool {
        self.thread.is_none()
    }

    /// The database, for reading. Refused after a failure: what a read says then may be undone by what is on disk.
    pub(super) fn database(&self) -> Result<&Arc<Database>> {
        self.shared.check()?;
        Ok(&self.shared.database)
    }

    /// Queues `operation`. Waits while the queue is full; given up before it is queued, it never runs.
    pub(super) async fn submit(&self, operation: Operation) -> Result<()> {
        self.shared.check()?;
        match &self.thread {
            Some((queue, _)) => queue
                .send(operation)
                .await
                .map_err(|_| StoreError::Determinate(STOPPED.to_owned())),
            None => {
                self.shared.commit(&mut vec![operation]);
                Ok(())
            }
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if let Some((queue, thread)) = self.thread.take() {
            drop(queue);
            // The thread drains the queue and ends. It cannot have panicked: each group is caught.
            drop(thread.join());
        }
    }
}

/// The committer's thread: takes everything queued, commits it, and so on, until all senders are gone or a commit fails.
fn commit_all(shared: &Shared, mut queue: mpsc::Receiver<Operation>) {
    let mut group = Vec::with_capacity(GROUP_OPERATIONS_MAX);
    while queue.blocking_recv_many(&mut group, GROUP_OPERATIONS_MAX) > 0 {
        if !shared.commit(&mut group) {
            return;
        }
    }
}

impl Shared {
    fn new(database: Database, on_fatal: FatalHandler) -> Self {
        Self {
            database: Arc::new(database),
            has_failed: AtomicBool::new(false),
            on_fatal,
        }
    }

    fn check(&self) -> Result<()> {
        if self.has_failed.load(Ordering::Acquire) {
            Err(StoreError::Determinate(STOPPED.to_owned()))
        } else {
            Ok(())
        }
    }

    /// Commits a group and answers it, or fails for good: answers are dropped then, and no commit is ever tried again.
    fn commit(&self, group: &mut Vec<Operation>) -> bool {
        let started = Instant::now();
        metrics::histogram!("livedrop_store_commit_operations").record(group.len() as f64);
        let outcome = catch_unwind(AssertUnwindSafe(|| commit_group(&self.database, group)));
        metrics::histogram!("livedrop_store_commit_seconds").record(started.elapsed());
        let cause = match outcome {
            Ok(Ok(answers)) => {
                answers.into_iter().for_each(|answer| answer());
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "an operation panicked".to_owned(),
        };
        self.has_failed.store(true, Ordering::Release);
        (self.on_fatal)(&cause);
        false
    }
}

fn commit_group(
    database: &Database,
    group: &mut Vec<Operation>,
) -> std::result::Result<Vec<Answer>, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let mut rows = Rows::new(&transaction);
    let answers = group
        .drain(..)
        .map(|operation| operation(&mut rows))
        .collect::<std::result::Result<_, _>>()?;
    // What only found rows of earlier commits needs no fsync: those are durable.
    if rows.finish() {
        transaction.commit()?
    } else {
        transaction.abort()?
    }
    Ok(answers)
}
