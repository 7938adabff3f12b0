//! How drops stand, for those who don't open their ledgers.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    ledger::{
        Applied,
        projector::{ConsumeError, Consumer},
    },
    store::SharedStore,
};

/// Writes a drop's status as of the newest record.
#[derive(Debug)]
pub(super) struct DropStatuses(pub(super) SharedStore);

#[async_trait]
impl Consumer for DropStatuses {
    fn name(&self) -> &'static str {
        "drop_status"
    }

    async fn consume(&self, records: &[Arc<Applied>]) -> Result<(), ConsumeError> {
        if let Some(last) = records.last() {
            let status = last.view.row(last.ledger_id, last.recorded_at);
            self.0.put_drop_status(&status).await?;
        }
        Ok(())
    }
}
