//! Rows that are put if absent and changed by compare-and-set on their version.

use std::time::Duration;

use metrics::counter;
use rand::RngExt as _;
use scylla::statement::prepared::PreparedStatement;

use super::{
    db::Db,
    row::{self, APPLIED, FromRow, Value},
};
use crate::store::{Cas, Put, Result, StoreError, versioned::Versioned};

/// Tries of an LWT whose outcome is unknown; another one, of the same bytes, tells what became of the first.
const TRIES_MAX: u32 = 3;
/// Two who collided wait a random part of this before they try again.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// A table whose rows are written as a whole, mostly by LWT.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The partition key; also the first columns.
    pub(super) key: &'static [&'static str],
    /// The other columns.
    pub(super) columns: &'static [&'static str],
    /// Added to the insertion, such as a TTL.
    pub(super) using: &'static str,
}

/// The statements of a [`Table`].
#[derive(Debug)]
pub(super) struct Statements {
    table: Table,
    insert: PreparedStatement,
    /// Of tables whose rows have a version.
    update: Option<PreparedStatement>,
    select: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(db: &Db, table: Table) -> Result<Self> {
        let update = match table.columns.contains(&"version") {
            true => Some(db.lwt(&table.update()).await?),
            false => None,
        };
        Ok(Self {
            insert: db.lwt(&table.insert()).await?,
            update,
            select: db.serial(&table.select()).await?,
            table,
        })
    }
}

impl Table {
    /// Key and columns.
    pub(super) fn all(&self) -> Vec<&'static str> {
        [self.key, self.columns].concat()
    }

    pub(super) fn insert(&self) -> String {
        let (all, using) = (self.all(), self.using);
        let (columns, marks) = (all.join(", "), vec!["?"; all.len()].join(", "));
        let name = self.name;
        format!("INSERT INTO {name} ({columns}) VALUES ({marks}) IF NOT EXISTS {using}")
    }

    fn update(&self) -> String {
        let set = self.columns.join(" = ?, ");
        let key = self.key.join(" = ? AND ");
        format!(
            "UPDATE {} SET {set} = ? WHERE {key} = ? IF version = ?",
            self.name
        )
    }

    pub(super) fn select(&self) -> String {
        let key = self.key.join(" = ? AND ");
        format!(
            "SELECT {} FROM {} WHERE {key} = ?",
            self.all().join(", "),
            self.name
        )
    }
}

impl Db {
    /// Puts a row if there is none; `columns` are all but the key. After an unknown outcome the same row is put again: if that is then found
    /// to be there, it was ours.
    pub(super) async fn put_if_absent<T: FromRow + PartialEq>(
        &self,
        statements: &Statements,
        key: Vec<Value>,
        columns: Vec<Value>,
        row: &T,
    ) -> Result<Put<T>> {
        let (mut values, key_length) = (key, statements.table.key.len());
        values.extend(columns);
        let settled = self
            .settle(
                statements.table.name,
                &statements.insert,
                &values,
                T::from_row,
            )
            .await?;
        match settled.outcome {
            Outcome::Applied => Ok(Put::Done),
            Outcome::Refused(Some(found)) if settled.is_repeat && found == *row => Ok(Put::Done),
            Outcome::Refused(Some(found)) => Ok(Put::Exists(found)),
            // Refused without saying by what.
            Outcome::Refused(None) => {
                let found = self.find(statements, values.get(..key_length)).await?;
                found.map(Put::Exists).ok_or_else(|| {
                    let what = format!("{}: a row was there and is gone", statements.table.name);
                    StoreError::Indeterminate(what)
                })
            }
        }
    }

    /// Reads a row (linearizable).
    pub(super) async fn get<T: FromRow>(
        &self,
        statements: &Statements,
        key: Vec<Value>,
    ) -> Result<Option<T>> {
        self.find(statements, Some(&key)).await
    }

    async fn find<T: FromRow>(
        &self,
        statements: &Statements,
        key: Option<&[Value]>,
    ) -> Result<Option<T>> {
        let rows = self
            .rows(&statements.select, key.unwrap_or_default())
            .await?;
        row::first(&rows, T::from_row)
    }

    /// Replaces a row if its version is the one before. A row made by the same change counts as done.
    pub(super) async fn replace<T: FromRow + Versioned>(
        &self,
        statements: &Statements,
        key: Vec<Value>,
        columns: Vec<Value>,
        row: &T,
    ) -> Result<Cas<T>> {
        let name = statements.table.name;
        let (Some(update), Some(before)) = (&statements.update, row.version().checked_sub(1))
        else {
            return Err(StoreError::Determinate(format!(
                "{name} has no such version"
            )));
        };
        let key_place = columns.len()..columns.len() + key.len();
        let mut values = columns;
        values.extend(key);
        values.push(Box::new(before));
        let settled = self.settle(name, update, &values, |_| Ok(())).await?;
        match settled.outcome {
            Outcome::Applied => Ok(Cas::Done),
            // The answer has the version only.
            Outcome::Refused(_) => match self.find::<T>(statements, values.get(key_place)).await? {
                Some(found) if found.op_id() == row.op_id() => Ok(Cas::Done),
                found => Ok(Cas::Stale(found)),
            },
        }
    }

    /// Removes a row by an LWT with a condition; a row that does not fulfil it stays.
    pub(super) async fn remove(
        &self,
        table: &'static str,
        statement: &PreparedStatement,
        values: Vec<Value>,
    ) -> Result<()> {
        self.settle(table, statement, &values, |_| Ok(()))
            .await
            .map(drop)
    }

    /// Repeats an LWT while its outcome is unknown. That is harmless here: the first one that is done makes all others refused.
    async fn settle<T>(
        &self,
        table: &'static str,
        statement: &PreparedStatement,
        values: &[Value],
        read: fn(&row::Row<'_>) -> Result<T>,
    ) -> Result<Settled<T>> {
        let mut unknown = None;
        for _ in 0..TRIES_MAX {
            match self.lwt_once(statement, values, read).await {
                Ok(outcome) => {
                    let is_repeat = unknown.is_some();
                    return Ok(Settled { outcome, is_repeat });
                }
                // After an unknown outcome a definite no says nothing about that one.
                Err(error @ StoreError::Determinate(_)) => return Err(unknown.unwrap_or(error)),
                Err(error @ StoreError::Indeterminate(_)) => {
                    count_unknown(table);
                    tracing::debug!(table, %error, "outcome unknown, asked again");
                    unknown = Some(error);
                }
            }
            let part: f64 = rand::rng().random();
            tokio::time::sleep(PAUSE_MAX.mul_f64(part)).await;
        }
        Err(unknown.unwrap_or_else(|| StoreError::Indeterminate("not tried".to_owned())))
    }

    /// Runs an LWT once.
    pub(super) async fn lwt_once<T>(
        &self,
        statement: &PreparedStatement,
        values: &[Value],
        read: fn(&row::Row<'_>) -> Result<T>,
    ) -> Result<Outcome<T>> {
        let rows = self.rows(statement, values).await?;
        let outcome = row::first(&rows, |row| {
            let is_applied = row.get(APPLIED);
            if is_applied.map_err(|error| StoreError::Indeterminate(error.to_string()))? {
                return Ok(Outcome::Applied);
            }
            // A refusal without a row has nothing but `[applied]`, or nulls.
            let has_row = row.has_any_but(APPLIED);
            let found = has_row.then(|| read(row)).transpose()?;
            Ok(Outcome::Refused(found))
        })?;
        outcome.ok_or_else(|| StoreError::Indeterminate("an LWT without an answer".to_owned()))
    }
}

/// An outcome that is known.
struct Settled<T> {
    outcome: Outcome<T>,
    /// The outcome of an earlier try is not.
    is_repeat: bool,
}

/// What became of an LWT.
pub(super) enum Outcome<T> {
    /// It was done.
    Applied,
    /// It was not: this row was in the way.
    Refused(Option<T>),
}

/// Ordinary under load, and much more so while nodes are down.
pub(super) fn count_unknown(table: &'static str) {
    counter!("livedrop_store_unknown_total", "table" => table).increment(1);
}
