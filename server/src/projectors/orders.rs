//! Order rows, and the lists that name them.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use crate::{
    ledger::{
        Applied, Event,
        projector::{ConsumeError, Consumer},
    },
    store::SharedStore,
};

/// Rows written at a time: a few milliseconds of a commit, which the next append waits for.
const CHUNK: usize = 256;

/// Writes a full row for each change; of two the later place in the ledger stays, so repeats and two projectors at once converge.
#[derive(Debug)]
pub(super) struct Orders(pub(super) SharedStore);

#[async_trait]
impl Consumer for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    async fn consume(&self, records: &[Arc<Applied>]) -> Result<(), ConsumeError> {
        let (mut rows, mut refs) = (BTreeMap::new(), Vec::new());
        for record in records {
            for order in &record.orders {
                // Of several changes in one go only the last leaves a trace in a row.
                rows.insert(order.order_id, order.row(record.ledger_id, &record.terms));
            }
            let held = record.entries.iter().filter_map(|entry| {
                let Event::Held { order_id, .. } = entry.event else {
                    return None;
                };
                record.order(order_id)
            });
            refs.extend(held.map(|order| order.listed(record.ledger_id)));
        }
        let rows: Vec<_> = rows.into_values().collect();
        for chunk in rows.chunks(CHUNK) {
            self.0.put_orders(chunk).await?;
        }
        // After the rows: a list must not name an order that can't be read.
        for chunk in refs.chunks(CHUNK) {
            self.0.put_order_refs(chunk).await?;
        }
        Ok(())
    }
}
