//! Processes and their heartbeats (`processes`).

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use scylla::{
    policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy},
    statement::{Consistency, prepared::PreparedStatement},
    value::CqlTimestamp,
};
use tokio::time::Instant;

use super::{
    ScyllaStore,
    db::Db,
    row::{self, FromRow, Row, values},
};
use crate::{
    domain::{ProcessId, Timestamp},
    store::{
        ProcessStore, Result,
        processes::{ClockRead, FORGOTTEN_AFTER, Heartbeat, ProcessSeen},
    },
};

/// The one partition.
const SCOPE: &str = "livedrop";
/// More processes than share a keyspace, dead ones of a day included.
const PROCESSES_MAX: usize = 10_000;

/// Nodes whose clocks are read.
const NODES_MAX: usize = 9;
/// Of heartbeats and clocks: later answers would tell little.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Statements {
    beat: PreparedStatement,
    list: PreparedStatement,
    leave: PreparedStatement,
    clock: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let ttl = FORGOTTEN_AFTER.as_secs();
        let mut beat = db
            .plain(&format!(
                "INSERT INTO processes (scope, process_id, address, heartbeat, clock) VALUES (?, ?, ?, toTimestamp(now()), ?) USING TTL {ttl}"
            ))
            .await?;
        // One that waits would say afterwards that the process lived then.
        beat.set_request_timeout(Some(ANSWER_WITHIN));
        let mut clock = db
            .plain("SELECT toTimestamp(now()) AS now FROM system.local")
            .await?;
        clock.set_consistency(Consistency::One);
        clock.set_request_timeout(Some(ANSWER_WITHIN));
        Ok(Self {
            clock,
            beat,
            list: db
                .plain("SELECT process_id, address, heartbeat, clock, toTimestamp(now()) AS now FROM processes WHERE scope = ? LIMIT ?")
                .await?,
            leave: db
                .plain("DELETE FROM processes WHERE scope = ? AND process_id = ?")
                .await?,
        })
    }
}

impl FromRow for ProcessSeen {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let (now, heartbeat): (CqlTimestamp, CqlTimestamp) =
            (row.get("now")?, row.get("heartbeat")?);
        let age = now.0.saturating_sub(heartbeat.0);
        let clock: i64 = row.get("clock")?;
        Ok(Self {
            process_id: row.id("process_id", ProcessId::new)?,
            address: row.get("address")?,
            age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            ahead_micros: clock.saturating_sub(heartbeat.0.saturating_mul(1_000)),
        })
    }
}

#[async_trait]
impl ProcessStore for ScyllaStore {
    async fn beat(&self, heartbeat: &Heartbeat) -> Result<()> {
        let values = values![
            SCOPE,
            heartbeat.process_id.uuid(),
            heartbeat.address.clone(),
            heartbeat.clock.micros(),
        ];
        self.db.run(&self.processes.beat, values).await
    }

    async fn list_processes(&self) -> Result<Vec<ProcessSeen>> {
        let bound = i32::try_from(PROCESSES_MAX).unwrap_or(i32::MAX);
        let (statement, values) = (&self.processes.list, values![SCOPE, bound]);
        self.db.select(statement, &values, PROCESSES_MAX).await
    }

    async fn read_clocks(&self) -> Result<Vec<ClockRead>> {
        let started = Instant::now();
        let asked = self
            .db
            .nodes()
            .into_iter()
            .take(NODES_MAX)
            .map(|node| async move {
                let mut statement = self.processes.clock.clone();
                let only = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::Node(node), None);
                statement.set_load_balancing_policy(Some(only));
                let rows = self.db.rows(&statement, &[]).await?;
                let now: Option<CqlTimestamp> = row::first(&rows, |row| row.get("now"))?;
                Ok(now.map(|now| ClockRead {
                    time: Timestamp::from_micros(now.0.saturating_mul(1_000)),
                    took: started.elapsed(),
                }))
            });
        let answers: Vec<Result<Option<ClockRead>>> = join_all(asked).await;
        // A node that is down has no clock.
        Ok(answers
            .into_iter()
            .filter_map(Result::ok)
            .flatten()
            .collect())
    }

    async fn leave(&self, process_id: ProcessId) -> Result<()> {
        let values = values![SCOPE, process_id.uuid()];
        self.db.run(&self.processes.leave, values).await
    }
}
