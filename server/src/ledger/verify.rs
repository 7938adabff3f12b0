//! Walking a whole ledger: chain, hashes, every entry, every count.

use super::{
    record,
    state::{FoldError, StockState},
};
use crate::{
    domain::DropId,
    store::{LedgerRecord, LedgerStore, StoreError},
};

/// Records read at a time.
pub const PAGE: usize = 64;

/// What a sound ledger holds.
#[derive(Debug)]
pub struct Report {
    /// The fold of all records.
    pub state: StockState,
    /// How many entries there are.
    pub entry_count: u64,
}

/// Why a ledger can't be called sound.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The ledger is wrong.
    #[error("{0}")]
    Wrong(#[from] FoldError),
    /// The ledger could not be read.
    #[error("{0}")]
    Unreadable(#[from] StoreError),
}

/// Folds a ledger from its first record, telling `each` record and checking everything that can be checked.
///
/// # Errors
/// At the first thing that is wrong, saying where.
pub async fn verify(
    store: &dyn LedgerStore,
    ledger_id: DropId,
    mut each: impl FnMut(&LedgerRecord, &[super::Entry]) + Send,
) -> Result<Report, Problem> {
    let mut state = StockState::new(ledger_id);
    let mut entry_count = 0;
    loop {
        let page = store.read_from(ledger_id, state.seq() + 1, PAGE).await?;
        if page.is_empty() {
            return Ok(Report { state, entry_count });
        }
        for stored in &page {
            let applied = record::fold(&mut state, stored)?;
            entry_count += applied.entries.len() as u64;
            each(stored, &applied.entries);
        }
    }
}
