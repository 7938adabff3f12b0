//! What ledgers are projected into: order rows, drop statuses, events. Each is a [`Consumer`]; `livedrop rebuild` makes their rows anew.

mod drop_status;
mod orders;

use std::sync::Arc;

use crate::{
    ledger::projector::{Consumer, Consumers},
    store::SharedStore,
};

/// All consumers.
#[must_use]
pub fn consumers(store: &SharedStore) -> Consumers {
    let rows: [Arc<dyn Consumer>; 2] = [
        Arc::new(orders::Orders(store.clone())),
        Arc::new(drop_status::DropStatuses(store.clone())),
    ];
    rows.into()
}
