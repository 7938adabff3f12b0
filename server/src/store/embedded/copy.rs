//! A copy of the file as of one moment, while others go on reading and writing.

use std::path::Path;

use redb::{Durability, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};
use tokio_util::sync::CancellationToken;

use super::{
    EmbeddedStore, OpenError, file,
    rows::{RowTable, TABLES},
};
use crate::store::{Result, StoreError};

/// Memory for the copy's pages: each is written once.
const CACHE_BYTES: usize = 32 << 20;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The store can't be read.
    #[error("the store can't be read")]
    Read(#[from] StoreError),
    /// The copy can't be written.
    #[error("the copy can't be written")]
    Write(#[source] OpenError),
    /// It was given up.
    #[error("the copy was cut off")]
    CutOff,
}

/// Rows of each table, by its name.
pub type RowCounts = Vec<(String, u64)>;

impl EmbeddedStore {
    /// Writes all tables into a new store in `dir`, as they are at one moment; durable when this returns. What is written meanwhile is kept
    /// twice in this store's file until the end.
    ///
    /// # Errors
    /// See [`CopyError`]. What is in `dir` is of no use then.
    pub async fn copy_to(&self, dir: &Path) -> std::result::Result<RowCounts, CopyError> {
        let (database, dir) = (self.committer.database()?.clone(), dir.to_owned());
        // Given up with this call, so that nobody holds the file on when the server stops.
        let given_up = CancellationToken::new();
        let _guard = given_up.clone().drop_guard();
        let copied = tokio::task::spawn_blocking(move || copy(&database, &dir, &given_up));
        copied.await.unwrap_or_else(|_| {
            let what = "reading it failed: it may be damaged".to_owned();
            Err(StoreError::Determinate(what).into())
        })
    }

    /// Counts the rows of each table.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn row_counts(&self) -> Result<RowCounts> {
        self.read(|snapshot| {
            let count = |table| Ok((name(table), snapshot.len(table)?));
            TABLES.into_iter().map(count).collect()
        })
    }
}

fn name(table: RowTable) -> String {
    redb::TableHandle::name(&table).to_owned()
}

fn read(error: impl Into<redb::Error>) -> CopyError {
    StoreError::Determinate(error.into().to_string()).into()
}

fn write(error: impl Into<redb::Error>) -> CopyError {
    CopyError::Write(error.into().into())
}

fn copy(
    database: &redb::Database,
    dir: &Path,
    given_up: &CancellationToken,
) -> std::result::Result<RowCounts, CopyError> {
    let from = database.begin_read().map_err(read)?;
    let copy = file::open(dir, CACHE_BYTES, false).map_err(CopyError::Write)?;
    let mut to = copy.begin_write().map_err(write)?;
    to.set_durability(Durability::Immediate).map_err(write)?;
    let mut counts = RowCounts::with_capacity(TABLES.len());
    for table in TABLES {
        let rows = from.open_table(table).map_err(read)?;
        let mut copied = to.open_table(table).map_err(write)?;
        for row in rows.iter().map_err(read)? {
            if given_up.is_cancelled() {
                return Err(CopyError::CutOff);
            }
            let (key, row) = row.map_err(read)?;
            copied.insert(key.value(), row.value()).map_err(write)?;
        }
        counts.push((name(table), copied.len().map_err(write)?));
    }
    to.commit().map_err(write)?;
    Ok(counts)
}
