//! Who watches which order. Versions of an order hang together by [`Order::previous`], so a watcher that looks late misses none.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::state::Order;
use crate::{domain::OrderId, store::orders::LedgerPlace};

/// An order's newest version; `None` until it changes.
type Newest = watch::Sender<Option<Arc<Order>>>;

/// The watchers of one ledger's orders.
#[derive(Debug, Default)]
pub(super) struct OrderWatches(Mutex<BTreeMap<OrderId, Newest>>);

impl OrderWatches {
    /// Tells those who watch.
    pub(super) fn tell(&self, orders: &[Arc<Order>]) {
        let watched = self.0.lock();
        if watched.is_empty() {
            return;
        }
        for order in orders {
            if let Some(newest) = watched.get(&order.order_id) {
                newest.send_replace(Some(order.clone()));
            }
        }
    }

    /// Watches an order from now on.
    pub(super) fn watch(self: &Arc<Self>, order_id: OrderId) -> OrderChanges {
        let mut watched = self.0.lock();
        let newest = watched
            .entry(order_id)
            .or_insert_with(|| watch::channel(None).0);
        OrderChanges {
            order_id,
            changes: newest.subscribe(),
            watches: Arc::clone(self),
        }
    }

    /// Whether anybody watches.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Nothing changes here any more: all who watch are told.
    pub(super) fn close(&self) {
        self.0.lock().clear();
    }
}

/// Changes of one order. Ends when the ledger leaves memory.
#[derive(Debug)]
pub struct OrderChanges {
    order_id: OrderId,
    changes: watch::Receiver<Option<Arc<Order>>>,
    watches: Arc<OrderWatches>,
}

impl OrderChanges {
    /// The newest version, once there is one that was not seen here; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Arc<Order>> {
        loop {
            self.changes.changed().await.ok()?;
            let newest = self.changes.borrow_and_update().clone();
            if newest.is_some() {
                return newest;
            }
        }
    }
}

impl Drop for OrderChanges {
    fn drop(&mut self) {
        let mut watched = self.watches.0.lock();
        let is_last = |newest: &Newest| newest.receiver_count() <= 1;
        if watched.get(&self.order_id).is_some_and(is_last) {
            watched.remove(&self.order_id);
        }
    }
}

/// The versions of an order after `place`, oldest first.
#[must_use]
pub fn versions_after(newest: &Arc<Order>, seen: Option<LedgerPlace>) -> Vec<Arc<Order>> {
    let is_new = |order: &Order| Some(LedgerPlace::from(order.updated)) > seen;
    let mut versions = Vec::new();
    let mut next = Some(newest);
    while let Some(order) = next.filter(|order| is_new(order)) {
        versions.push(order.clone());
        next = order.previous.as_ref();
    }
    versions.reverse();
    versions
}
