//! Storage of order rows (`orders`, `orders_by_buyer`, `orders_by_drop`). All derived from ledgers: a projector writes them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{PageRequest, Result, StoreError};
use crate::domain::{AccountId, Currency, DropId, ItemId, OrderId, Timestamp, order::OrderState};

/// Most rows that are put at a time: some 300 KiB, and a few milliseconds in which other writers wait.
pub const ORDERS_PUT_MAX: usize = 500;

/// A place in a ledger: a record and an entry of it. Later places are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LedgerPlace {
    /// The record.
    pub seq: u64,
    /// The entry in it, from 0.
    pub index: u32,
}

impl LedgerPlace {
    /// As one number in the same order: `seq << 16 | index`, the timestamp of derived rows. A record has fewer than 2^16 entries.
    #[must_use]
    pub fn number(self) -> i64 {
        i64::try_from(self.seq << 16 | u64::from(self.index & 0xffff)).unwrap_or(i64::MAX)
    }
}

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRowLine {
    /// Which item.
    pub item_id: ItemId,
    /// How many units.
    pub quantity: i32,
    /// Price of a unit, in minor units.
    pub unit_price_minor: i64,
}

/// An order in full, as of one place of its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Its id.
    pub order_id: OrderId,
    /// Its drop, which is its ledger.
    pub drop_id: DropId,
    /// Whose order it is.
    pub buyer_id: AccountId,
    /// Whose drop it is.
    pub creator_id: AccountId,
    /// What was ordered, in the buyer's order.
    pub lines: Vec<OrderRowLine>,
    /// Of all amounts.
    pub currency: Currency,
    /// What it costs, in minor units.
    pub total_minor: i64,
    /// Where it stands.
    pub state: OrderState,
    /// When an unpaid order gives its units back.
    pub hold_expires_at: Timestamp,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Where that change stands in the ledger. Of two rows of an order the one with the greater place is newer.
    pub updated: LedgerPlace,
    /// The entry that a receipt proves.
    pub proof: LedgerPlace,
    /// Payment attempts so far.
    pub attempts: i32,
    /// Where the buyer has to go; while the state is ACTION_REQUIRED.
    pub action_url: Option<String>,
    /// Why the newest attempt failed, by its name in `domain::payment::FailReason`; while the state is HELD.
    pub payment_error: Option<String>,
}

/// Key of an order in a buyer's month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey {
    /// When the order was placed.
    pub created_at: Timestamp,
    /// Which order.
    pub order_id: OrderId,
}

/// Where an order is listed. Never changes after the order is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRef {
    /// Time and id.
    pub key: OrderKey,
    /// Whose order it is: partition `(buyer_id, UTC month of created_at)` of `orders_by_buyer`.
    pub buyer_id: AccountId,
    /// Its drop: partition `(drop_id, segment)` of `orders_by_drop`.
    pub drop_id: DropId,
    /// Segment of the drop's ledger in which the order was placed: `seq / 1024`.
    pub segment: u64,
}

/// Order rows: upserts ordered by their place in the ledger, so replays and two projectors at once converge.
#[async_trait]
pub trait OrderStore: Send + Sync {
    /// Upserts rows; of two of one order the one with the greater [`OrderRow::updated`] stays. At most [`ORDERS_PUT_MAX`] at a time.
    async fn put_orders(&self, rows: &[OrderRow]) -> Result<()>;

    /// Lists orders, in `orders_by_buyer` and `orders_by_drop`. Repeating is harmless. At most [`ORDERS_PUT_MAX`] at a time.
    async fn put_order_refs(&self, refs: &[OrderRef]) -> Result<()>;

    /// Reads an order's row.
    async fn get_order(&self, order_id: OrderId) -> Result<Option<OrderRow>>;

    /// Pages through the orders that a buyer placed in a month; `month` counts UTC months since 1970-01 ([`Timestamp::month`]).
    async fn list_buyer_orders(
        &self,
        buyer_id: AccountId,
        month: i32,
        page: PageRequest<OrderKey>,
    ) -> Result<Vec<OrderRef>>;

    /// Pages through the orders placed in a segment of a drop's ledger, by id.
    async fn list_drop_orders(
        &self,
        drop_id: DropId,
        segment: u64,
        page: PageRequest<OrderId>,
    ) -> Result<Vec<OrderId>>;
}

/// Refuses a slice of more than [`ORDERS_PUT_MAX`].
pub(super) fn check_count(count: usize) -> Result<()> {
    if count > ORDERS_PUT_MAX {
        let what =
            format!("{count} order rows at a time are too many, {ORDERS_PUT_MAX} are allowed");
        return Err(StoreError::Determinate(what));
    }
    Ok(())
}
