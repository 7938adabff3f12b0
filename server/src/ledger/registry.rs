//! The open ledgers of this process: finds a ledger's writer or starts it, and passes commands on.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    answer::{Answer, DropView},
    command::Command,
    entry::Terms,
    feed::Feed,
    freeze::{self, Frozen},
    projector::{Consumer, Consumers, Projector},
    verify::{self, Problem},
    watches::{OrderChanges, OrderWatches},
    work_list::WorkList,
    writer::{Ended, Opening, QUEUE_MAX, Queued, Writer},
};
use crate::{
    domain::{DropId, OrderId, ProcessId, Timestamp, drop::Drop, drop::LedgerSecret},
    env::SharedEnv,
    store::{OpenLedger, SharedStore, StoreError, projections::Checkpoint},
};

/// Ledgers that may be in memory at once.
const OPEN_MAX: usize = 10_000;
/// How long one ledger may take to be taken over; a later sweep tries again.
const ADOPT_WITHIN: Duration = Duration::from_secs(10);

/// Why a ledger did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no such drop.
    #[error("unknown drop")]
    UnknownDrop,
    /// The terms are not frozen: the drop's row rules.
    #[error("the drop is not frozen")]
    NotFrozen(Box<Drop>),
    /// Too many commands wait, or too many ledgers are open.
    #[error("too many commands wait")]
    Overloaded,
    /// It can't be said what happened. Safe to repeat with the same request id.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// An open ledger.
#[derive(Debug)]
pub struct OpenedLedger {
    /// The frozen row, and when it was read last: its terms are final, its texts may change.
    row: Mutex<(Arc<Drop>, Timestamp)>,
    /// The ledger's secret.
    pub secret: LedgerSecret,
    /// The drop as of the newest record, always current.
    pub view: watch::Receiver<Arc<DropView>>,
    queue: mpsc::Sender<Queued>,
    watches: Arc<OrderWatches>,
    /// Set when the ledger is looked for, so that one whose view is read stays in memory.
    is_used: Arc<AtomicBool>,
    /// Cancelled when the writer has ended. Before that no other may start: in one process two would not see each other's records.
    ended: CancellationToken,
}

impl OpenedLedger {
    /// The drop's row, as it is known here.
    #[must_use]
    pub fn row(&self) -> Arc<Drop> {
        self.row.lock().0.clone()
    }

    /// Whether the row is to be read anew, since it was read longer than this ago. Says so to one caller only.
    #[must_use]
    pub fn is_row_due(&self, now: Timestamp, good_for: Duration) -> bool {
        let mut row = self.row.lock();
        let is_due = now.since(row.1) >= good_for;
        if is_due {
            row.1 = now;
        }
        is_due
    }

    /// Takes over a row that was read or written by now, unless a newer one is known. The newest known.
    pub fn renew(&self, drop: Arc<Drop>) -> Arc<Drop> {
        let mut row = self.row.lock();
        if drop.version > row.0.version {
            row.0 = drop;
        }
        row.0.clone()
    }

    /// Watches an order from now on.
    #[must_use]
    pub fn watch_order(&self, order_id: OrderId) -> OrderChanges {
        self.watches.watch(order_id)
    }
}

/// Where an opened ledger is kept; empty while it is being opened.
type Cell = Arc<OnceCell<Arc<OpenedLedger>>>;

/// One caller's share in opening a ledger. The last one to give up takes the cell away: not sooner, since the others go on opening it.
struct Share<'a> {
    inner: &'a Inner,
    drop_id: DropId,
    cell: Option<Cell>,
}

impl std::ops::Drop for Share<'_> {
    fn drop(&mut self) {
        let mut open = self.inner.open.lock();
        let cell = self.cell.take();
        // Two: the map's and this one. No more can come while the map is locked.
        if let Some(cell) = &cell
            && !cell.initialized()
            && Arc::strong_count(cell) == 2
        {
            open.remove(&self.drop_id);
        }
    }
}

struct Inner {
    env: SharedEnv,
    store: SharedStore,
    process_id: ProcessId,
    consumers: Consumers,
    work: Arc<WorkList>,
    open: Mutex<HashMap<DropId, Cell>>,
    /// Shared with the writers.
    may_write: Arc<AtomicBool>,
    stop: CancellationToken,
    writers: TaskTracker,
}

/// Shared handle on the open ledgers.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("open", &self.0.open.lock().len())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry with nothing open. `consumers` follow each ledger as long as it is in memory.
    #[must_use]
    pub fn new(
        env: SharedEnv,
        store: SharedStore,
        process_id: ProcessId,
        consumers: Consumers,
    ) -> Self {
        let (open, stop, writers) = (
            Mutex::default(),
            CancellationToken::new(),
            TaskTracker::new(),
        );
        Self(Arc::new(Inner {
            env,
            store,
            process_id,
            consumers,
            work: Arc::default(),
            may_write: Arc::new(AtomicBool::new(true)),
            open,
            stop,
            writers,
        }))
    }

    /// This process.
    #[must_use]
    pub fn process_id(&self) -> ProcessId {
        self.0.process_id
    }

    /// Payments and refunds that somebody has to go on with.
    #[must_use]
    pub fn work(&self) -> Arc<WorkList> {
        Arc::clone(&self.0.work)
    }

    /// How many ledgers are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.0.open.lock().len()
    }

    /// Whether a ledger is in memory.
    #[must_use]
    pub fn is_open(&self, drop_id: DropId) -> bool {
        self.0.open.lock().contains_key(&drop_id)
    }

    /// Finds a ledger that is in memory.
    #[must_use]
    pub fn opened(&self, drop_id: DropId) -> Option<Arc<OpenedLedger>> {
        self.0.open.lock().get(&drop_id)?.get().cloned()
    }

    /// Finds or opens a ledger. Freezes the drop's terms if that is due.
    ///
    /// # Errors
    /// If there is no ledger (yet), or it can't be read.
    pub async fn ledger(&self, drop_id: DropId) -> Result<Arc<OpenedLedger>, LedgerError> {
        let cell = {
            let mut open = self.0.open.lock();
            match open.get(&drop_id) {
                Some(cell) => {
                    if let Some(opened) = cell.get() {
                        opened.is_used.store(true, Ordering::Relaxed);
                        return Ok(opened.clone());
                    }
                    cell.clone()
                }
                None if self.0.stop.is_cancelled() => {
                    return Err(LedgerError::Unavailable("stopping".to_owned()));
                }
                None if open.len() >= OPEN_MAX => return Err(LedgerError::Overloaded),
                None => open.entry(drop_id).or_default().clone(),
            }
        };
        let weak = Arc::downgrade(&cell);
        let share = Share {
            inner: &self.0,
            drop_id,
            cell: Some(cell),
        };
        let cell = share.cell.as_ref().ok_or(LedgerError::Overloaded)?;
        cell.get_or_try_init(|| self.open(drop_id, weak))
            .await
            .cloned()
    }

    /// Reads the drop's row, folds its log and starts its writer.
    async fn open(
        &self,
        drop_id: DropId,
        cell: Weak<OnceCell<Arc<OpenedLedger>>>,
    ) -> Result<Arc<OpenedLedger>, LedgerError> {
        let inner = &self.0;
        let read_at = inner.env.now();
        let (drop, secret) =
            match freeze::read_or_freeze(&*inner.store, &*inner.env, drop_id).await? {
                Frozen::Yes(drop, secret) => (*drop, secret),
                Frozen::No(drop) => return Err(LedgerError::NotFrozen(drop)),
                Frozen::Unknown => return Err(LedgerError::UnknownDrop),
            };
        let report = verify::verify(&*inner.store, drop_id, |_, _| ()).await.map_err(|problem| {
            if let Problem::Wrong(error) = &problem {
                tracing::error!(ledger_id = %drop_id, %error, "ledger refused: run `livedrop ledger verify`");
            }
            LedgerError::Unavailable(problem.to_string())
        })?;
        if report
            .state
            .secret()
            .is_some_and(|logged| *logged != secret)
        {
            // Records salted with another secret would be refused by every fold.
            tracing::error!(ledger_id = %drop_id, "the row's secret is not the ledger's: restore the row");
            let why = "the drop's row does not fit its ledger";
            return Err(LedgerError::Unavailable(why.to_owned()));
        }
        let feed = Feed::new(&report.state, inner.work.clone());
        let (view, watches) = (feed.view(), feed.watches());
        let head = report.state.seq();
        let head = report
            .state
            .record_hash(head)
            .map(|hash| Checkpoint { seq: head, hash });
        let projected = self.project(drop_id, head, &feed);
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let is_used = Arc::new(AtomicBool::new(true));
        let opening = Opening {
            state: report.state,
            terms: Terms::of(&drop),
            secret: secret.clone(),
            process_id: inner.process_id,
            env: inner.env.clone(),
            store: inner.store.clone(),
            stop: inner.stop.clone(),
            is_used: is_used.clone(),
            may_write: inner.may_write.clone(),
            feed,
        };
        let writer = Writer::new(opening, commands);
        let ended = CancellationToken::new();
        let (registry, token) = (Arc::downgrade(inner), inner.writers.token());
        let guard = ended.clone().drop_guard();
        let (store, open) = (inner.store.clone(), self.own_note(drop_id));
        inner.env.spawn(
            "ledger writer",
            Box::pin(async move {
                let how = writer.run().await;
                let is_projected = future::join_all(projected).await;
                if how == Ended::Idle
                    && is_projected.iter().all(|it| *it == Ok(true))
                    && let Err(error) = store.unmark_open(open).await
                {
                    // The sweeper of a later process finds the row, opens the ledger and has nothing to do.
                    tracing::debug!(ledger_id = %drop_id, %error, "open ledger stays noted");
                }
                std::mem::drop(store);
                if let Some(inner) = registry.upgrade() {
                    inner.forget(drop_id, |found| Arc::as_ptr(found) == cell.as_ptr());
                }
                std::mem::drop((guard, token));
            }),
        );
        Ok(Arc::new(OpenedLedger {
            row: Mutex::new((Arc::new(drop), read_at)),
            secret,
            view,
            queue,
            watches,
            is_used,
            ended,
        }))
    }

    fn own_note(&self, ledger_id: DropId) -> OpenLedger {
        OpenLedger {
            ledger_id,
            process_id: self.0.process_id,
        }
    }

    /// Starts the consumers of a ledger. Each tells at its end whether it has consumed everything.
    fn project(
        &self,
        ledger_id: DropId,
        head: Option<Checkpoint>,
        feed: &Feed,
    ) -> Vec<oneshot::Receiver<bool>> {
        let inner = &self.0;
        let start = |consumer: &Arc<dyn Consumer>| {
            let projector = Projector {
                env: inner.env.clone(),
                store: inner.store.clone(),
                ledger_id,
                consumer: Arc::clone(consumer),
                head,
                stop: inner.stop.clone(),
            };
            let (records, (done, told)) = (feed.records(), oneshot::channel());
            let task = async move {
                // Nobody waits if the writer's task was killed.
                let _ = done.send(projector.run(records).await);
            };
            inner.env.spawn("projector", Box::pin(task));
            told
        };
        inner.consumers.iter().map(start).collect()
    }

    /// Passes a command to a ledger and waits for the answer, for `time_left` at most.
    ///
    /// # Errors
    /// If there is no ledger (yet), or no answer.
    pub async fn call(
        &self,
        drop_id: DropId,
        mut command: Command,
        time_left: Duration,
    ) -> Result<(Arc<OpenedLedger>, Answer), LedgerError> {
        let deadline = self.0.env.now() + time_left;
        // A writer may leave memory just now; the next one is fresh.
        for _ in 0..3 {
            let ledger = self.ledger(drop_id).await?;
            let (reply, answer) = oneshot::channel();
            match ledger.queue.try_send(Queued {
                command,
                deadline,
                reply,
            }) {
                Ok(()) => {
                    let answered = tokio::select! {
                        answered = answer => answered,
                        () = self.0.env.sleep(time_left) => return Err(Self::late()),
                    };
                    return match answered {
                        Ok(Ok(answer)) => Ok((ledger, answer)),
                        Ok(Err(error)) => Err(LedgerError::Unavailable(error.0)),
                        // Dropped unanswered: its deadline had passed.
                        Err(_) => Err(Self::late()),
                    };
                }
                Err(mpsc::error::TrySendError::Full(_)) => return Err(LedgerError::Overloaded),
                Err(mpsc::error::TrySendError::Closed(queued)) => {
                    command = queued.command;
                    tokio::select! {
                        () = ledger.ended.cancelled() => {
                            let is_it = |cell: &Cell| cell.get().is_some_and(|it| Arc::ptr_eq(it, &ledger));
                            self.0.forget(drop_id, is_it);
                        }
                        () = self.0.env.sleep(time_left) => return Err(Self::late()),
                    }
                }
            }
        }
        Err(LedgerError::Unavailable("the ledger is closing".to_owned()))
    }

    fn late() -> LedgerError {
        LedgerError::Unavailable("not done in time".to_owned())
    }

    /// Takes over a ledger that a dead process left open: opens it, notes it for this process, and takes back the dead one's note if that
    /// process `is_gone` for good.
    ///
    /// # Errors
    /// If the store fails; repeat later.
    pub async fn adopt(&self, dead: OpenLedger, is_gone: bool) -> Result<(), LedgerError> {
        let own = self.own_note(dead.ledger_id);
        // By a command, not just by opening: one that is in memory may not know the dead one's last records, or may be about to leave.
        match self
            .call(dead.ledger_id, Command::GetDrop, ADOPT_WITHIN)
            .await
        {
            Ok(_) => self.0.store.mark_open(own).await?,
            Err(LedgerError::UnknownDrop | LedgerError::NotFrozen(_)) => {}
            Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
                return Err(error);
            }
        }
        if is_gone {
            self.0.store.unmark_open(dead).await?;
        }
        Ok(())
    }

    /// Whether this process may write ledgers: not while its clock can't be believed.
    pub fn allow_writing(&self, is_allowed: bool) {
        let before = self.0.may_write.swap(is_allowed, Ordering::Relaxed);
        if before != is_allowed {
            tracing::warn!(is_allowed, "this process may write ledgers, or may no more");
        }
    }

    /// Takes no more commands, answers those that wait, and ends all writers.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.writers.close();
        self.0.writers.wait().await;
    }
}

impl Inner {
    /// Takes the cell away if it is the one that is meant, and not a later one.
    fn forget(&self, drop_id: DropId, is_meant: impl FnOnce(&Cell) -> bool) {
        let mut open = self.open.lock();
        if open.get(&drop_id).is_some_and(is_meant) {
            open.remove(&drop_id);
        }
    }
}
