//! Following a log: records are handed over in memory, only ever the next one; where that has a gap, the log is read.

use std::sync::Arc;

use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

use crate::{
    domain::DropId,
    ledger::{
        applied::Applied,
        record,
        state::{FoldError, StockState},
        verify,
    },
    store::{SharedStore, StoreError, projections::Checkpoint},
};

/// Records given at a time: rows of some thousand orders.
const BATCH_RECORDS: usize = 64;

/// Why a log can't be followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It can't be read now.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// It is not the log that was followed, or can't be understood.
    #[error("{0}")]
    Log(#[from] FoldError),
}

/// A reader of one log.
pub(super) struct Follower {
    store: SharedStore,
    ledger_id: DropId,
    /// The last record that was given.
    done: Option<Checkpoint>,
    live: Receiver<Arc<Applied>>,
    /// Set while the log is read, which is folded anew: rows need orders, not just entries.
    reading: Option<StockState>,
}

impl Follower {
    /// A reader that goes on after `done`. What comes after `head` comes from `live`; what is between them is read.
    pub(super) fn new(
        store: SharedStore,
        ledger_id: DropId,
        done: Option<Checkpoint>,
        head: Option<Checkpoint>,
        live: Receiver<Arc<Applied>>,
    ) -> Self {
        let reading = (done != head).then(|| StockState::new(ledger_id));
        Self {
            store,
            ledger_id,
            done,
            live,
            reading,
        }
    }

    /// Whether records come from memory.
    pub(super) fn is_live(&self) -> bool {
        self.reading.is_none()
    }

    fn next_seq(&self) -> u64 {
        self.done.map_or(0, |done| done.seq) + 1
    }

    /// The next records, at least one; `None` when the writer has ended and there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Arc<Applied>>>, Error> {
        loop {
            if self.reading.is_some() {
                match self.read().await? {
                    Some(batch) => return Ok(Some(self.give(batch))),
                    None => self.reading = None,
                }
            }
            let first = match self.live.recv().await {
                Ok(first) => first,
                Err(RecvError::Closed) => return Ok(None),
                Err(RecvError::Lagged(_)) => {
                    self.read_on();
                    continue;
                }
            };
            let mut batch = Vec::new();
            self.take(first, &mut batch);
            while self.reading.is_none() && batch.len() < BATCH_RECORDS {
                match self.live.try_recv() {
                    Ok(applied) => self.take(applied, &mut batch),
                    Err(TryRecvError::Lagged(_)) => self.read_on(),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            if !batch.is_empty() {
                return Ok(Some(self.give(batch)));
            }
        }
    }

    fn read_on(&mut self) {
        self.reading = Some(StockState::new(self.ledger_id));
    }

    /// Takes a record from memory if it is the next one; one that was given already is passed over.
    fn take(&mut self, applied: Arc<Applied>, batch: &mut Vec<Arc<Applied>>) {
        let next = batch.last().map_or(self.next_seq(), |last| last.seq + 1);
        match applied.seq.cmp(&next) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => batch.push(applied),
            std::cmp::Ordering::Greater => self.read_on(),
        }
    }

    fn give(&mut self, batch: Vec<Arc<Applied>>) -> Vec<Arc<Applied>> {
        if let Some(last) = batch.last() {
            self.done = Some(Checkpoint {
                seq: last.seq,
                hash: last.hash,
            });
        }
        batch
    }

    /// Reads on in the log; `None` at its head.
    async fn read(&mut self) -> Result<Option<Vec<Arc<Applied>>>, Error> {
        let next_seq = self.next_seq();
        let done = self.done;
        let Some(state) = &mut self.reading else {
            return Ok(None);
        };
        loop {
            let page = self
                .store
                .read_from(self.ledger_id, state.seq() + 1, verify::PAGE)
                .await?;
            if page.is_empty() {
                return match done {
                    Some(done) if state.record_hash(done.seq) != Some(done.hash) => {
                        Err(Error::Log(not_followed(done.seq)))
                    }
                    Some(_) | None => Ok(None),
                };
            }
            let mut batch = Vec::new();
            for stored in &page {
                let applied = record::fold(state, stored)?;
                match done {
                    Some(done) if done.seq == applied.seq && done.hash != applied.hash => {
                        return Err(Error::Log(not_followed(done.seq)));
                    }
                    Some(_) | None if applied.seq >= next_seq => batch.push(Arc::new(applied)),
                    Some(_) | None => {}
                }
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
    }
}

fn not_followed(seq: u64) -> FoldError {
    FoldError::Record {
        seq,
        why: "another record than the checkpoint's".to_owned(),
    }
}
