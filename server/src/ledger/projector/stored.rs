//! Projecting what a ledger holds, from its first record: for `livedrop rebuild`, while nobody writes.

use std::sync::Arc;

use super::{ConsumeError, Consumers};
use crate::{
    domain::DropId,
    ledger::{
        record,
        state::{FoldError, StockState},
        verify,
    },
    store::{SharedStore, StoreError, projections::Checkpoint},
};

/// Why a ledger could not be projected to its end. What comes before that is projected.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The ledger is wrong.
    #[error("{0}")]
    Wrong(#[from] FoldError),
    /// It can't be read now.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A consumer could not do its work.
    #[error("{0}")]
    Consume(#[from] ConsumeError),
}

/// Has `consumers` do all records of a ledger anew, checks them on the way, and sets the consumers' checkpoints. Gives the fold; an empty
/// one if there is no ledger.
///
/// Checkpoints of others stay, for what they did can't be done again. One that this ledger does not know, as after a restore, is set to the
/// head: better nothing is told than something twice.
///
/// # Errors
/// At the first thing that is wrong or fails.
pub async fn project_stored(
    store: &SharedStore,
    ledger_id: DropId,
    consumers: &Consumers,
) -> Result<StockState, StoredError> {
    let mut state = StockState::new(ledger_id);
    loop {
        let page = store
            .read_from(ledger_id, state.seq() + 1, verify::PAGE)
            .await?;
        if page.is_empty() {
            break;
        }
        let (mut batch, mut wrong) = (Vec::with_capacity(page.len()), None);
        for stored in &page {
            match record::fold(&mut state, stored) {
                Ok(applied) => batch.push(Arc::new(applied)),
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        for consumer in consumers.iter().filter(|_| !batch.is_empty()) {
            consumer.consume(&batch).await?;
            let (name, head) = (consumer.name(), head(&state));
            store.put_checkpoint(ledger_id, name, head).await?;
        }
        if let Some(error) = wrong {
            return Err(error.into());
        }
    }
    for (name, checkpoint) in store.get_checkpoints(ledger_id).await? {
        let is_ours = consumers.iter().any(|consumer| consumer.name() == name);
        if !is_ours && state.record_hash(checkpoint.seq) != Some(checkpoint.hash) {
            store.put_checkpoint(ledger_id, &name, head(&state)).await?;
        }
    }
    Ok(state)
}

fn head(state: &StockState) -> Checkpoint {
    Checkpoint {
        seq: state.seq(),
        hash: state.head_hash(),
    }
}
