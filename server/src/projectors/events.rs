//! Events of ledger entries, for the sinks.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    events::{self, DropFacts, Event, EventSink as _, OrderFacts, Sinks},
    ledger::{
        Applied,
        projector::{ConsumeError, Consumer},
    },
    store::orders::LedgerPlace,
};

/// Hands over the events of records, in their order.
#[derive(Debug)]
pub(super) struct Events(pub(super) Sinks);

#[async_trait]
impl Consumer for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    async fn consume(&self, records: &[Arc<Applied>]) -> Result<(), ConsumeError> {
        for record in records {
            let events = events_of(record)?;
            let published = self.0.publish(&events).await;
            published.map_err(|error| ConsumeError(error.to_string()))?;
        }
        Ok(())
    }
}

fn events_of(record: &Applied) -> Result<Vec<Event>, ConsumeError> {
    let drop = DropFacts {
        drop_id: record.ledger_id,
        creator_id: record.terms.creator_id,
        currency: record.terms.currency,
    };
    let mut events = Vec::new();
    for (index, entry) in (0..).zip(&record.entries) {
        let place = LedgerPlace {
            seq: record.seq,
            index,
        };
        let order = entry.event.order_id().and_then(|id| record.order(id));
        let facts = order.map(|order| OrderFacts {
            order_id: order.order_id,
            buyer_id: order.buyer_id,
            lines: order.lines.to_vec(),
            total_minor: order.total_minor,
        });
        let event = events::of_entry(&drop, place, record.recorded_at, entry, facts.as_ref());
        events.extend(event.map_err(|error| ConsumeError(error.to_string()))?);
    }
    Ok(events)
}
