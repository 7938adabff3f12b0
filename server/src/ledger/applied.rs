//! A record after it was folded: what projectors, watchers and the payment runner hear of it.

use std::sync::Arc;

use super::{
    answer::DropView,
    entry::{Entry, Terms},
    state::{Order, StockState},
};
use crate::domain::{DropId, Timestamp};

/// One record, folded.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Whose ledger.
    pub ledger_id: DropId,
    /// The record's place.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its ledger time.
    pub recorded_at: Timestamp,
    /// What it holds.
    pub entries: Vec<Entry>,
    /// The orders that it changed, once each, as they are after it; ascending by id.
    pub orders: Vec<Arc<Order>>,
    /// The terms of the drop.
    pub terms: Arc<Terms>,
    /// The drop as of the record.
    pub view: Arc<DropView>,
}

impl Applied {
    /// The newest record of `state`, which was just committed. `None` for an empty ledger.
    #[must_use]
    pub fn newest(
        state: &StockState,
        entries: Vec<Entry>,
        orders: Vec<Arc<Order>>,
    ) -> Option<Self> {
        Some(Self {
            ledger_id: state.ledger_id(),
            seq: state.seq(),
            hash: state.head_hash(),
            recorded_at: state.recorded_at(),
            entries,
            orders,
            terms: state.terms()?.clone(),
            view: Arc::new(DropView::of(state)),
        })
    }

    /// A changed order.
    #[must_use]
    pub fn order(&self, order_id: crate::domain::OrderId) -> Option<&Arc<Order>> {
        let at = self
            .orders
            .binary_search_by_key(&order_id, |order| order.order_id)
            .ok()?;
        self.orders.get(at)
    }
}
