//! Moving the truth to another store: into a file, and from it. What is derived is made anew at the other end.

mod compare;
mod export;
pub mod file;
mod import;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::{
    compare::Difference,
    export::{ExportError, export},
    import::{Checked, ImportError, Imported, Step, import},
};
use super::{Work, indexer};
use crate::{
    ledger::projector::Consumers,
    store::{
        Result, SharedStore,
        processes::ProcessSeen,
        truth::{TruthRow, TruthTable},
    },
};

/// Rows of each table.
pub type Counts = BTreeMap<TruthTable, u64>;

/// Rows read at a time.
const PAGE: usize = 1_000;

/// Whether a row goes along: all do but notes about one store, and checkpoints of those who do their work anew.
fn is_moved(row: &TruthRow, consumers: &Consumers) -> bool {
    match row {
        TruthRow::Jobs(job) => {
            let [rebuild, import] = [Work::Rebuild, Work::Import].map(Work::job_id);
            ![rebuild, import, indexer::JOB_ID].contains(&job.job_id.as_str())
        }
        TruthRow::LedgerCheckpoints { consumer, .. } => {
            !consumers.iter().any(|it| it.name() == consumer)
        }
        TruthRow::DropLedger(_)
        | TruthRow::OpenLedgers(_)
        | TruthRow::Accounts(_)
        | TruthRow::Creators(_)
        | TruthRow::AccountEmails { .. }
        | TruthRow::CreatorHandles { .. }
        | TruthRow::RefreshTokens(_)
        | TruthRow::RequestIds { .. }
        | TruthRow::Drops(_)
        | TruthRow::Products(_)
        | TruthRow::FollowEdges(_)
        | TruthRow::FollowBuckets(_)
        | TruthRow::PaymentAttempts { .. }
        | TruthRow::PaymentEvents { .. }
        | TruthRow::Outbox(_)
        | TruthRow::Announced { .. }
        | TruthRow::AuditLog(_) => true,
    }
}

/// Hands over every row of a table that goes along.
async fn scan<E: From<crate::store::StoreError>>(
    store: &SharedStore,
    consumers: &Consumers,
    table: TruthTable,
    mut each: impl FnMut(TruthRow) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut after = None;
    loop {
        let page = store.scan_truth(table, after.as_ref(), PAGE).await?;
        for row in page.rows {
            if is_moved(&row, consumers) {
                each(row)?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Processes that have the store open and live.
async fn alive(store: &SharedStore) -> Result<Vec<ProcessSeen>> {
    let mut processes = store.list_processes().await?;
    processes.retain(ProcessSeen::is_alive);
    Ok(processes)
}

/// As in `10.0.0.1:7400, 10.0.0.2:7400`.
fn addresses(processes: &[ProcessSeen]) -> String {
    let addresses: Vec<_> = processes.iter().map(|it| it.address.as_str()).collect();
    addresses.join(", ")
}
