//! Opens the ledgers that dead processes left open, so that their holds end in time though nobody asks.

use futures::{StreamExt as _, stream};

use crate::{
    domain::id::SHARDS,
    ledger::Registry,
    store::{OpenLedger, SharedStore, StoreError},
};

/// Rows read at a time.
const PAGE: usize = 500;
/// Ledgers taken over at once: one that hangs holds up few others, and so many folds fit into memory.
const ADOPT_AT_ONCE: usize = 16;

/// Goes over all open ledgers once. While a store belongs to one process, all others that have a row are dead.
///
/// # Errors
/// If the store fails; what was taken over stays taken over.
pub async fn sweep(store: &SharedStore, ledgers: &Registry) -> Result<usize, StoreError> {
    let mut adopted = 0;
    for shard in 0..SHARDS {
        let mut after: Option<OpenLedger> = None;
        loop {
            let rows = store.list_open(shard, after, PAGE).await?;
            let Some(last) = rows.last().copied() else {
                break;
            };
            let (own, is_last) = (ledgers.process_id(), rows.len() < PAGE);
            let dead = rows.into_iter().filter(|row| row.process_id != own);
            let mut taken = stream::iter(dead)
                .map(|row| async move { (row, ledgers.adopt(row).await) })
                .buffer_unordered(ADOPT_AT_ONCE);
            while let Some((row, outcome)) = taken.next().await {
                match outcome {
                    Ok(()) => adopted += 1,
                    Err(error) => {
                        tracing::warn!(ledger_id = %row.ledger_id, %error, "open ledger not taken over");
                    }
                }
            }
            if is_last {
                break;
            }
            after = Some(last);
        }
    }
    Ok(adopted)
}
