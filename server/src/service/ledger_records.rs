//! A drop's ledger as anyone may read it.

use super::{Context, Error, Result};
use crate::{
    domain::{DropId, drop::LedgerSecret, reason::Reason},
    store::LedgerRecord,
};

/// What a page of records may hold in bodies: gRPC clients commonly take 4 MiB, and a record shown with its moves in words is up to
/// five times its body.
const PAGE_BYTES_MAX: usize = 512 * 1024;

/// Consecutive records of a ledger.
#[derive(Debug, Default)]
pub struct RecordsPage {
    /// In the order of the log.
    pub records: Vec<LedgerRecord>,
    /// What makes the salts of their entries; none before the freeze.
    pub secret: Option<LedgerSecret>,
    /// The head was reached.
    pub is_last: bool,
}

/// Reads the ledger's records from `seq` on, at most `limit`, and fewer if they are large. Empty before the freeze.
///
/// # Errors
/// As `ListLedgerRecords` of the contract.
pub async fn page(ctx: &Context, drop_id: DropId, seq: u64, limit: usize) -> Result<RecordsPage> {
    let drop = ctx.store.get_drop(drop_id).await?;
    let drop = drop.ok_or_else(|| Error::not_found(Reason::DropNotFound, "drop", drop_id))?;
    let mut page = RecordsPage {
        is_last: drop.secret.is_none(),
        secret: drop.secret,
        records: Vec::new(),
    };
    let mut bytes = 0;
    while !page.is_last && page.records.len() < limit {
        let next = seq.saturating_add(page.records.len() as u64);
        let wanted = limit - page.records.len();
        let read = ctx.store.read_from(drop_id, next, wanted).await?;
        // A short page says nothing; only an empty one is the head.
        page.is_last = read.is_empty();
        for record in read {
            bytes += record.body.len();
            if bytes > PAGE_BYTES_MAX && !page.records.is_empty() {
                return Ok(page);
            }
            page.records.push(record);
        }
    }
    Ok(page)
}
