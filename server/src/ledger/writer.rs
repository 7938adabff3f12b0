//! The one task of an open ledger. It owns the fold and a bounded queue: while one record is being stored, commands queue up, and the next
//! record carries them all. No answer leaves before its record is settled.

mod draft;
mod metrics;
mod slot;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use draft::{Broken, Draft};
use metrics::WriterMetrics;
use slot::Slot;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    answer::Answer,
    applied::Applied,
    command::Command,
    entry::Terms,
    feed::Feed,
    record::{self, Salts},
    state::{FoldError, StockState},
    verify,
    work_list::Share,
};
use crate::{
    domain::{ProcessId, Timestamp, drop::LedgerSecret},
    env::SharedEnv,
    store::{OpenLedger, SharedStore, StoreError},
};

/// Commands that may wait. More could not be answered within a caller's deadline.
pub const QUEUE_MAX: usize = 8_192;
/// Slots tried in a row before all who wait are told to come back: losing so many means that others write this ledger.
const SLOT_TRIES_MAX: u32 = 16;
/// A ledger leaves memory after this long without a command or a look.
const IDLE_AFTER: Duration = Duration::from_secs(60);
/// A ledger stays in memory when it has something to do within this time, so that an opening is never late.
const STAY_FOR: Duration = Duration::from_secs(660);

/// Why a command has no answer. It may be sent again with the same request id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// A command on its way to the ledger.
#[derive(Debug)]
pub struct Queued {
    /// What is wished.
    pub command: Command,
    /// When nobody waits any more.
    pub deadline: Timestamp,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Answer, Unavailable>>,
}

/// What a writer needs to start.
#[derive(Debug)]
pub struct Opening {
    /// The fold of the log.
    pub state: StockState,
    /// The frozen terms, for an empty log.
    pub terms: Terms,
    /// The ledger's secret.
    pub secret: LedgerSecret,
    /// This process.
    pub process_id: ProcessId,
    /// Time, randomness.
    pub env: SharedEnv,
    /// Where records go.
    pub store: SharedStore,
    /// Told when to end.
    pub stop: CancellationToken,
    /// Somebody looked for the ledger since this was cleared.
    pub is_used: Arc<AtomicBool>,
    /// Cleared while this process may not write.
    pub may_write: Arc<AtomicBool>,
    /// Who is told of records.
    pub feed: Feed,
}

/// Where other processes write too, a ledger is read on to tell what they wrote: so often if somebody watches it, which makes news less
/// than a second old; if somebody has looked at it; and if it lies idle.
const FOLLOW_WATCHED_EVERY: Duration = Duration::from_millis(500);
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
const FOLLOW_IDLE_EVERY: Duration = Duration::from_secs(15);

/// How a writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// No hold, payment or refund is open.
    Idle,
    /// Somebody has to go on.
    Unfinished,
}

/// The writer of one ledger.
#[derive(Debug)]
pub struct Writer {
    at: Opening,
    salts: Salts,
    queue: mpsc::Receiver<Queued>,
    pending: VecDeque<Queued>,
    is_marked: bool,
    /// Since when nothing came.
    idle_since: Timestamp,
    metrics: WriterMetrics,
}

/// Why the writer woke up.
enum Wake {
    Work,
    /// Others may have written.
    Follow,
    Leave,
}

impl Writer {
    /// A writer that takes commands from `queue`.
    #[must_use]
    pub fn new(opening: Opening, queue: mpsc::Receiver<Queued>) -> Self {
        let salts = Salts::new(&opening.secret);
        let pending = VecDeque::new();
        let idle_since = opening.env.now();
        Self {
            at: opening,
            salts,
            queue,
            pending,
            is_marked: false,
            idle_since,
            metrics: WriterMetrics::new(),
        }
    }

    /// Works until told to stop or until nothing has happened for long. Everything queued by then is answered.
    pub async fn run(mut self) -> Ended {
        loop {
            let wake = self.wait().await;
            let worked = match wake {
                Wake::Work | Wake::Leave => self.work().await,
                Wake::Follow => self.follow().await,
            };
            if let Err(error) = worked {
                return self.halt(&error).await;
            }
            if matches!(wake, Wake::Leave) {
                return self.leave().await;
            }
        }
    }

    /// Waits for a command, for something due, or for a reason to leave.
    async fn wait(&mut self) -> Wake {
        let now = self.now();
        let due = self.next_due();
        if !self.pending.is_empty() || due.is_some_and(|due| due <= now) {
            return Wake::Work;
        }
        let until_due = due.map_or(Duration::MAX, |due| due.since(now));
        let until_idle = (self.idle_since + IDLE_AFTER).since(now);
        let idle = until_due.min(until_idle).min(self.follow_every());
        let idle = self.at.env.sleep(idle);
        tokio::select! {
            biased;
            // First, or a busy ledger would never leave.
            () = self.at.stop.cancelled() => Wake::Leave,
            queued = self.queue.recv() => match queued {
                Some(queued) => {
                    self.pending.push_back(queued);
                    self.idle_since = self.now();
                    Wake::Work
                }
                None => Wake::Leave,
            },
            () = idle => {
                if self.now() < self.idle_since + IDLE_AFTER {
                    return Wake::Follow;
                }
                self.idle_since = self.now();
                let is_used = self.at.is_used.swap(false, Ordering::Relaxed);
                let is_used = is_used || self.at.feed.is_watched();
                let stays = is_used || until_due <= STAY_FOR || self.at.state.has_open_work();
                if stays { Wake::Follow } else { Wake::Leave }
            }
        }
    }

    /// How often to look what others wrote.
    fn follow_every(&self) -> Duration {
        if self.at.store.is_exclusive() {
            Duration::MAX
        } else if self.at.feed.is_watched() {
            FOLLOW_WATCHED_EVERY
        } else if self.at.is_used.load(Ordering::Relaxed) {
            FOLLOW_EVERY
        } else {
            FOLLOW_IDLE_EVERY
        }
    }

    /// Reads and tells what others wrote. What is due meanwhile is the next turn's.
    async fn follow(&mut self) -> Result<(), FoldError> {
        match self.catch_up().await {
            Ok(_) => Ok(()),
            Err(StoreOrFold::Fold(error)) => Err(error),
            Err(StoreOrFold::Store(error)) => {
                tracing::debug!(ledger_id = %self.at.state.ledger_id(), %error, "what others wrote can't be read");
                Ok(())
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.at.env.now()
    }

    fn may_write(&self) -> bool {
        self.at.may_write.load(Ordering::Relaxed)
    }

    fn next_due(&self) -> Option<Timestamp> {
        if !self.may_write() {
            return None;
        }
        // An empty log wants its first record.
        if self.at.state.seq() == 0 {
            Some(Timestamp::default())
        } else {
            self.at.state.next_due()
        }
    }

    /// Handles everything that is queued or due.
    async fn work(&mut self) -> Result<(), FoldError> {
        loop {
            while self.pending.len() < QUEUE_MAX
                && let Ok(queued) = self.queue.try_recv()
            {
                self.pending.push_back(queued);
            }
            self.drop_given_up();
            self.metrics.queue_depth.record(self.pending.len() as f64);
            if self.pending.is_empty() && self.next_due().is_none_or(|due| due > self.now()) {
                return Ok(());
            }
            self.settle_batch().await?;
        }
    }

    /// Forgets commands that nobody waits for: doing them would only surprise.
    fn drop_given_up(&mut self) {
        let now = self.now();
        self.pending
            .retain(|queued| queued.deadline > now && !queued.reply.is_closed());
    }

    /// Settles one batch: decides it, stores its record, answers it.
    async fn settle_batch(&mut self) -> Result<(), FoldError> {
        if !self.may_write() {
            let batch = self.pending.drain(..).collect();
            Self::fail(batch, "this process may not write: its clock is off");
            return Ok(());
        }
        for try_number in 0..SLOT_TRIES_MAX {
            // Also after a lost slot: settling that may have taken longer than callers wait.
            self.drop_given_up();
            let mut draft = match Draft::make(&mut self.at, &self.pending) {
                Ok(draft) => draft,
                Err(Broken::Ledger(error)) => return Err(error),
                Err(Broken::Command(at_fault, error)) => {
                    self.at.state.rollback();
                    self.fail_broken(at_fault, &error);
                    continue;
                }
            };
            let mut batch: Vec<Queued> = self.pending.drain(..draft.outcomes.len()).collect();
            if draft.entries.is_empty() {
                self.at.state.rollback();
                // A refusal must be true now: somebody else's newer record may make it false.
                match self.catch_up().await {
                    Ok(0) => self.answer(batch, draft),
                    Ok(_) => {
                        self.requeue(batch);
                        continue;
                    }
                    Err(StoreOrFold::Store(error)) => Self::fail(batch, &error.to_string()),
                    Err(StoreOrFold::Fold(error)) => return Err(error),
                }
                return Ok(());
            }
            if let Err(error) = self.mark_open().await {
                self.at.state.rollback();
                return self.delay_and_fail(batch, &error).await;
            }
            let (started, size) = (self.now(), batch.len());
            let record = draft.record(&self.at, &self.salts);
            match slot::put(&self.at, &record, &mut batch, &self.metrics).await {
                Slot::Ours => {
                    self.at.state.commit(record.hash, record.recorded_at);
                    self.metrics
                        .appended(self.now().since(started), size, draft.entries.len());
                    let entries = std::mem::take(&mut draft.entries);
                    let applied = Applied::newest(&self.at.state, entries);
                    if let Some(applied) = &applied {
                        self.at.feed.show(applied);
                    }
                    self.answer(batch, draft);
                    // After the answers: buyers wait.
                    applied
                        .into_iter()
                        .for_each(|it| self.at.feed.tell(it, Share::Own));
                    return Ok(());
                }
                Slot::Lost(existing) => {
                    self.metrics.conflicts.increment(1);
                    self.at.state.rollback();
                    let applied = record::fold(&mut self.at.state, &existing)?;
                    self.heard(applied);
                    match self.catch_up().await {
                        Ok(_) => self.requeue(batch),
                        Err(StoreOrFold::Store(error)) => {
                            return self.delay_and_fail(batch, &error).await;
                        }
                        Err(StoreOrFold::Fold(error)) => return Err(error),
                    }
                    slot::jitter(&*self.at.env, try_number).await;
                }
                Slot::NotDone(error) => {
                    self.at.state.rollback();
                    return self.delay_and_fail(batch, &error).await;
                }
            }
        }
        let batch = self.pending.drain(..).collect();
        Self::fail(batch, "others keep writing this ledger");
        Ok(())
    }

    /// Takes a command out that the fold refuses: the others go on without it.
    fn fail_broken(&mut self, at_fault: usize, error: &FoldError) {
        if let Some(queued) = self.pending.remove(at_fault) {
            let (ledger_id, command) = (self.at.state.ledger_id(), queued.command.name());
            tracing::error!(%ledger_id, command, %error, "the fold refuses a command's own entries");
            Self::fail(vec![queued], "the command can't be done");
        }
    }

    fn requeue(&mut self, batch: Vec<Queued>) {
        for queued in batch.into_iter().rev() {
            self.pending.push_front(queued);
        }
    }

    /// Reads and folds what others wrote; how many records that was.
    async fn catch_up(&mut self) -> Result<usize, StoreOrFold> {
        if self.at.store.is_exclusive() {
            return Ok(0);
        }
        let mut count = 0;
        loop {
            let seq = self.at.state.seq() + 1;
            let page = self
                .at
                .store
                .read_from(self.at.state.ledger_id(), seq, verify::PAGE)
                .await?;
            if page.is_empty() {
                return Ok(count);
            }
            for stored in &page {
                let applied = record::fold(&mut self.at.state, stored)?;
                self.heard(applied);
                count += 1;
            }
        }
    }

    /// Tells of a record that another process wrote: nobody waits for an answer in between.
    fn heard(&self, applied: Applied) {
        self.at.feed.show(&applied);
        self.at.feed.tell(applied, Share::Others);
    }

    /// Notes that this process has the ledger open, before its first append.
    async fn mark_open(&mut self) -> Result<(), StoreError> {
        if !self.is_marked {
            self.at.store.mark_open(self.open_row()).await?;
            self.is_marked = true;
        }
        Ok(())
    }

    fn open_row(&self) -> OpenLedger {
        OpenLedger {
            ledger_id: self.at.state.ledger_id(),
            process_id: self.at.process_id,
        }
    }

    fn answer(&self, batch: Vec<Queued>, draft: Draft) {
        let view = self.at.feed.newest();
        for (queued, outcome) in batch.into_iter().zip(draft.outcomes) {
            self.metrics.count(&queued.command, &outcome);
            let answer = Answer::of(outcome, &self.at.state, &view)
                .ok_or_else(|| Unavailable("the ledger lost track of an answer".to_owned()));
            // Nobody waiting is fine: a repeat finds the answer in the log.
            let _ = queued.reply.send(answer);
        }
    }

    fn fail(batch: Vec<Queued>, why: &str) {
        for queued in batch {
            let _ = queued.reply.send(Err(Unavailable(why.to_owned())));
        }
    }

    /// Tells the batch to come back. Waits a little first, or a broken store would be asked as fast as callers return.
    async fn delay_and_fail(
        &self,
        batch: Vec<Queued>,
        error: &StoreError,
    ) -> Result<(), FoldError> {
        tracing::warn!(ledger_id = %self.at.state.ledger_id(), error = %error, "append failed");
        let why = error.to_string();
        Self::fail(batch, &why);
        self.at.env.sleep(Duration::from_millis(50)).await;
        Ok(())
    }

    /// Leaves memory: answers what came in meanwhile.
    async fn leave(mut self) -> Ended {
        self.queue.close();
        if let Err(error) = self.work().await {
            return self.halt(&error).await;
        }
        if self.at.state.has_open_work() {
            Ended::Unfinished
        } else {
            Ended::Idle
        }
    }

    /// The fold does not understand the ledger: nothing may be written here any more.
    async fn halt(&mut self, error: &FoldError) -> Ended {
        tracing::error!(ledger_id = %self.at.state.ledger_id(), %error, "ledger halted: it can't be folded, run `livedrop ledger verify`");
        ::metrics::counter!("livedrop_ledger_halted_total").increment(1);
        let why = "this process can't write the ledger";
        Self::fail(self.pending.drain(..).collect(), why);
        loop {
            tokio::select! {
                () = self.at.stop.cancelled() => return Ended::Unfinished,
                queued = self.queue.recv() => match queued {
                    Some(queued) => Self::fail(vec![queued], why),
                    None => return Ended::Unfinished,
                },
            }
        }
    }
}

/// What can go wrong while reading what others wrote.
#[derive(Debug, thiserror::Error)]
enum StoreOrFold {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Fold(#[from] FoldError),
}
