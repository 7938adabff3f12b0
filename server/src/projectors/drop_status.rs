//! How drops stand, for those who don't open their ledgers, and for search.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::DropId,
    env::SharedEnv,
    ledger::{
        Applied,
        projector::{ConsumeError, Consumer},
    },
    store::{
        SharedStore,
        outbox::{Entity, EntityKind},
        projections::{DropState, DropStatus},
        search::SearchChange,
    },
};

/// Drops of which it is remembered what search knows; beyond that some are noted once more than needed.
const REMEMBERED_MAX: usize = 10_000;

/// Writes a drop's status as of the newest record, and notes for search when that is about something that is searched by.
#[derive(Debug)]
pub(super) struct DropStatuses {
    pub(super) env: SharedEnv,
    pub(super) store: SharedStore,
    /// What search was told last.
    told: Mutex<HashMap<DropId, (DropState, bool)>>,
}

impl DropStatuses {
    pub(super) fn new(env: SharedEnv, store: SharedStore) -> Self {
        Self {
            env,
            store,
            told: Mutex::default(),
        }
    }

    async fn tell_search(&self, status: &DropStatus) -> Result<(), ConsumeError> {
        let searched_by = (status.state, status.is_sold_out);
        if self.told.lock().get(&status.drop_id) == Some(&searched_by) {
            return Ok(());
        }
        let change = SearchChange {
            noted_at: self.env.now(),
            entity: Entity {
                kind: EntityKind::Drop,
                id: status.drop_id.uuid(),
            },
        };
        self.store.put_search_change(&change).await?;
        let mut told = self.told.lock();
        if told.len() >= REMEMBERED_MAX {
            told.clear();
        }
        told.insert(status.drop_id, searched_by);
        Ok(())
    }
}

#[async_trait]
impl Consumer for DropStatuses {
    fn name(&self) -> &'static str {
        "drop_status"
    }

    async fn consume(&self, records: &[Arc<Applied>]) -> Result<(), ConsumeError> {
        if let Some(last) = records.last() {
            let status = last.view.row(last.ledger_id, last.recorded_at);
            self.store.put_drop_status(&status).await?;
            // After it: who looks finds what is noted.
            self.tell_search(&status).await?;
        }
        Ok(())
    }
}
