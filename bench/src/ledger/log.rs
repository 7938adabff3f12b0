//! What stands in a ledger, read back from the store and verified.

use livedrop_server::{
    domain::{DropId, Timestamp},
    ledger::{Event, verify},
    store::LedgerStore,
};

/// The records of a stretch of time.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Orders in each record.
    pub(super) groups: Vec<u64>,
    /// Bytes of all bodies.
    pub(super) body_bytes: u64,
    /// Holds in the whole ledger, also before and after.
    pub(super) holds_ever: u64,
}

impl Log {
    /// Reads a ledger from its beginning, with all its hashes; keeps what was recorded from `from` on and before `until`.
    pub(super) async fn read(
        store: &dyn LedgerStore,
        drop_id: DropId,
        from: Timestamp,
        until: Timestamp,
    ) -> anyhow::Result<Self> {
        let mut log = Self::default();
        let each = |record: &livedrop_server::store::LedgerRecord, entries: &[_]| {
            let holds = entries
                .iter()
                .filter(|entry: &&livedrop_server::ledger::Entry| {
                    matches!(entry.event, Event::Held { .. })
                });
            let holds = holds.count() as u64;
            log.holds_ever += holds;
            if (from..until).contains(&record.recorded_at) {
                log.groups.push(holds);
                log.body_bytes += record.body.len() as u64;
            }
        };
        verify::verify(store, drop_id, each).await?;
        Ok(log)
    }

    /// Holds of the stretch.
    pub(super) fn holds(&self) -> u64 {
        self.groups.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use livedrop_server::{
        domain::ProcessId,
        env::{Env as _, SystemEnv},
        ledger::Registry,
        store::{SharedStore, embedded::EmbeddedStore},
    };
    use uuid::Uuid;

    use super::*;
    use crate::ledger::engine;

    #[tokio::test]
    async fn holds_are_counted_where_they_stand() {
        let store: SharedStore = Arc::new(EmbeddedStore::in_memory().unwrap());
        let drop = engine::row().unwrap();
        store.insert_drop(&drop).await.unwrap();
        let process_id = ProcessId::new(Uuid::now_v7());
        let registry = Registry::new(Arc::new(SystemEnv), store.clone(), process_id, Vec::new());
        let before = SystemEnv.now();
        for _ in 0..3 {
            let order = engine::order(&drop.items[0]);
            let answer = registry.call(drop.drop_id, order, Duration::from_secs(10));
            answer.await.unwrap();
        }
        let after = SystemEnv.now() + Duration::from_secs(1);
        let log = Log::read(&*store, drop.drop_id, before, after).await;
        let log = log.unwrap();
        assert_eq!((log.holds(), log.holds_ever), (3, 3));
        assert!(log.body_bytes > 3 * 100, "{}", log.body_bytes);
        let log = Log::read(&*store, drop.drop_id, after, after).await;
        let log = log.unwrap();
        assert_eq!(
            (log.groups.len(), log.body_bytes, log.holds_ever),
            (0, 0, 3)
        );
        registry.shutdown().await;
    }
}
