//! Ledgers (`drop_ledger`) and who has them open (`open_ledgers`).

use async_trait::async_trait;
use bytes::Bytes;
use scylla::statement::prepared::PreparedStatement;

use super::{
    ScyllaStore,
    db::{APPEND_WITHIN, Db},
    list::List,
    lwt::{Outcome, Table, count_unknown},
    row::{self, FromRow, Row, Value, unreadable_column, values},
};
use crate::{
    domain::{DropId, ProcessId},
    store::{
        Append, LedgerRecord, LedgerStore, OpenLedger, Order, PageRequest, Result, StoreError,
    },
};

/// Records of a partition.
const SEGMENT: u64 = 1_024;
/// Records read at once: 4 MiB of the largest.
const PAGE_MAX: usize = 64;

pub(super) const DROP_LEDGER: Table = Table {
    name: "drop_ledger",
    key: &["ledger_id", "segment", "seq"],
    columns: &[
        "format",
        "fold_version",
        "writer_id",
        "batch_id",
        "recorded_at",
        "available",
        "held",
        "sold",
        "prev_hash",
        "hash",
        "body",
    ],
    using: "",
};

#[derive(Debug)]
pub(super) struct Statements {
    append: PreparedStatement,
    read_from: PreparedStatement,
    mark: PreparedStatement,
    unmark: PreparedStatement,
    open: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let mut append = db.lwt(&DROP_LEDGER.insert()).await?;
        append.set_request_timeout(Some(APPEND_WITHIN));
        let columns = DROP_LEDGER.all().join(", ");
        let read_from = format!(
            "SELECT {columns} FROM drop_ledger WHERE ledger_id = ? AND segment = ? AND seq >= ? LIMIT ?"
        );
        let (key, open) = (["ledger_id", "process_id"], "open_ledgers");
        Ok(Self {
            append,
            read_from: db.serial(&read_from).await?,
            mark: db
                .plain("INSERT INTO open_ledgers (shard, ledger_id, process_id) VALUES (?, ?, ?)")
                .await?,
            unmark: db
                .plain(
                    "DELETE FROM open_ledgers WHERE shard = ? AND ledger_id = ? AND process_id = ?",
                )
                .await?,
            open: List::prepare(db, open, &["shard"], &key, &[]).await?,
        })
    }

    /// The statement that puts a record.
    pub(super) fn append(&self) -> &PreparedStatement {
        &self.append
    }
}

/// As a number of the database, whose numbers have a sign.
fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| StoreError::Determinate(format!("{number} is too large")))
}

fn open_values(open: OpenLedger) -> Vec<Value> {
    values![
        i32::from(open.ledger_id.shard()),
        open.ledger_id.uuid(),
        open.process_id.uuid(),
    ]
}

fn record_values(record: &LedgerRecord) -> Result<Vec<Value>> {
    Ok(values![
        record.ledger_id.uuid(),
        signed(record.seq / SEGMENT)?,
        signed(record.seq)?,
        i32::from(record.format),
        i32::from(record.fold_version),
        record.writer_id,
        record.batch_id,
        record.recorded_at.micros(),
        record.available,
        record.held,
        record.sold,
        record.prev_hash,
        record.hash,
        record.body.clone(),
    ])
}

impl FromRow for LedgerRecord {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let small = |name: &str| {
            let number: i32 = row.get(name)?;
            u16::try_from(number).map_err(|error| unreadable_column(name, error))
        };
        Ok(Self {
            ledger_id: row.id("ledger_id", DropId::new)?,
            seq: row.unsigned("seq")?,
            format: small("format")?,
            fold_version: small("fold_version")?,
            writer_id: row.get("writer_id")?,
            batch_id: row.get("batch_id")?,
            recorded_at: row.time("recorded_at")?,
            available: row.get("available")?,
            held: row.get("held")?,
            sold: row.get("sold")?,
            prev_hash: row.bytes("prev_hash")?,
            hash: row.bytes("hash")?,
            body: Bytes::copy_from_slice(row.get("body")?),
        })
    }
}

impl FromRow for OpenLedger {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            ledger_id: row.id("ledger_id", DropId::new)?,
            process_id: row.id("process_id", ProcessId::new)?,
        })
    }
}

#[async_trait]
impl LedgerStore for ScyllaStore {
    fn is_exclusive(&self) -> bool {
        false
    }

    async fn append(&self, record: &LedgerRecord) -> Result<Append> {
        let (statement, values) = (&self.ledgers.append, record_values(record)?);
        // Once: the writer knows what to tell those who wait while it tries again.
        let outcome = self
            .db
            .lwt_once(statement, &values, LedgerRecord::from_row)
            .await;
        match outcome {
            Ok(Outcome::Applied) => Ok(Append::Appended),
            Ok(Outcome::Refused(Some(existing))) => Ok(Append::Conflict(Box::new(existing))),
            Ok(Outcome::Refused(None)) => {
                let found = self.read_from(record.ledger_id, record.seq, 1).await?;
                let existing = found.into_iter().next().ok_or_else(|| {
                    StoreError::Indeterminate("the slot was full and is empty".to_owned())
                })?;
                Ok(Append::Conflict(Box::new(existing)))
            }
            Err(error) => {
                if matches!(error, StoreError::Indeterminate(_)) {
                    count_unknown(DROP_LEDGER.name);
                }
                Err(error)
            }
        }
    }

    async fn read_from(
        &self,
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<LedgerRecord>> {
        let limit = limit.clamp(1, PAGE_MAX);
        let values = values![
            ledger_id.uuid(),
            signed(seq / SEGMENT)?,
            signed(seq)?,
            i32::try_from(limit).unwrap_or(i32::MAX),
        ];
        let Some(rows) = self
            .db
            .page(&self.ledgers.read_from, &values, limit)
            .await?
        else {
            return Ok(Vec::new());
        };
        let records = row::all(&rows, LedgerRecord::from_row)?;
        for (expected, record) in (seq..).zip(&records) {
            if record.seq != expected {
                let what = format!("record {expected} is missing before one that is there");
                return Err(StoreError::Determinate(what));
            }
        }
        Ok(records)
    }

    async fn mark_open(&self, open: OpenLedger) -> Result<()> {
        self.db.run(&self.ledgers.mark, open_values(open)).await
    }

    async fn unmark_open(&self, open: OpenLedger) -> Result<()> {
        self.db.run(&self.ledgers.unmark, open_values(open)).await
    }

    async fn list_open(
        &self,
        shard: u8,
        after: Option<OpenLedger>,
        limit: usize,
    ) -> Result<Vec<OpenLedger>> {
        let page = PageRequest {
            after: after.map(|it| values![it.ledger_id.uuid(), it.process_id.uuid()]),
            limit,
            order: Order::Ascending,
        };
        self.db
            .list(&self.ledgers.open, values![i32::from(shard)], page)
            .await
    }
}
