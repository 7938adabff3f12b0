//! Which processes share the store, and whether they live (`processes`).

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::domain::{ProcessId, Timestamp};

/// A process is dead when the store has not heard of it for so long. It may only be slow: what is done in its place stays right.
pub const DEAD_AFTER: Duration = Duration::from_secs(5);
/// A process that was not heard of for so long is forgotten: it will not wake up again.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(86_400);

/// A process says that it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Which process.
    pub process_id: ProcessId,
    /// Where its public port is.
    pub address: String,
    /// Its clock.
    pub clock: Timestamp,
}

/// A process as the store last heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSeen {
    /// Which process.
    pub process_id: ProcessId,
    /// Where its public port is.
    pub address: String,
    /// Since its last heartbeat, by the store's clock.
    pub age: Duration,
    /// How far its clock was before the store's then, in µs.
    pub ahead_micros: i64,
}

impl ProcessSeen {
    /// Whether it was heard of lately.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.age < DEAD_AFTER
    }
}

/// The clock of one of the store's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockRead {
    /// What it said, at some moment of the reading.
    pub time: Timestamp,
    /// How long reading it took, from the call on.
    pub took: Duration,
}

/// Processes and their heartbeats. Ages go by the store's clock, so that those of the processes need not agree.
#[async_trait]
pub trait ProcessStore: Send + Sync {
    /// Notes a heartbeat. The store's clock is read from one of its nodes, perhaps another one each time.
    async fn beat(&self, heartbeat: &Heartbeat) -> Result<()>;

    /// Lists the processes that were heard of within [`FORGOTTEN_AFTER`] and have not left.
    async fn list_processes(&self) -> Result<Vec<ProcessSeen>>;

    /// Reads the clocks of those nodes of the store that answer.
    async fn read_clocks(&self) -> Result<Vec<ClockRead>>;

    /// A process is at its end and will never write again.
    async fn leave(&self, process_id: ProcessId) -> Result<()>;
}
