//! How drops stand (`drop_status`), how far consumers have come (`ledger_checkpoints`), and emptying what is derived.

use std::time::Duration;

use async_trait::async_trait;
use scylla::{
    DeserializeValue, SerializeValue,
    statement::{prepared::PreparedStatement, unprepared::Statement},
};
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    outcome,
    row::{self, FromRow, Row, values},
};
use crate::{
    domain::{DropId, ItemId},
    store::{
        ProjectionStore, Result,
        projections::{Checkpoint, DropStatus, ItemStock},
    },
};

/// What can be made again from ledgers, drops, products and edges.
const DERIVED: [&str; 9] = [
    "orders",
    "orders_by_buyer",
    "orders_by_drop",
    "drop_status",
    "drops_by_time",
    "drops_by_creator",
    "products_by_creator",
    "followers",
    "following",
];
/// Emptying a table asks all nodes, and they may have much to remove.
const TRUNCATE_WITHIN: Duration = Duration::from_secs(60);
/// Most consumers of a ledger: they are parts of this program, a handful.
const CONSUMERS_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct Statements {
    put_status: PreparedStatement,
    get_status: PreparedStatement,
    put_checkpoint: PreparedStatement,
    get_checkpoints: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let columns = "drop_id, seq, recorded_at, state, is_sealed, is_sold_out, items";
        Ok(Self {
            put_status: db
                .plain(&format!(
                    "INSERT INTO drop_status ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
                ))
                .await?,
            get_status: db
                .plain(&format!("SELECT {columns} FROM drop_status WHERE drop_id = ?"))
                .await?,
            put_checkpoint: db
                .plain("INSERT INTO ledger_checkpoints (ledger_id, consumer, seq, hash) VALUES (?, ?, ?, ?)")
                .await?,
            get_checkpoints: db
                .plain("SELECT consumer, seq, hash FROM ledger_checkpoints WHERE ledger_id = ? LIMIT ?")
                .await?,
        })
    }
}

/// The type `item_stock`.
#[derive(SerializeValue, DeserializeValue)]
struct StoredStock {
    item_id: Uuid,
    initial: i64,
    restocked: i64,
    available: i64,
    held: i64,
    sold: i64,
}

impl From<&ItemStock> for StoredStock {
    fn from(it: &ItemStock) -> Self {
        Self {
            item_id: it.item_id.uuid(),
            initial: it.initial,
            restocked: it.restocked,
            available: it.available,
            held: it.held,
            sold: it.sold,
        }
    }
}

impl From<StoredStock> for ItemStock {
    fn from(it: StoredStock) -> Self {
        Self {
            item_id: ItemId::new(it.item_id),
            initial: it.initial,
            restocked: it.restocked,
            available: it.available,
            held: it.held,
            sold: it.sold,
        }
    }
}

impl FromRow for DropStatus {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let items: Vec<StoredStock> = row.get("items")?;
        Ok(Self {
            drop_id: row.id("drop_id", DropId::new)?,
            seq: row.unsigned("seq")?,
            recorded_at: row.time("recorded_at")?,
            state: row.named("state")?,
            is_sealed: row.get("is_sealed")?,
            is_sold_out: row.get("is_sold_out")?,
            items: items.into_iter().map(ItemStock::from).collect(),
        })
    }
}

impl FromRow for (String, Checkpoint) {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let checkpoint = Checkpoint {
            seq: row.unsigned("seq")?,
            hash: row.bytes("hash")?,
        };
        Ok((row.get("consumer")?, checkpoint))
    }
}

fn seq(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[async_trait]
impl ProjectionStore for ScyllaStore {
    async fn get_checkpoints(&self, ledger_id: DropId) -> Result<Vec<(String, Checkpoint)>> {
        let bound = i32::try_from(CONSUMERS_MAX).unwrap_or(i32::MAX);
        let (statement, values) = (
            &self.projections.get_checkpoints,
            values![ledger_id.uuid(), bound],
        );
        self.db.select(statement, &values, CONSUMERS_MAX).await
    }

    async fn put_checkpoint(
        &self,
        ledger_id: DropId,
        consumer: &str,
        checkpoint: Checkpoint,
    ) -> Result<()> {
        let values = values![
            ledger_id.uuid(),
            consumer.to_owned(),
            seq(checkpoint.seq),
            checkpoint.hash,
        ];
        self.db.run(&self.projections.put_checkpoint, values).await
    }

    async fn put_drop_status(&self, status: &DropStatus) -> Result<()> {
        let items: Vec<_> = status.items.iter().map(StoredStock::from).collect();
        let values = values![
            status.drop_id.uuid(),
            seq(status.seq),
            status.recorded_at.micros(),
            row::name_of(&status.state),
            status.is_sealed,
            status.is_sold_out,
            items,
            seq(status.seq),
        ];
        self.db.run(&self.projections.put_status, values).await
    }

    async fn get_drop_status(&self, drop_id: DropId) -> Result<Option<DropStatus>> {
        let rows = self
            .db
            .rows(&self.projections.get_status, &values![drop_id.uuid()])
            .await?;
        row::first(&rows, DropStatus::from_row)
    }

    async fn truncate_derived(&self) -> Result<()> {
        for table in DERIVED {
            let mut statement = Statement::new(self.db.qualified(&format!("TRUNCATE {table}")));
            statement.set_request_timeout(Some(TRUNCATE_WITHIN));
            let done = self.db.session().query_unpaged(statement, ()).await;
            done.map_err(|error| outcome::of(table, &error))?;
        }
        Ok(())
    }
}
