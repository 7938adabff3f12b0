//! The truth into a file.

use std::io::Write;

use super::{
    Counts, Work, addresses, alive,
    file::{FileError, Writer},
    scan,
};
use crate::{
    ledger::projector::Consumers,
    store::{SharedStore, StoreError, processes::ProcessSeen, truth::TruthTable},
};

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store changes while it is read.
    #[error(
        "servers are running on this store: stop them first ({})",
        addresses(.0)
    )]
    Alive(Vec<ProcessSeen>),
    /// The store does not have all of the truth.
    #[error("this store was not imported to its end: run that import again first")]
    HalfImported,
    /// The store failed.
    #[error("the store can't be read")]
    Store(#[from] StoreError),
    /// The file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes all rows of the truth, telling `each` after every table. `consumers` are those that do their work anew at the other end.
///
/// # Errors
/// See [`ExportError`]. What was written is no file then.
pub async fn export(
    store: &SharedStore,
    consumers: &Consumers,
    mut to: Writer<impl Write>,
    mut each: impl FnMut(TruthTable, u64),
) -> Result<Counts, ExportError> {
    nobody_writes(store).await?;
    if Work::Import.is_unfinished(&**store).await? {
        return Err(ExportError::HalfImported);
    }
    for table in TruthTable::ALL {
        let mut rows = 0;
        scan::<ExportError>(store, consumers, table, |row| {
            rows += 1;
            Ok(to.put(&row)?)
        })
        .await?;
        each(table, rows);
    }
    // One may have started meanwhile.
    nobody_writes(store).await?;
    Ok(to.finish()?)
}

async fn nobody_writes(store: &SharedStore) -> Result<(), ExportError> {
    let alive = alive(store).await?;
    if alive.is_empty() {
        Ok(())
    } else {
        Err(ExportError::Alive(alive))
    }
}
