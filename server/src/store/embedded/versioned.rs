//! Rows that are put if absent and changed by compare-and-set on their version.
//!
//! Rows are JSON: a field can be added with `#[serde(default)]` and old rows still read, a removed one is skipped, and an operator can
//! read them. They are written once per human action; the hot path (ledger records) has a binary form of its own.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    EmbeddedStore,
    rows::{Failure, RowTable},
};
use crate::store::{Cas, Put, Result, StoreError, versioned::Versioned};

pub(super) fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(row)
        .map_err(|error| StoreError::Determinate(format!("row can't be stored: {error}")))
}

pub(super) fn decode<T: DeserializeOwned>(row: &[u8]) -> std::result::Result<T, Failure> {
    serde_json::from_slice(row)
        .map_err(|error| Failure::Row(format!("a stored row can't be read: {error}")))
}

impl EmbeddedStore {
    /// Puts a row if there is none.
    pub(super) async fn insert_row<T>(&self, table: RowTable, key: &[u8], row: &T) -> Result<Put<T>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (key, row) = (key.to_vec(), encode(row)?);
        self.write(
            move |rows| match rows.put_if_absent(table, &key, &[&row])? {
                Some(existing) => Ok(Put::Exists(decode(&existing)?)),
                None => Ok(Put::Done),
            },
        )
        .await
    }

    /// Reads a row.
    pub(super) fn get_row<T: DeserializeOwned>(
        &self,
        table: RowTable,
        key: &[u8],
    ) -> Result<Option<T>> {
        self.read(|snapshot| snapshot.get(table, key, decode))
    }

    /// Replaces a row if its version is the one before. A row made by the same change counts as done.
    pub(super) async fn replace_row<T>(
        &self,
        table: RowTable,
        key: &[u8],
        row: &T,
    ) -> Result<Cas<T>>
    where
        T: Versioned + Serialize + DeserializeOwned + Send + 'static,
    {
        let (key, bytes) = (key.to_vec(), encode(row)?);
        let (version, op_id) = (row.version(), row.op_id());
        self.write(move |rows| {
            let Some(existing) = rows.get(table, &key)? else {
                return Ok(Cas::Stale(None));
            };
            let existing: T = decode(&existing)?;
            if existing.op_id() == op_id {
                return Ok(Cas::Done);
            }
            if existing.version().checked_add(1) != Some(version) {
                return Ok(Cas::Stale(Some(existing)));
            }
            rows.put(table, &key, &[&bytes])?;
            Ok(Cas::Done)
        })
        .await
    }
}
