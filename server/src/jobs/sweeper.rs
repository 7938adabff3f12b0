//! Opens the ledgers that dead processes left open, so that their holds end in time though nobody asks.

use crate::{
    domain::id::SHARDS,
    ledger::Registry,
    store::{OpenLedger, SharedStore, StoreError},
};

/// Rows read at a time.
const PAGE: usize = 500;

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
            for row in rows
                .iter()
                .filter(|row| row.process_id != ledgers.process_id())
            {
                match ledgers.adopt(*row).await {
                    Ok(()) => adopted += 1,
                    Err(error) => {
                        tracing::warn!(ledger_id = %row.ledger_id, %error, "open ledger not taken over")
                    }
                }
            }
            if rows.len() < PAGE {
                break;
            }
            after = Some(last);
        }
    }
    Ok(adopted)
}
