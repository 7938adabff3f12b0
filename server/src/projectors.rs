//! What ledgers are projected into: order rows, drop statuses, events. Each is a [`Consumer`](crate::ledger::projector::Consumer); `livedrop rebuild` makes their rows anew.

mod drop_status;
mod events;
mod orders;

use std::sync::Arc;

use crate::{env::SharedEnv, events::Sinks, ledger::projector::Consumers, store::SharedStore};

/// All consumers: those of the store, and the one that feeds `sinks` if there are any.
#[must_use]
pub fn consumers(env: &SharedEnv, store: &SharedStore, sinks: &Sinks) -> Consumers {
    let mut all: Consumers = vec![
        Arc::new(orders::Orders(store.clone())),
        Arc::new(drop_status::DropStatuses::new(env.clone(), store.clone())),
    ];
    if !sinks.is_empty() {
        all.push(Arc::new(events::Events(sinks.clone())));
    }
    all
}
