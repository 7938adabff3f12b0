//! What those who watch a drop must not miss, however late they look.

use std::sync::Arc;

use super::{Phase, Position, StockState};
use crate::{
    domain::ItemId,
    ledger::entry::{CloseReason, Event},
    store::orders::LedgerPlace,
};

/// One step of a drop's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropChange {
    /// The entry that made it.
    pub at: Position,
    /// What happened.
    pub kind: ChangeKind,
    /// Where the drop's life stood after it.
    pub phase: Phase,
    /// Whether the drop was sold out after it.
    pub is_sold_out: bool,
}

impl DropChange {
    /// Where it stands. Changes of one ledger have ascending places.
    #[must_use]
    pub fn place(&self) -> LedgerPlace {
        self.at.into()
    }
}

/// What happened to a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It opened.
    WentLive,
    /// An item came down to the threshold.
    LowStock(ItemId),
    /// Nothing is available, nothing held.
    SoldOut,
    /// An item got more units.
    Restocked {
        /// Which item.
        item_id: ItemId,
        /// How many units.
        units: i64,
    },
    /// It takes no more holds.
    Closed(CloseReason),
}

impl StockState {
    /// Notes an entry that was just applied if it is a step of the drop's life. There are few: restocks and their consequences, and
    /// three more.
    pub(super) fn note_change(&mut self, event: &Event, at: Position) {
        let kind = match event {
            Event::WentLive => ChangeKind::WentLive,
            Event::LowStock { item_id } => ChangeKind::LowStock(*item_id),
            Event::SoldOut => ChangeKind::SoldOut,
            Event::Restocked { item_id, units, .. } => ChangeKind::Restocked {
                item_id: *item_id,
                units: *units,
            },
            Event::Closed { reason } => ChangeKind::Closed(*reason),
            Event::TermsFrozen { .. }
            | Event::Held { .. }
            | Event::PaymentStarted { .. }
            | Event::PaymentWaiting { .. }
            | Event::PaymentFailed { .. }
            | Event::Sold { .. }
            | Event::SoldLate { .. }
            | Event::Released { .. }
            | Event::RefundStarted { .. }
            | Event::Refunded { .. }
            | Event::Refused { .. }
            | Event::Sealed => return,
        };
        let change = DropChange {
            at,
            kind,
            phase: self.core.phase,
            is_sold_out: self.is_sold_out(),
        };
        Arc::make_mut(&mut self.core.changes).push(change);
    }

    /// The steps of the drop's life so far, in the ledger's order.
    #[must_use]
    pub fn changes(&self) -> &Arc<Vec<DropChange>> {
        &self.core.changes
    }
}
