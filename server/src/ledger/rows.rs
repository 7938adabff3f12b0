//! What is known of orders and drops, as rows of the store.

use std::sync::Arc;

use super::{
    answer::DropView,
    entry::{CloseReason, Terms},
    state::{Item, Order, Phase, Position},
};
use crate::{
    domain::{DropId, Timestamp},
    store::{
        orders::{LedgerPlace, OrderKey, OrderRef, OrderRow, OrderRowLine},
        projections::{DropState, DropStatus, ItemStock},
    },
};

/// Records of a segment of a ledger: one partition of the log, and of the orders that were placed in it.
pub const SEGMENT: u64 = 1024;

impl From<Position> for LedgerPlace {
    fn from(at: Position) -> Self {
        Self {
            seq: at.seq,
            index: at.index,
        }
    }
}

impl Order {
    /// The order's row.
    #[must_use]
    pub fn row(&self, drop_id: DropId, terms: &Terms) -> OrderRow {
        let line = |line: &super::Line| OrderRowLine {
            item_id: line.item_id,
            quantity: line.quantity,
            unit_price_minor: terms
                .item(line.item_id)
                .map_or(0, |item| item.unit_price_minor),
        };
        OrderRow {
            order_id: self.order_id,
            drop_id,
            buyer_id: self.buyer_id,
            creator_id: terms.creator_id,
            lines: self.lines.iter().map(line).collect(),
            currency: terms.currency,
            total_minor: self.total_minor,
            state: self.state,
            hold_expires_at: self.hold_expires_at,
            created_at: self.created_at,
            updated_at: self.updated.recorded_at,
            updated: self.updated.into(),
            proof: self.proof.into(),
            attempts: self.attempts,
            action_url: self.action_url.as_deref().map(str::to_owned),
            payment_error: self.payment_error.map(|it| it.as_str().to_owned()),
        }
    }

    /// Where the order is listed: by when it was placed, and the segment of its first version.
    #[must_use]
    pub fn listed(&self, drop_id: DropId) -> OrderRef {
        let mut first = self;
        while let Some(previous) = &first.previous {
            first = previous;
        }
        OrderRef {
            key: OrderKey {
                created_at: self.created_at,
                order_id: self.order_id,
            },
            buyer_id: self.buyer_id,
            drop_id,
            segment: first.updated.seq / SEGMENT,
        }
    }
}

impl DropView {
    /// The view of a sealed drop by its row: units move no more. `None` while it is not sealed.
    #[must_use]
    pub fn sealed(status: &DropStatus) -> Option<Self> {
        let is_over = matches!(status.state, DropState::Ended | DropState::Cancelled);
        (status.is_sealed && is_over).then(|| Self::of_status(status))
    }

    /// The view of a drop by its row, which follows the ledger.
    #[must_use]
    pub fn of_status(status: &DropStatus) -> Self {
        let closed = |reason| match status.is_sealed {
            true => Phase::Sealed(reason),
            false => Phase::Closed(reason),
        };
        Self {
            seq: status.seq,
            phase: match status.state {
                DropState::Scheduled => Phase::Scheduled,
                DropState::Live => Phase::Live,
                DropState::Ended => closed(CloseReason::Ended),
                DropState::Cancelled => closed(CloseReason::Cancelled),
            },
            items: status.items.iter().map(Item::of_row).collect(),
            is_sold_out: status.is_sold_out,
            changes: Arc::default(),
        }
    }

    /// Where the drop's life stands, in the words of its row.
    #[must_use]
    pub const fn state(&self) -> DropState {
        match self.phase {
            Phase::Empty | Phase::Scheduled => DropState::Scheduled,
            Phase::Live => DropState::Live,
            Phase::Closed(CloseReason::Cancelled) | Phase::Sealed(CloseReason::Cancelled) => {
                DropState::Cancelled
            }
            Phase::Closed(_) | Phase::Sealed(_) => DropState::Ended,
        }
    }

    /// The drop's row.
    #[must_use]
    pub fn row(&self, drop_id: DropId, recorded_at: Timestamp) -> DropStatus {
        let item = |item: &Item| ItemStock {
            item_id: item.item_id,
            initial: item.initial,
            restocked: item.restocked,
            available: item.available,
            held: item.held,
            sold: item.sold,
        };
        DropStatus {
            drop_id,
            seq: self.seq,
            recorded_at,
            state: self.state(),
            is_sealed: matches!(self.phase, Phase::Sealed(_)),
            is_sold_out: self.is_sold_out,
            items: self.items.iter().map(item).collect(),
        }
    }
}
