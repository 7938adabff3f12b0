//! A record after it was folded: what projectors, watchers and the payment runner hear of it.

use std::sync::Arc;

use super::{
    answer::DropView,
    entry::{Entry, Terms},
    state::{Order, StockState},
};
use crate::domain::{DropId, OrderId, Timestamp};

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
    /// The orders that its entries are about, once each, as they are after it; ascending by id.
    pub orders: Vec<Arc<Order>>,
    /// The terms of the drop.
    pub terms: Arc<Terms>,
    /// The drop as of the record.
    pub view: Arc<DropView>,
}

impl Applied {
    /// The newest record of `state`, which was just committed and holds `entries`. `None` for an empty ledger.
    #[must_use]
    pub fn newest(state: &StockState, entries: Vec<Entry>) -> Option<Self> {
        let ids = entries.iter().filter_map(|entry| entry.event.order_id());
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let orders = ids.into_iter().filter_map(|id| state.order(id).cloned());
        Some(Self {
            ledger_id: state.ledger_id(),
            seq: state.seq(),
            hash: state.head_hash(),
            recorded_at: state.recorded_at(),
            orders: orders.collect(),
            entries,
            terms: state.terms()?.clone(),
            view: Arc::new(DropView::of(state)),
        })
    }

    /// One of the orders.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<&Arc<Order>> {
        let at = self
            .orders
            .binary_search_by_key(&order_id, |order| order.order_id)
            .ok()?;
        self.orders.get(at)
    }
}
