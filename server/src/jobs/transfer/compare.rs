//! A file and a store, row by row, both ways.

use std::{
    collections::HashMap,
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use sha2::{Digest as _, Sha256};

use super::{
    file::{FileError, Reader},
    is_moved, scan,
};
use crate::{
    ledger::projector::Consumers,
    store::{
        SharedStore, StoreError,
        truth::{TruthRow, TruthTable},
    },
};

/// Rows of the file that are remembered at a time, some 200 bytes each. For more, both are read several times.
pub(super) const REMEMBERED_MAX: u64 = 1_000_000;
/// Rows that are named.
const NAMED_MAX: usize = 10;

/// How a store differs from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// In the file only.
    pub missing: u64,
    /// In both, and not equal.
    pub other: u64,
    /// In the store only.
    pub extra: u64,
    /// Some of them, each with its table and how it differs.
    pub named: Vec<String>,
}

impl Difference {
    /// Whether the store has anything that the file has not.
    pub(super) fn is_foreign(&self) -> bool {
        self.other > 0 || self.extra > 0
    }

    /// Whether there is any.
    pub(super) fn is_any(&self) -> bool {
        self.missing > 0 || self.is_foreign()
    }

    fn name(&mut self, table: TruthTable, key: &str, how: &str) {
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("{} {key}: {how}", table.name()));
        }
    }
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub(super) enum CompareError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    File(#[from] FileError),
    #[error("{} {key}", .table.name())]
    Twice { table: TruthTable, key: String },
}

/// Compares every row that goes along with every row of a file of `rows` rows.
pub(super) async fn compare(
    store: &SharedStore,
    consumers: &Consumers,
    file: &File,
    rows: u64,
    remembered_max: u64,
) -> Result<Difference, CompareError> {
    let mut difference = Difference::default();
    let slices = rows.div_ceil(remembered_max).max(1);
    for slice in 0..slices {
        let is_in = |row: &TruthRow, key: &str| slice_of(row.table(), key, slices) == slice;
        let mut remembered = remember(file, consumers, is_in)?;
        for table in TruthTable::ALL {
            scan::<CompareError>(store, consumers, table, |row| {
                let key = row.key();
                if !is_in(&row, &key) {
                    return Ok(());
                }
                match remembered.remove(&(table, key.clone())) {
                    None => {
                        difference.extra += 1;
                        difference.name(table, &key, "not in the file");
                    }
                    Some(digest) if digest != digest_of(&row)? => {
                        difference.other += 1;
                        difference.name(table, &key, "another row than in the file");
                    }
                    Some(_) => {}
                }
                Ok(())
            })
            .await?;
        }
        difference.missing += remembered.len() as u64;
        for (table, key) in remembered.keys().take(NAMED_MAX) {
            difference.name(*table, key, "missing");
        }
    }
    Ok(difference)
}

type Remembered = HashMap<(TruthTable, String), [u8; 32]>;

/// Reads the file to its end.
fn remember(
    file: &File,
    consumers: &Consumers,
    is_in: impl Fn(&TruthRow, &str) -> bool,
) -> Result<Remembered, CompareError> {
    let (mut remembered, mut reader) = (Remembered::new(), Reader::of(file)?);
    while let Some(row) = reader.next_row()? {
        let key = row.key();
        if !is_moved(&row, consumers) || !is_in(&row, &key) {
            continue;
        }
        let table = row.table();
        if remembered
            .insert((table, key.clone()), digest_of(&row)?)
            .is_some()
        {
            return Err(CompareError::Twice { table, key });
        }
    }
    Ok(remembered)
}

fn slice_of(table: TruthTable, key: &str, slices: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (table, key).hash(&mut hasher);
    hasher.finish() % slices
}

fn digest_of(row: &TruthRow) -> Result<[u8; 32], FileError> {
    let text = serde_json::to_vec(row).map_err(std::io::Error::from)?;
    Ok(Sha256::digest(text).into())
}
