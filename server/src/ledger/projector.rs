//! Projecting a ledger: each consumer follows the log from its checkpoint, never skips a record, and its effects are idempotent. So the
//! ledger is also the outbox: nothing is committed without its effects, and no effect is without its commit.

mod follower;
mod stored;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use follower::Follower;
pub use stored::{StoredError, project_stored};

use super::applied::Applied;
use crate::{
    domain::DropId,
    env::SharedEnv,
    store::{SharedStore, StoreError, projections::Checkpoint},
};

/// How long records are gathered before they are consumed: each time costs some commits, which appends wait for. Lists may lag a second.
const GATHER: Duration = Duration::from_millis(100);
/// After a failure: at first, and at most.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);

/// Why a consumer could not do its work; it will be asked again with the same records.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConsumeError(pub String);

impl From<StoreError> for ConsumeError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// What follows ledgers: order rows, drop statuses, events.
#[async_trait]
pub trait Consumer: Send + Sync + fmt::Debug {
    /// Names its checkpoints; never changes.
    fn name(&self) -> &'static str;

    /// Does what the records bring, in their order. Repeats must be harmless: a crash before the checkpoint brings the same records again.
    ///
    /// # Errors
    /// If not all was done.
    async fn consume(&self, records: &[Arc<Applied>]) -> Result<(), ConsumeError>;
}

/// All consumers of a process.
pub type Consumers = Vec<Arc<dyn Consumer>>;

/// One consumer's way through one ledger.
pub(super) struct Projector {
    pub(super) env: SharedEnv,
    pub(super) store: SharedStore,
    pub(super) ledger_id: DropId,
    pub(super) consumer: Arc<dyn Consumer>,
    /// The newest record when `run`'s records began; none for an empty ledger.
    pub(super) head: Option<Checkpoint>,
    pub(super) stop: CancellationToken,
}

impl Projector {
    /// Follows the ledger until its writer has ended and everything is consumed; false if that can't be.
    pub(super) async fn run(self, records: tokio::sync::broadcast::Receiver<Arc<Applied>>) -> bool {
        let Some(checkpoint) = self.checkpoint().await else {
            return false;
        };
        let store = self.store.clone();
        let mut follower = Follower::new(store, self.ledger_id, checkpoint, self.head, records);
        let mut wait = AGAIN_AFTER;
        loop {
            match follower.next().await {
                Ok(Some(batch)) => {
                    wait = AGAIN_AFTER;
                    if !self.consume(&batch).await {
                        return false;
                    }
                    if follower.is_live() && !self.stop.is_cancelled() {
                        self.env.sleep(GATHER).await;
                    }
                }
                Ok(None) => return true,
                Err(follower::Error::Store(error)) => {
                    if !self.pause(&error.to_string(), &mut wait).await {
                        return false;
                    }
                }
                Err(follower::Error::Log(error)) => {
                    let (ledger_id, consumer) = (self.ledger_id, self.consumer.name());
                    tracing::error!(%ledger_id, consumer, %error, "ledger is not projected: run `livedrop rebuild`");
                    metrics::counter!("livedrop_projector_halted_total").increment(1);
                    return false;
                }
            }
        }
    }

    /// How far the consumer had come; `None` when told to stop.
    async fn checkpoint(&self) -> Option<Option<Checkpoint>> {
        let mut wait = AGAIN_AFTER;
        loop {
            match self.store.get_checkpoints(self.ledger_id).await {
                Ok(all) => {
                    let own = all
                        .into_iter()
                        .find(|(name, _)| name == self.consumer.name());
                    return Some(own.map(|(_, checkpoint)| checkpoint));
                }
                Err(error) => {
                    if !self.pause(&error.to_string(), &mut wait).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Consumes a batch, then notes it; false when told to stop.
    async fn consume(&self, batch: &[Arc<Applied>]) -> bool {
        let Some(last) = batch.last() else {
            return true;
        };
        let checkpoint = Checkpoint {
            seq: last.seq,
            hash: last.hash,
        };
        let mut wait = AGAIN_AFTER;
        loop {
            let done = match self.consumer.consume(batch).await {
                Ok(()) => {
                    let name = self.consumer.name();
                    let noted = self.store.put_checkpoint(self.ledger_id, name, checkpoint);
                    noted.await.map_err(ConsumeError::from)
                }
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => return true,
                Err(error) => {
                    if !self.pause(&error.to_string(), &mut wait).await {
                        return false;
                    }
                }
            }
        }
    }

    /// Waits after a failure, longer each time; false when told to stop.
    async fn pause(&self, error: &str, wait: &mut Duration) -> bool {
        if self.stop.is_cancelled() {
            return false;
        }
        let (ledger_id, consumer) = (self.ledger_id, self.consumer.name());
        tracing::warn!(%ledger_id, consumer, %error, "projection is repeated");
        self.stop.run_until_cancelled(self.env.sleep(*wait)).await;
        *wait = (*wait * 2).min(AGAIN_AFTER_MAX);
        true
    }
}
