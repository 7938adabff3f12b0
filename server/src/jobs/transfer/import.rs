//! The truth from a file into a store that has nothing else.

use std::{collections::BTreeMap, fs::File, time::Duration};

use futures::{TryStreamExt as _, stream};

use super::{
    Counts, Work, addresses, alive,
    compare::{CompareError, Difference, REMEMBERED_MAX, compare},
    file::{FileError, Reader},
    is_moved,
};
use crate::{
    env::SharedEnv,
    jobs::rebuild::{RebuildError, Rebuilt, rebuild},
    ledger::projector::Consumers,
    store::{
        Put, SharedStore, StoreError,
        processes::ProcessSeen,
        truth::{TruthRow, TruthTable},
    },
};

/// Rows put at a time: room for many groups that do not wait for each other.
const BATCH_ROWS: usize = 2_000;
/// And what they take in the file, at most: some hundred of the largest records.
const BATCH_BYTES: usize = 16 << 20;
/// Groups of rows that are put at once.
const AT_ONCE: usize = 64;
/// Tries of a put whose outcome is unknown: nodes of a database come back within seconds.
const TRIES_MAX: u32 = 8;
/// After the first of them, doubled each time.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Rows of the file, each of which is in the store now.
    pub rows: Counts,
    /// What was made of them.
    pub rebuilt: Rebuilt,
}

/// Why a store is not imported to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file can't be used. The store is as it was.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has a row twice. The store is as it was.
    #[error("the file has a row twice ({0}): export again")]
    Twice(String),
    /// The store changes while it is written. It is as it was.
    #[error("servers are running on this store: stop them first ({})", addresses(.0))]
    Alive(Vec<ProcessSeen>),
    /// The store has rows of its own. It is as it was.
    #[error(
        "the store is not empty, and has what is not from this file ({} rows not in the file, {} other ones, as {}): choose an empty one",
        .0.extra, .0.other, .0.named.first().map_or("none", String::as_str)
    )]
    NotEmpty(Difference),
    /// Somebody else began to import.
    #[error("another import is at work on this store")]
    Busy,
    /// A row is there already, and is another one.
    #[error("{} {key} is there already, and is another row than in the file: choose an empty store", .table.name())]
    Exists {
        /// Of which table.
        table: TruthTable,
        /// Which row.
        key: String,
    },
    /// The store failed.
    #[error("the store failed; run the import again, it goes on where it was")]
    Store(#[from] StoreError),
    /// What is in the store is not what was put there.
    #[error(
        "the store is not what was imported ({} rows missing, {} other, {} not in the file): do not use it",
        .0.missing, .0.other, .0.extra
    )]
    Different(Difference),
    /// The truth is there; what is derived from it is not.
    #[error("the truth is imported, but not what is derived from it: run the import again")]
    Rebuild(#[source] RebuildError),
}

impl From<CompareError> for ImportError {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Store(error) => Self::Store(error),
            CompareError::File(error) => Self::File(error),
            CompareError::Twice { table, key } => Self::Twice(format!("{} {key}", table.name())),
        }
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// So many rows are put, of so many.
    Put(u64, u64),
    /// All rows are put: each is read again.
    Compare,
    /// All rows are as in the file: what is derived is made.
    Rebuild(&'a Rebuilt),
}

/// A file that was read whole, before anything is believed of it.
#[derive(Debug)]
pub struct Checked<'f> {
    file: &'f File,
    rows: Counts,
}

impl<'f> Checked<'f> {
    /// Reads the file to its end.
    ///
    /// # Errors
    /// If it is not whole, or not ours.
    pub fn read(file: &'f File) -> Result<Self, FileError> {
        let mut reader = Reader::of(file)?;
        while reader.next_row()?.is_some() {}
        let rows = reader.counts().clone();
        Ok(Self { file, rows })
    }
}

/// Puts all rows of a file, reads them again, and makes what is derived. May be repeated, and goes on where it was cut off; a server does
/// not start on the store meanwhile.
///
/// # Errors
/// See [`ImportError`].
pub async fn import(
    env: &SharedEnv,
    store: &SharedStore,
    consumers: &Consumers,
    checked: &Checked<'_>,
    mut each: impl FnMut(Step<'_>),
) -> Result<Imported, ImportError> {
    let (file, total) = (checked.file, checked.rows.values().sum());
    let alive = alive(store).await?;
    if !alive.is_empty() {
        return Err(ImportError::Alive(alive));
    }
    let before = compare(store, consumers, file, total, REMEMBERED_MAX).await?;
    if before.is_foreign() {
        return Err(ImportError::NotEmpty(before));
    }
    // Before the first row: a process that dies from here on leaves a store that no server starts on.
    if !Work::Import.begin(env, store).await? {
        return Err(ImportError::Busy);
    }
    if before.is_any() {
        put_all(env, store, consumers, file, |put| {
            each(Step::Put(put, total))
        })
        .await?;
    }
    each(Step::Compare);
    let after = compare(store, consumers, file, total, REMEMBERED_MAX).await?;
    if after.is_any() {
        return Err(ImportError::Different(after));
    }
    let rebuilt = rebuild(env, store, consumers, |done| each(Step::Rebuild(done)))
        .await
        .map_err(ImportError::Rebuild)?;
    if !Work::Import.finish(env, store).await? {
        return Err(ImportError::Busy);
    }
    Ok(Imported {
        rows: checked.rows.clone(),
        rebuilt,
    })
}

async fn put_all(
    env: &SharedEnv,
    store: &SharedStore,
    consumers: &Consumers,
    file: &File,
    mut each: impl FnMut(u64),
) -> Result<(), ImportError> {
    let (mut reader, mut put) = (Reader::of(file)?, 0);
    loop {
        let mut groups: BTreeMap<(TruthTable, String), Vec<TruthRow>> = BTreeMap::new();
        let (mut rows, mut bytes) = (0, 0);
        while rows < BATCH_ROWS
            && bytes < BATCH_BYTES
            && let Some(row) = reader.next_row()?
        {
            rows += 1;
            bytes += reader.row_bytes();
            if is_moved(&row, consumers) {
                let group = (row.table(), row.group());
                groups.entry(group).or_default().push(row);
            }
        }
        if rows == 0 {
            return Ok(());
        }
        stream::iter(groups.into_values().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |group| put_group(env, store, group))
            .await?;
        put += rows as u64;
        each(put);
    }
}

async fn put_group(
    env: &SharedEnv,
    store: &SharedStore,
    group: Vec<TruthRow>,
) -> Result<(), ImportError> {
    for row in group {
        let (mut tries, mut pause) = (1, AGAIN_AFTER);
        let outcome = loop {
            match store.put_truth(&row).await {
                Err(StoreError::Indeterminate(_)) if tries < TRIES_MAX => {
                    env.sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
                outcome => break outcome?,
            }
        };
        if let Put::Exists(_) = outcome {
            return Err(ImportError::Exists {
                table: row.table(),
                key: row.key(),
            });
        }
    }
    Ok(())
}
