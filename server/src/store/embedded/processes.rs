//! Processes: a file has one at a time, so what it said of itself is remembered in memory only.

use std::time::Duration;

use async_trait::async_trait;

use super::EmbeddedStore;
use crate::{
    domain::{ProcessId, Timestamp},
    store::{
        ProcessStore, Result,
        processes::{ClockRead, FORGOTTEN_AFTER, Heartbeat, ProcessSeen},
    },
};

/// A process and when it was heard of.
pub(super) type Heard = (Heartbeat, Timestamp);

#[async_trait]
impl ProcessStore for EmbeddedStore {
    async fn beat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let heard = (heartbeat.clone(), self.env.now());
        self.processes.lock().insert(heartbeat.process_id, heard);
        Ok(())
    }

    async fn list_processes(&self) -> Result<Vec<ProcessSeen>> {
        let now = self.env.now();
        let mut processes = self.processes.lock();
        processes.retain(|_, (_, at)| now.since(*at) < FORGOTTEN_AFTER);
        let seen = processes.values().map(|(heartbeat, at)| ProcessSeen {
            process_id: heartbeat.process_id,
            address: heartbeat.address.clone(),
            age: now.since(*at),
            ahead_micros: heartbeat.clock.micros().saturating_sub(at.micros()),
        });
        Ok(seen.collect())
    }

    async fn read_clocks(&self) -> Result<Vec<ClockRead>> {
        let (time, took) = (self.env.now(), Duration::ZERO);
        Ok(vec![ClockRead { time, took }])
    }

    async fn leave(&self, process_id: ProcessId) -> Result<()> {
        self.processes.lock().remove(&process_id);
        Ok(())
    }
}
