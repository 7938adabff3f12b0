//! Drops (`drops`), when they open (`drops_by_time`) and whose they are (`drops_by_creator`).

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use scylla::{DeserializeValue, SerializeValue, statement::prepared::PreparedStatement};
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    lwt::{self, Table},
    row::{FromRow, Row, Value, unreadable_column, values},
};
use crate::{
    domain::{
        AccountId, DropId, ItemId, ProductId, Timestamp, VariantId,
        drop::{Drop, Item, LedgerSecret},
        product::ItemProduct,
    },
    store::{
        Cas, DropStore, PageRequest, Put, Result,
        drops::{DropTime, DropTimeKey},
    },
};

pub(super) const DROPS: Table = Table {
    name: "drops",
    key: &["drop_id"],
    columns: &[
        "creator_id",
        "version",
        "op_id",
        "title",
        "description",
        "currency",
        "items",
        "limit_per_buyer",
        "opens_at",
        "ends_at",
        "hold",
        "low_stock_threshold",
        "created_at",
        "changed_at",
        "cancelled",
        "secret",
        "item_products",
    ],
    using: "",
};

#[derive(Debug)]
pub(super) struct Statements {
    drops: lwt::Statements,
    scan_first: PreparedStatement,
    scan_after: PreparedStatement,
    put_time: PreparedStatement,
    times: List,
    put_of_creator: PreparedStatement,
    of_creator: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let scan = format!("SELECT {} FROM drops", DROPS.all().join(", "));
        Ok(Self {
            drops: lwt::Statements::prepare(db, DROPS).await?,
            scan_first: db.plain(&format!("{scan} LIMIT ?")).await?,
            // Two ids of one token would hide each other: of 2^64 tokens.
            scan_after: db
                .plain(&format!("{scan} WHERE token(drop_id) > token(?) LIMIT ?"))
                .await?,
            put_time: db
                .plain(
                    "INSERT INTO drops_by_time (day, shard, opens_at, drop_id, ends_at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
                )
                .await?,
            times: List::prepare(
                db,
                "drops_by_time",
                &["day", "shard"],
                &["opens_at", "drop_id"],
                &["ends_at"],
            )
            .await?,
            put_of_creator: db
                .plain("INSERT INTO drops_by_creator (creator_id, created_at, drop_id) VALUES (?, ?, ?)")
                .await?,
            of_creator: List::prepare(
                db,
                "drops_by_creator",
                &["creator_id"],
                &["created_at", "drop_id"],
                &[],
            )
            .await?,
        })
    }
}

/// The type `drop_item`.
#[derive(SerializeValue, DeserializeValue)]
struct DropItem {
    item_id: Uuid,
    title: String,
    stock: i64,
    unit_price_minor: i64,
    limit_per_buyer: i32,
}

impl From<&Item> for DropItem {
    fn from(it: &Item) -> Self {
        Self {
            item_id: it.item_id.uuid(),
            title: it.title.clone(),
            stock: it.stock,
            unit_price_minor: it.unit_price_minor,
            limit_per_buyer: it.limit_per_buyer,
        }
    }
}

fn columns(it: &Drop) -> Vec<Value> {
    values![
        it.creator_id.uuid(),
        it.version,
        it.op_id,
        it.title.clone(),
        it.description.clone(),
        it.currency.as_str().to_owned(),
        it.items.iter().map(DropItem::from).collect::<Vec<_>>(),
        it.limit_per_buyer,
        it.opens_at.micros(),
        it.ends_at.micros(),
        i64::try_from(it.hold.as_micros()).unwrap_or(i64::MAX),
        it.low_stock_threshold,
        it.created_at.micros(),
        it.changed_at.micros(),
        it.cancelled,
        it.secret.as_ref().map(|secret| secret.0),
        item_products(&it.items),
    ]
}

/// A row of the column `item_products`: an item that names a product, the product, the variant.
type ItemProductRow = (Uuid, Uuid, Uuid);

fn item_products(items: &[Item]) -> Option<Vec<ItemProductRow>> {
    let named = items.iter().filter_map(|item| {
        let ItemProduct {
            product_id,
            variant_id,
        } = item.product?;
        Some((item.item_id.uuid(), product_id.uuid(), variant_id.uuid()))
    });
    let named: Vec<_> = named.collect();
    (!named.is_empty()).then_some(named)
}

fn with_product(item: DropItem, products: &BTreeMap<Uuid, ItemProduct>) -> Item {
    Item {
        item_id: ItemId::new(item.item_id),
        title: item.title,
        stock: item.stock,
        unit_price_minor: item.unit_price_minor,
        limit_per_buyer: item.limit_per_buyer,
        product: products.get(&item.item_id).copied(),
    }
}

impl FromRow for Drop {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let items: Vec<DropItem> = row.get("items")?;
        let products: Option<Vec<ItemProductRow>> = row.get("item_products")?;
        let by_item = |(item, product_id, variant_id)| {
            let product = ItemProduct {
                product_id: ProductId::new(product_id),
                variant_id: VariantId::new(variant_id),
            };
            (item, product)
        };
        let products = products.unwrap_or_default().into_iter().map(by_item);
        let products: BTreeMap<_, _> = products.collect();
        let secret: Option<&[u8]> = row.get("secret")?;
        let secret = secret.map(<[u8; 32]>::try_from).transpose();
        Ok(Self {
            drop_id: row.id("drop_id", DropId::new)?,
            creator_id: row.id("creator_id", AccountId::new)?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            title: row.get("title")?,
            description: row.get("description")?,
            currency: row.parsed("currency")?,
            items: (items.into_iter())
                .map(|item| with_product(item, &products))
                .collect(),
            limit_per_buyer: row.get("limit_per_buyer")?,
            opens_at: row.time("opens_at")?,
            ends_at: row.time("ends_at")?,
            hold: Duration::from_micros(row.unsigned("hold")?),
            low_stock_threshold: row.get("low_stock_threshold")?,
            created_at: row.time("created_at")?,
            changed_at: row.time("changed_at")?,
            cancelled: row.get("cancelled")?,
            secret: secret
                .map_err(|error| unreadable_column("secret", error))?
                .map(LedgerSecret),
        })
    }
}

impl FromRow for DropTime {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            key: DropTimeKey {
                opens_at: row.time("opens_at")?,
                drop_id: row.id("drop_id", DropId::new)?,
            },
            ends_at: row.time("ends_at")?,
        })
    }
}

impl FromRow for (Timestamp, DropId) {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok((row.time("created_at")?, row.id("drop_id", DropId::new)?))
    }
}

#[async_trait]
impl DropStore for ScyllaStore {
    async fn insert_drop(&self, drop: &Drop) -> Result<Put<Drop>> {
        let key = values![drop.drop_id.uuid()];
        self.db
            .put_if_absent(&self.drops.drops, key, columns(drop), drop)
            .await
    }

    async fn get_drop(&self, drop_id: DropId) -> Result<Option<Drop>> {
        self.db
            .get(&self.drops.drops, values![drop_id.uuid()])
            .await
    }

    async fn update_drop(&self, drop: &Drop) -> Result<Cas<Drop>> {
        let key = values![drop.drop_id.uuid()];
        self.db
            .replace(&self.drops.drops, key, columns(drop), drop)
            .await
    }

    async fn put_drop_time(&self, row: DropTime, written_at: Timestamp) -> Result<()> {
        let DropTime { key, ends_at } = row;
        let values = values![
            key.opens_at.day(),
            i32::from(key.drop_id.shard()),
            key.opens_at.micros(),
            key.drop_id.uuid(),
            ends_at.micros(),
            written_at.micros(),
        ];
        self.db.run(&self.drops.put_time, values).await
    }

    async fn list_drop_times(
        &self,
        day: i32,
        shard: u8,
        page: PageRequest<DropTimeKey>,
    ) -> Result<Vec<DropTime>> {
        let page = page.map(|it| values![it.opens_at.micros(), it.drop_id.uuid()]);
        self.db
            .list(&self.drops.times, values![day, i32::from(shard)], page)
            .await
    }

    async fn put_creator_drop(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        drop_id: DropId,
    ) -> Result<()> {
        let values = values![creator_id.uuid(), created_at.micros(), drop_id.uuid()];
        self.db.run(&self.drops.put_of_creator, values).await
    }

    async fn list_creator_drops(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, DropId)>,
    ) -> Result<Vec<(Timestamp, DropId)>> {
        let page = page.map(|(created_at, drop_id)| values![created_at.micros(), drop_id.uuid()]);
        self.db
            .list(&self.drops.of_creator, values![creator_id.uuid()], page)
            .await
    }

    async fn scan_drops(&self, after: Option<DropId>, limit: usize) -> Result<Vec<Drop>> {
        let bound = i32::try_from(limit).unwrap_or(i32::MAX);
        let (statement, values) = match after {
            Some(after) => (&self.drops.scan_after, values![after.uuid(), bound]),
            None => (&self.drops.scan_first, values![bound]),
        };
        self.db.select(statement, &values, limit).await
    }
}
