//! Order rows (`orders`) and where they are listed (`orders_by_buyer`, `orders_by_drop`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use scylla::{DeserializeValue, SerializeValue, statement::prepared::PreparedStatement};
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    row::{self, FromRow, Row, Value, values},
};
use crate::{
    domain::{AccountId, DropId, ItemId, OrderId},
    store::{
        OrderStore, PageRequest, Result,
        orders::{LedgerPlace, OrderKey, OrderRef, OrderRow, OrderRowLine, check_count},
    },
};

const COLUMNS: &str = "order_id, drop_id, buyer_id, creator_id, lines, currency, total_minor, state, hold_expires_at, created_at, \
    updated_at, updated_seq, updated_index, proof_seq, proof_index, attempts, action_url, payment_error";

#[derive(Debug)]
pub(super) struct Statements {
    put: PreparedStatement,
    get: PreparedStatement,
    put_of_buyer: PreparedStatement,
    put_of_drop: PreparedStatement,
    of_buyer: List,
    of_drop: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
        let put = format!("INSERT INTO orders ({COLUMNS}) VALUES ({marks}) USING TIMESTAMP ?");
        let (of_buyer, of_drop) = (["created_at", "order_id"], ["order_id"]);
        Ok(Self {
            put: db.plain(&put).await?,
            get: db
                .plain(&format!("SELECT {COLUMNS} FROM orders WHERE order_id = ?"))
                .await?,
            put_of_buyer: db
                .plain(
                    "INSERT INTO orders_by_buyer (buyer_id, month, created_at, order_id, drop_id, segment) VALUES (?, ?, ?, ?, ?, ?)",
                )
                .await?,
            put_of_drop: db
                .plain("INSERT INTO orders_by_drop (drop_id, segment, order_id) VALUES (?, ?, ?)")
                .await?,
            of_buyer: List::prepare(
                db,
                "orders_by_buyer",
                &["buyer_id", "month"],
                &of_buyer,
                &["drop_id", "segment"],
            )
            .await?,
            of_drop: List::prepare(db, "orders_by_drop", &["drop_id", "segment"], &of_drop, &[])
                .await?,
        })
    }
}

/// The type `order_line`.
#[derive(SerializeValue, DeserializeValue)]
struct OrderLine {
    item_id: Uuid,
    quantity: i32,
    unit_price_minor: i64,
}

impl From<&OrderRowLine> for OrderLine {
    fn from(it: &OrderRowLine) -> Self {
        Self {
            item_id: it.item_id.uuid(),
            quantity: it.quantity,
            unit_price_minor: it.unit_price_minor,
        }
    }
}

impl From<OrderLine> for OrderRowLine {
    fn from(it: OrderLine) -> Self {
        Self {
            item_id: ItemId::new(it.item_id),
            quantity: it.quantity,
            unit_price_minor: it.unit_price_minor,
        }
    }
}

fn seq(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn index(place: LedgerPlace) -> i32 {
    i32::try_from(place.index).unwrap_or(i32::MAX)
}

/// As in [`COLUMNS`], then the timestamp.
fn order_values(it: &OrderRow) -> Vec<Value> {
    values![
        it.order_id.uuid(),
        it.drop_id.uuid(),
        it.buyer_id.uuid(),
        it.creator_id.uuid(),
        it.lines.iter().map(OrderLine::from).collect::<Vec<_>>(),
        it.currency.as_str().to_owned(),
        it.total_minor,
        it.state.as_str(),
        it.hold_expires_at.micros(),
        it.created_at.micros(),
        it.updated_at.micros(),
        seq(it.updated.seq),
        index(it.updated),
        seq(it.proof.seq),
        index(it.proof),
        it.attempts,
        it.action_url.clone().unwrap_or_default(),
        it.payment_error.clone().unwrap_or_default(),
        it.updated.number(),
    ]
}

fn place(row: &Row<'_>, seq: &str, index: &str) -> Result<LedgerPlace> {
    let number: i32 = row.get(index)?;
    Ok(LedgerPlace {
        seq: row.unsigned(seq)?,
        index: u32::try_from(number).map_err(|error| row::unreadable_column(index, error))?,
    })
}

impl FromRow for OrderRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let lines: Vec<OrderLine> = row.get("lines")?;
        let optional = |name| {
            let text = row.get::<String>(name);
            text.map(|text| (!text.is_empty()).then_some(text))
        };
        Ok(Self {
            order_id: row.id("order_id", OrderId::new)?,
            drop_id: row.id("drop_id", DropId::new)?,
            buyer_id: row.id("buyer_id", AccountId::new)?,
            creator_id: row.id("creator_id", AccountId::new)?,
            lines: lines.into_iter().map(OrderRowLine::from).collect(),
            currency: row.parsed("currency")?,
            total_minor: row.get("total_minor")?,
            state: row.named("state")?,
            hold_expires_at: row.time("hold_expires_at")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            updated: place(row, "updated_seq", "updated_index")?,
            proof: place(row, "proof_seq", "proof_index")?,
            attempts: row.get("attempts")?,
            action_url: optional("action_url")?,
            payment_error: optional("payment_error")?,
        })
    }
}

impl FromRow for OrderRef {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            key: OrderKey {
                created_at: row.time("created_at")?,
                order_id: row.id("order_id", OrderId::new)?,
            },
            buyer_id: row.id("buyer_id", AccountId::new)?,
            drop_id: row.id("drop_id", DropId::new)?,
            segment: row.unsigned("segment")?,
        })
    }
}

impl FromRow for OrderId {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        row.id("order_id", OrderId::new)
    }
}

#[async_trait]
impl OrderStore for ScyllaStore {
    async fn put_orders(&self, rows: &[OrderRow]) -> Result<()> {
        check_count(rows.len())?;
        let rows = rows.iter().map(order_values).collect();
        self.db.upsert_each(&self.orders.put, rows).await
    }

    async fn put_order_refs(&self, refs: &[OrderRef]) -> Result<()> {
        check_count(refs.len())?;
        let mut of_drops: BTreeMap<(DropId, u64), Vec<Vec<Value>>> = BTreeMap::new();
        for it in refs {
            let values = values![it.drop_id.uuid(), seq(it.segment), it.key.order_id.uuid()];
            of_drops
                .entry((it.drop_id, it.segment))
                .or_default()
                .push(values);
        }
        for rows in of_drops.into_values() {
            self.db
                .upsert_together(&self.orders.put_of_drop, rows)
                .await?;
        }
        let of_buyer = |it: &OrderRef| {
            values![
                it.buyer_id.uuid(),
                it.key.created_at.month(),
                it.key.created_at.micros(),
                it.key.order_id.uuid(),
                it.drop_id.uuid(),
                seq(it.segment),
            ]
        };
        let rows = refs.iter().map(of_buyer).collect();
        self.db.upsert_each(&self.orders.put_of_buyer, rows).await
    }

    async fn get_order(&self, order_id: OrderId) -> Result<Option<OrderRow>> {
        let rows = self
            .db
            .rows(&self.orders.get, &values![order_id.uuid()])
            .await?;
        row::first(&rows, OrderRow::from_row)
    }

    async fn list_buyer_orders(
        &self,
        buyer_id: AccountId,
        month: i32,
        page: PageRequest<OrderKey>,
    ) -> Result<Vec<OrderRef>> {
        let page = page.map(|it| values![it.created_at.micros(), it.order_id.uuid()]);
        self.db
            .list(&self.orders.of_buyer, values![buyer_id.uuid(), month], page)
            .await
    }

    async fn list_drop_orders(
        &self,
        drop_id: DropId,
        segment: u64,
        page: PageRequest<OrderId>,
    ) -> Result<Vec<OrderId>> {
        let page = page.map(|it| values![it.uuid()]);
        self.db
            .list(
                &self.orders.of_drop,
                values![drop_id.uuid(), seq(segment)],
                page,
            )
            .await
    }
}
