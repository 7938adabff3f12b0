//! Row-level operations over redb tables of bytes: all that the storage traits need.

use std::ops::Bound;

use redb::{
    ReadTransaction, ReadableTable, ReadableTableMetadata as _, TableDefinition, TableHandle,
    WriteTransaction,
};

use crate::store::{Order, StoreError};

/// A table: encoded key to encoded row.
pub(super) type RowTable = TableDefinition<'static, &'static [u8], &'static [u8]>;
type OpenTable<'txn> = redb::Table<'txn, &'static [u8], &'static [u8]>;
/// A range of encoded keys.
pub(super) type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

pub(super) const DROP_LEDGER: RowTable = RowTable::new("drop_ledger");
pub(super) const OPEN_LEDGERS: RowTable = RowTable::new("open_ledgers");
pub(super) const DROPS: RowTable = RowTable::new("drops");
pub(super) const DROPS_BY_TIME: RowTable = RowTable::new("drops_by_time");
pub(super) const ACCOUNTS: RowTable = RowTable::new("accounts");
pub(super) const ACCOUNT_EMAILS: RowTable = RowTable::new("account_emails");
pub(super) const CREATORS: RowTable = RowTable::new("creators");
pub(super) const CREATOR_HANDLES: RowTable = RowTable::new("creator_handles");
pub(super) const REFRESH_TOKENS: RowTable = RowTable::new("refresh_tokens");
pub(super) const REQUEST_IDS: RowTable = RowTable::new("request_ids");
pub(super) const REQUEST_IDS_BY_EXPIRY: RowTable = RowTable::new("request_ids_by_expiry");
pub(super) const ORDERS: RowTable = RowTable::new("orders");
pub(super) const ORDERS_BY_BUYER: RowTable = RowTable::new("orders_by_buyer");
pub(super) const ORDERS_BY_DROP: RowTable = RowTable::new("orders_by_drop");
pub(super) const LEDGER_CHECKPOINTS: RowTable = RowTable::new("ledger_checkpoints");
pub(super) const DROP_STATUS: RowTable = RowTable::new("drop_status");
pub(super) const PAYMENT_ATTEMPTS: RowTable = RowTable::new("payment_attempts");
pub(super) const PAYMENT_EVENTS: RowTable = RowTable::new("payment_events");
pub(super) const OUTBOX: RowTable = RowTable::new("outbox");
pub(super) const ANNOUNCED: RowTable = RowTable::new("announced");
pub(super) const JOBS: RowTable = RowTable::new("jobs");
pub(super) const AUDIT_LOG: RowTable = RowTable::new("audit_log");
pub(super) const DROPS_BY_CREATOR: RowTable = RowTable::new("drops_by_creator");
pub(super) const PRODUCTS: RowTable = RowTable::new("products");
pub(super) const PRODUCTS_BY_CREATOR: RowTable = RowTable::new("products_by_creator");
pub(super) const FOLLOW_EDGES: RowTable = RowTable::new("follow_edges");
pub(super) const FOLLOWERS: RowTable = RowTable::new("followers");
pub(super) const FOLLOWING: RowTable = RowTable::new("following");
pub(super) const FOLLOW_BUCKETS: RowTable = RowTable::new("follow_buckets");
pub(super) const ENDED_ACCOUNTS: RowTable = RowTable::new("ended_accounts");
pub(super) const SEARCH_CHANGES: RowTable = RowTable::new("search_changes");

/// Every table, so that opening a store can make those it lacks.
pub(super) const TABLES: [RowTable; 31] = [
    DROP_LEDGER,
    OPEN_LEDGERS,
    DROPS,
    DROPS_BY_TIME,
    ACCOUNTS,
    ACCOUNT_EMAILS,
    CREATORS,
    CREATOR_HANDLES,
    REFRESH_TOKENS,
    REQUEST_IDS,
    REQUEST_IDS_BY_EXPIRY,
    ORDERS,
    ORDERS_BY_BUYER,
    ORDERS_BY_DROP,
    LEDGER_CHECKPOINTS,
    DROP_STATUS,
    PAYMENT_ATTEMPTS,
    PAYMENT_EVENTS,
    OUTBOX,
    ANNOUNCED,
    JOBS,
    AUDIT_LOG,
    DROPS_BY_CREATOR,
    PRODUCTS,
    PRODUCTS_BY_CREATOR,
    FOLLOW_EDGES,
    FOLLOWERS,
    FOLLOWING,
    FOLLOW_BUCKETS,
    ENDED_ACCOUNTS,
    SEARCH_CHANGES,
];

/// A page ends with the row that reaches this many bytes: about a millisecond of copying, and 16 of the largest ledger records.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// Why an operation could not be done.
#[derive(Debug)]
pub(super) enum Failure {
    /// A stored row can't be understood. Only its readers suffer.
    Row(String),
    /// The file can't be read or written.
    Storage(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Storage(error.into())
    }
}

/// For reads: they change nothing, so whatever failed did not happen.
impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Row(message) => Self::Determinate(message),
            Failure::Storage(error) => Self::Determinate(error.to_string()),
        }
    }
}

/// The tables of one write transaction, each opened once however many operations use it.
pub(super) struct Rows<'txn> {
    transaction: &'txn WriteTransaction,
    open: Vec<(RowTable, OpenTable<'txn>)>,
    is_changed: bool,
}

impl<'txn> Rows<'txn> {
    pub(super) fn new(transaction: &'txn WriteTransaction) -> Self {
        Self {
            transaction,
            open: Vec::with_capacity(TABLES.len()),
            is_changed: false,
        }
    }

    /// Closes the tables; tells whether anything was written.
    pub(super) fn finish(self) -> bool {
        self.is_changed
    }

    /// The row as stored.
    pub(super) fn get(&mut self, table: RowTable, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.table(table)?.get(key)?.map(|row| row.value().to_vec()))
    }

    /// Writes a row, given in parts so that nobody has to join them.
    pub(super) fn put(
        &mut self,
        table: RowTable,
        key: &[u8],
        parts: &[&[u8]],
    ) -> Result<(), Failure> {
        self.is_changed = true;
        let length = parts.iter().map(|part| part.len()).sum();
        let mut place = self.table(table)?.insert_reserve(key, length)?;
        let mut rest = place.as_mut();
        for part in parts {
            let (head, tail) = rest.split_at_mut(part.len());
            head.copy_from_slice(part);
            rest = tail;
        }
        Ok(())
    }

    /// Writes a row unless there is one: then that one is returned.
    pub(super) fn put_if_absent(
        &mut self,
        table: RowTable,
        key: &[u8],
        parts: &[&[u8]],
    ) -> Result<Option<Vec<u8>>, Failure> {
        let existing = self.get(table, key)?;
        if existing.is_none() {
            self.put(table, key, parts)?;
        }
        Ok(existing)
    }

    /// Upserts a row that carries the time of its writing: of two writes the later stays, of two at one time the larger bytes (as in CQL).
    pub(super) fn put_newest(
        &mut self,
        table: RowTable,
        key: &[u8],
        written_at: &[u8; 8],
        row: &[u8],
    ) -> Result<(), Failure> {
        let parts: [&[u8]; 2] = [written_at, row];
        // The time comes first and in byte order, so one comparison does both; in place, as this is the way of every order row.
        let is_newest = self
            .table(table)?
            .get(key)?
            .is_none_or(|existing| existing.value().iter().lt(parts.into_iter().flatten()));
        if is_newest {
            self.put(table, key, &parts)?;
        }
        Ok(())
    }

    /// Deletes a row if it is there.
    pub(super) fn delete(&mut self, table: RowTable, key: &[u8]) -> Result<(), Failure> {
        if self.table(table)?.remove(key)?.is_some() {
            self.is_changed = true;
        }
        Ok(())
    }

    /// Deletes all rows of a table.
    pub(super) fn clear(&mut self, table: RowTable) -> Result<(), Failure> {
        self.is_changed = true;
        self.open.retain(|(open, _)| open.name() != table.name());
        self.transaction.delete_table(table)?;
        // Readers expect every table.
        self.table(table).map(drop)
    }

    /// The first keys of a table that are smaller than `end`.
    pub(super) fn keys_before(
        &mut self,
        table: RowTable,
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, Failure> {
        let range = self.table(table)?.range::<&[u8]>(..end)?;
        range
            .take(limit)
            .map(|entry| Ok(entry?.0.value().to_vec()))
            .collect()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the index was found or made one line before"
    )]
    fn table(&mut self, table: RowTable) -> Result<&mut OpenTable<'txn>, Failure> {
        let at = match self
            .open
            .iter()
            .position(|(open, _)| open.name() == table.name())
        {
            Some(at) => at,
            None => {
                self.open.push((table, self.transaction.open_table(table)?));
                self.open.len() - 1
            }
        };
        Ok(&mut self.open[at].1)
    }
}

/// All tables as of one commit.
pub(super) struct Snapshot(ReadTransaction);

impl Snapshot {
    pub(super) fn new(transaction: ReadTransaction) -> Self {
        Self(transaction)
    }

    /// The row, decoded.
    pub(super) fn get<T>(
        &self,
        table: RowTable,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.0
            .open_table(table)?
            .get(key)?
            .map(|row| decode(row.value()))
            .transpose()
    }

    /// How many rows a table has.
    pub(super) fn len(&self, table: RowTable) -> Result<u64, Failure> {
        Ok(self.0.open_table(table)?.len()?)
    }

    /// Rows of a range in `order`, decoded from key and row: at most `limit`, at least one if there is one, at most about a mebibyte,
    /// up to the first that `decode` makes nothing of.
    pub(super) fn page<T>(
        &self,
        table: RowTable,
        (start, end): KeyRange,
        order: Order,
        limit: usize,
        mut decode: impl FnMut(&[u8], &[u8]) -> Result<Option<T>, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let table = self.0.open_table(table)?;
        let range = table.range::<&[u8]>((
            start.as_ref().map(Vec::as_slice),
            end.as_ref().map(Vec::as_slice),
        ))?;
        let entries: Box<dyn Iterator<Item = _>> = match order {
            Order::Ascending => Box::new(range),
            Order::Descending => Box::new(range.rev()),
        };
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            let (key, row) = entry?;
            let Some(decoded) = decode(key.value(), row.value())? else {
                break;
            };
            rows.push(decoded);
            bytes += row.value().len();
            if rows.len() >= limit || bytes >= PAGE_BYTES_MAX {
                break;
            }
        }
        Ok(rows)
    }
}
