//! What ledgers are projected into: order rows, drop statuses, events. Each is a [`Consumer`]; `livedrop rebuild` makes their rows anew.

mod drop_status;
mod events;
mod orders;

use std::sync::Arc;

use crate::{
    events::SharedSink,
    ledger::projector::{Consumer, Consumers},
    store::SharedStore,
};

/// All consumers: those of the store, and one for each sink.
#[must_use]
pub fn consumers(store: &SharedStore, sinks: &[SharedSink]) -> Consumers {
    let rows: [Arc<dyn Consumer>; 2] = [
        Arc::new(orders::Orders(store.clone())),
        Arc::new(drop_status::DropStatuses(store.clone())),
    ];
    let events = sinks.iter().map(|sink| Arc::new(events::Events(sink.clone())) as Arc<dyn Consumer>);
    rows.into_iter().chain(events).collect()
}
