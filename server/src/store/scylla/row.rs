//! Rows by the names of their columns: the databases put the columns of a refused LWT in different orders.

use std::str::FromStr;

use scylla::{
    deserialize::{
        row::{ColumnIterator, RawColumn},
        value::DeserializeValue,
    },
    response::query_result::QueryRowsResult,
    serialize::value::SerializeValue,
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::outcome;
use crate::{
    domain::Timestamp,
    store::{Result, StoreError},
};

/// A value for a `?`.
pub(super) type Value = Box<dyn SerializeValue + Send + Sync>;

/// Values for the `?`s of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { Vec::from([$(Box::new($value) as $crate::store::scylla::row::Value),*]) };
}
pub(super) use values;

/// The column of an LWT's answer that says whether it was done.
pub(super) const APPLIED: &str = "[applied]";

/// A row that can be read by name.
pub(super) struct Row<'r>(Vec<RawColumn<'r, 'r>>);

impl<'r> Row<'r> {
    fn new(columns: ColumnIterator<'r, 'r>) -> Result<Self> {
        let columns: std::result::Result<_, _> = columns.collect();
        columns
            .map(Self)
            .map_err(|error| unreadable_column("a row", error))
    }

    /// A column that is in the answer.
    pub(super) fn get<T: DeserializeValue<'r, 'r>>(&self, name: &str) -> Result<T> {
        let found = self.0.iter().find(|column| column.spec.name() == name);
        let column = found.ok_or_else(|| unreadable_column(name, "it is not in the answer"))?;
        T::type_check(column.spec.typ()).map_err(|error| unreadable_column(name, error))?;
        T::deserialize(column.spec.typ(), column.slice)
            .map_err(|error| unreadable_column(name, error))
    }

    /// Whether any other column has a value.
    pub(super) fn has_any_but(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|column| column.spec.name() != name && column.slice.is_some())
    }

    /// An id.
    pub(super) fn id<T>(&self, name: &str, wrap: impl FnOnce(Uuid) -> T) -> Result<T> {
        self.get(name).map(wrap)
    }

    /// A point in time.
    pub(super) fn time(&self, name: &str) -> Result<Timestamp> {
        self.get(name).map(Timestamp::from_micros)
    }

    /// A text in the form that `T` parses.
    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T> {
        let text: &str = self.get(name)?;
        text.parse().map_err(|error| unreadable_column(name, error))
    }

    /// One of the names that `T` has in serde.
    pub(super) fn named<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text: String = self.get(name)?;
        serde_json::from_value(text.into()).map_err(|error| unreadable_column(name, error))
    }

    /// A number that is never negative in the domain.
    pub(super) fn unsigned(&self, name: &str) -> Result<u64> {
        let number: i64 = self.get(name)?;
        u64::try_from(number).map_err(|error| unreadable_column(name, error))
    }

    /// Exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&self, name: &str) -> Result<[u8; N]> {
        let bytes: &[u8] = self.get(name)?;
        bytes
            .try_into()
            .map_err(|error| unreadable_column(name, error))
    }
}

/// The name that a variant without fields has in serde.
pub(super) fn name_of(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(name)) => name,
        // No stored type is like this; an empty name can't be read back.
        Ok(_) | Err(_) => String::new(),
    }
}

/// What can be made of a row.
pub(super) trait FromRow: Sized {
    /// Reads the columns it needs.
    fn from_row(row: &Row<'_>) -> Result<Self>;
}

/// All rows of an answer.
pub(super) fn all<T>(
    rows: &QueryRowsResult,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let columns = rows.rows::<ColumnIterator<'_, '_>>();
    let columns = columns.map_err(|error| outcome::unreadable("rows", error))?;
    columns
        .map(|row| {
            let row = row.map_err(|error| outcome::unreadable("a row", error))?;
            read(&Row::new(row)?)
        })
        .collect()
}

/// The first row of an answer, if there is one.
pub(super) fn first<T>(
    rows: &QueryRowsResult,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let row = rows.maybe_first_row::<ColumnIterator<'_, '_>>();
    let row = row.map_err(|error| outcome::unreadable("a row", error))?;
    row.map(|row| read(&Row::new(row)?)).transpose()
}

/// A stored value that this version can't read: asking again will not help.
pub(super) fn unreadable_column(name: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Determinate(format!("column {name} can't be read: {error}"))
}
