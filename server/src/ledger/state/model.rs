//! What the state is made of.

use std::sync::Arc;

use crate::{
    domain::{
        AccountId, ItemId, OrderId, RequestId, Timestamp,
        order::OrderState,
        payment::{FailReason, PaymentMethod},
    },
    ledger::entry::{CloseReason, Line, Method, WaitReason},
    store::projections::ItemStock,
};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its record.
    pub seq: u64,
    /// Its place in the record, from 0.
    pub index: u32,
    /// The record's ledger time.
    pub recorded_at: Timestamp,
}

/// Where a drop's life stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// No record yet.
    #[default]
    Empty,
    /// Frozen, not open.
    Scheduled,
    /// Selling.
    Live,
    /// No more holds; some may still be open.
    Closed(CloseReason),
    /// Nothing is open any more.
    Sealed(CloseReason),
}

impl Phase {
    /// Whether the drop was cancelled.
    #[must_use]
    pub const fn is_cancelled(self) -> bool {
        matches!(
            self,
            Self::Closed(CloseReason::Cancelled) | Self::Sealed(CloseReason::Cancelled)
        )
    }

    /// Whether it takes no more holds.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed(_) | Self::Sealed(_))
    }
}

/// Counts of one item. Always: `available + held + sold = initial + restocked`, none negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Which item.
    pub item_id: ItemId,
    /// Units offered at the start.
    pub initial: i64,
    /// Units added since.
    pub restocked: i64,
    /// Units for sale.
    pub available: i64,
    /// Units in open holds.
    pub held: i64,
    /// Units sold, refunded ones that were not put back included.
    pub sold: i64,
    /// `LowStock` was written since the last restock.
    pub(super) low_told: bool,
}

impl Item {
    /// The counts of a row, to be read and not to be folded on.
    pub(in crate::ledger) const fn of_row(row: &ItemStock) -> Self {
        Self {
            item_id: row.item_id,
            initial: row.initial,
            restocked: row.restocked,
            available: row.available,
            held: row.held,
            sold: row.sold,
            low_told: true,
        }
    }

    fn units(&self) -> Option<i64> {
        self.available
            .checked_add(self.held)?
            .checked_add(self.sold)
    }

    /// Whether the counts add up.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.available >= 0
            && self.held >= 0
            && self.sold >= 0
            && self.units().is_some()
            && self.units() == self.initial.checked_add(self.restocked)
    }
}

/// An order as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Whose order it is.
    pub buyer_id: AccountId,
    /// What was ordered.
    pub lines: Arc<[Line]>,
    /// What it costs, in minor units of the drop's currency.
    pub total_minor: i64,
    /// Where it stands.
    pub state: OrderState,
    /// When an unpaid order gives its units back.
    pub hold_expires_at: Timestamp,
    /// When it was placed.
    pub created_at: Timestamp,
    /// Its newest entry.
    pub updated: Position,
    /// The entry that a receipt proves: `Sold`, until then `Held`.
    pub proof: Position,
    /// The newest payment attempt; 0 for none.
    pub attempts: i32,
    /// The attempt that paid; 0 while unpaid, and for a total of zero.
    pub paid_attempt: i32,
    /// Where the buyer has to go; while ACTION_REQUIRED.
    pub action_url: Option<Arc<str>>,
    /// Why the newest attempt failed; until the next one.
    pub payment_error: Option<FailReason>,
    /// The order before its newest change. Attempts are few, and so are changes.
    pub previous: Option<Arc<Order>>,
}

/// One attempt to pay for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The order.
    pub order_id: OrderId,
    /// Number of the attempt, from 1.
    pub attempt: i32,
    /// The provider's name.
    pub provider: Arc<str>,
    /// The provider's token of the payment method.
    pub method: PaymentMethod,
    /// How much, in minor units of the drop's currency.
    pub amount_minor: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// Where it stands.
    pub state: AttemptState,
    /// How often it was said that it waits.
    pub(super) waits: u8,
}

/// Where an attempt to pay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    /// The provider has to be asked, or works on it.
    Open(WaitReason),
    /// Nothing was taken.
    Failed,
    /// The money was taken and is ours.
    Captured,
    /// The money is to go back.
    Refunding {
        /// It was taken against the order's state, which the refund does not move.
        is_stray: bool,
    },
    /// The money went back.
    Refunded,
}

impl AttemptState {
    /// Whether somebody has to go on with it.
    #[must_use]
    pub const fn is_unfinished(self) -> bool {
        matches!(self, Self::Open(_) | Self::Refunding { .. })
    }
}

/// What a buyer has in this drop.
#[derive(Debug, Clone, Default)]
pub(super) struct Buyer {
    /// Units held and owned of each item, for the limits. Few: a list beats a map.
    pub(super) units: Vec<(ItemId, i64)>,
    /// The open hold.
    pub(super) open: Option<OrderId>,
    /// Holds that expired, or that the buyer cancelled.
    pub(super) abandoned: u8,
    /// Request ids voided.
    pub(super) refused: u8,
}

impl Buyer {
    pub(super) fn units_of(&self, item_id: ItemId) -> i64 {
        self.units
            .iter()
            .find(|(id, _)| *id == item_id)
            .map_or(0, |(_, units)| *units)
    }

    pub(super) fn units_total(&self) -> i64 {
        self.units.iter().map(|(_, units)| units).sum()
    }

    /// Adds the units of all lines, `sign` times.
    pub(super) fn add_all(&mut self, lines: &[Line], sign: i64) {
        for line in lines {
            self.add(line.item_id, sign * i64::from(line.quantity));
        }
    }

    fn add(&mut self, item_id: ItemId, units: i64) {
        match self.units.iter_mut().find(|(id, _)| *id == item_id) {
            Some((_, total)) => *total += units,
            None => self.units.push((item_id, units)),
        }
    }
}

/// What makes a call the same call, within a drop.
pub(super) type ReplayKey = (AccountId, Method, RequestId);

/// What is remembered of a call, as long as the ledger lives.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    pub(super) fingerprint: [u8; 32],
    pub(super) made: Made,
}

/// What a call made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Made {
    Order(OrderId),
    Drop,
    /// Nothing, for ever: it was refused.
    Nothing,
}
