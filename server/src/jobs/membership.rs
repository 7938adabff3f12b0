//! This process among those that share its store: says that it lives, knows who else does, and whether its clock may be believed.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::ProcessId,
    env::SharedEnv,
    ledger::Registry,
    store::{
        SharedStore, StoreError,
        processes::{ClockRead, Heartbeat, ProcessSeen},
    },
};

/// Several times within what makes a process dead for the others.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Looks at the clocks come this many heartbeats apart.
const CLOCK_EVERY: u32 = 5;
/// How far the clock may be off, apart from what the way of a question makes uncertain.
const CLOCK_OFF_MAX: Duration = Duration::from_millis(500);
/// Looks in a row that must find the clock off: one may have been unlucky.
const CLOCK_LOOKS: u32 = 3;

/// First heartbeats that may fail: each is given up soon, and a database that is just being used again may be slow.
const FIRST_BEATS: u32 = 10;

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was heard of lately.
    Alive,
    /// It was not; it may wake up yet.
    Silent,
    /// It has ended, or will not wake up again.
    Gone,
}

/// Shared handle on what is known of the processes.
#[derive(Clone)]
pub struct Membership(Arc<Inner>);

struct Inner {
    env: SharedEnv,
    store: SharedStore,
    ledgers: Registry,
    address: String,
    seen: Mutex<BTreeMap<ProcessId, ProcessSeen>>,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("seen", &self.0.seen.lock().len())
            .finish_non_exhaustive()
    }
}

impl Membership {
    /// A process that was not heard of yet; `address` is that of its public port.
    #[must_use]
    pub fn new(env: SharedEnv, store: SharedStore, ledgers: Registry, address: String) -> Self {
        let seen = Mutex::default();
        Self(Arc::new(Inner {
            env,
            store,
            ledgers,
            address,
            seen,
        }))
    }

    /// How a process stands, as far as is known. In a store that belongs to one process all others are gone.
    #[must_use]
    pub fn standing(&self, process_id: ProcessId) -> Standing {
        if process_id == self.0.ledgers.process_id() {
            return Standing::Alive;
        }
        if self.0.store.is_exclusive() {
            return Standing::Gone;
        }
        match self.0.seen.lock().get(&process_id) {
            Some(seen) if seen.is_alive() => Standing::Alive,
            Some(_) => Standing::Silent,
            None => Standing::Gone,
        }
    }

    /// Says for the first time that this process lives; it must not write before.
    ///
    /// # Errors
    /// If the store fails again and again.
    pub async fn join(&self) -> Result<(), StoreError> {
        for _ in 1..FIRST_BEATS {
            match self.beat().await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(%error, "the first heartbeat failed; tried again"),
            }
        }
        self.beat().await
    }

    /// Says that this process lives, and reads who else does. If that can't be read, the last view stays.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn beat(&self) -> Result<(), StoreError> {
        let inner = &self.0;
        let heartbeat = Heartbeat {
            process_id: inner.ledgers.process_id(),
            address: inner.address.clone(),
            clock: inner.env.now(),
        };
        inner.store.beat(&heartbeat).await?;
        let seen = inner.store.list_processes().await?;
        let alive = seen.iter().filter(|it| it.is_alive()).count();
        metrics::gauge!("livedrop_processes_alive").set(alive as f64);
        *inner.seen.lock() = seen.into_iter().map(|it| (it.process_id, it)).collect();
        Ok(())
    }

    /// Works until `stop`. A store that belongs to this process alone needs none of it.
    pub async fn run(self, stop: CancellationToken) {
        if self.0.store.is_exclusive() {
            return;
        }
        let (mut beats, mut off) = (0_u32, 0);
        while stop
            .run_until_cancelled(self.0.env.sleep(BEAT_EVERY))
            .await
            .is_some()
        {
            beats = beats.wrapping_add(1);
            if let Some(Err(error)) = stop.run_until_cancelled(self.beat()).await {
                tracing::warn!(%error, "heartbeat failed: others may take this process for dead");
            }
            if beats.is_multiple_of(CLOCK_EVERY)
                && let Some(is_off) = stop
                    .run_until_cancelled(self.is_clock_off())
                    .await
                    .flatten()
            {
                off = if is_off { off + 1 } else { 0 };
                self.0.ledgers.allow_writing(off < CLOCK_LOOKS);
            }
        }
    }

    /// Tells the others that this process will not write again.
    pub async fn leave(&self) {
        let inner = &self.0;
        if inner.store.is_exclusive() {
            return;
        }
        if let Err(error) = inner.store.leave(inner.ledgers.process_id()).await {
            tracing::warn!(%error, "the others don't know that this process ends: they will wait for it");
        }
    }

    /// Whether the clock is off, by the median of those of the database's nodes and of the other processes. `None` if they can't be read.
    async fn is_clock_off(&self) -> Option<bool> {
        let inner = &self.0;
        let started = inner.env.now();
        let reads = inner.store.read_clocks().await;
        let reads = reads
            .inspect_err(|error| tracing::debug!(%error, "clocks can't be read"))
            .ok()?;
        let own = inner.ledgers.process_id();
        let (mut others, uncertain) = node_offsets(started.micros(), &reads);
        let seen = inner.seen.lock();
        if let Some(us) = seen.get(&own) {
            let peers = seen
                .values()
                .filter(|it| it.process_id != own && it.is_alive());
            others.extend(peers.map(|it| it.ahead_micros.saturating_sub(us.ahead_micros)));
        }
        drop(seen);
        let median = median(&mut others)?;
        let most = CLOCK_OFF_MAX + uncertain;
        let is_off = u128::from(median.unsigned_abs()) > most.as_micros();
        metrics::gauge!("livedrop_clock_offset_seconds").set(-median as f64 / 1e6);
        if is_off {
            tracing::error!(
                ahead_ms = -median / 1_000,
                "this machine's clock is off; after {CLOCK_LOOKS} looks this process stops selling: check its time service"
            );
        }
        Some(is_off)
    }
}

/// How far the nodes are before a clock that stood at `started` when they were asked, in µs; and half the longest way there and back.
fn node_offsets(started: i64, reads: &[ClockRead]) -> (Vec<i64>, Duration) {
    let half = |read: &ClockRead| read.took / 2;
    let offset = |read: &ClockRead| {
        let passed = i64::try_from(half(read).as_micros()).unwrap_or(i64::MAX);
        read.time
            .micros()
            .saturating_sub(started.saturating_add(passed))
    };
    let uncertain = reads.iter().map(half).max().unwrap_or_default();
    (reads.iter().map(offset).collect(), uncertain)
}

/// The lower one of two in the middle.
fn median(numbers: &mut [i64]) -> Option<i64> {
    numbers.sort_unstable();
    let middle = numbers.len().checked_sub(1)? / 2;
    numbers.get(middle).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn the_middle_of_three_nodes_counts() {
        let read = |time, took| ClockRead {
            time: Timestamp::from_micros(time),
            took: Duration::from_micros(took),
        };
        // Asked at 1,000; the answers say how late it was half-way.
        let (mut offsets, uncertain) = node_offsets(
            1_000,
            &[read(1_050, 100), read(9_000, 40), read(1_110, 200)],
        );
        assert_eq!(offsets, [0, 7_980, 10]);
        assert_eq!(uncertain, Duration::from_micros(100));
        assert_eq!(median(&mut offsets), Some(10), "one wrong node is outvoted");
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [4, 2]), Some(2));
    }

    /// A process whose clock runs ahead stops writing until it is right again; one that is right goes on.
    #[tokio::test(start_paused = true)]
    async fn a_wrong_clock_stops_writing() {
        use crate::{
            ledger::testing::{EPOCH, SimEnv, World, place, terms},
            store::faulty::FaultPlan,
        };
        let world = World::with(1, &terms(&[(5, 500, 0)], EPOCH)).await;
        for (n, skew_micros, may_write) in [
            (1, 2_000_000, false),
            (2, -2_000_000, false),
            (3, 300_000, true),
        ] {
            let process = world.process(n, FaultPlan::default(), skew_micros);
            let env: SharedEnv = Arc::<SimEnv>::clone(&process.env);
            let store = process.shared_store();
            let members = Membership::new(env, store, process.ledgers.clone(), String::new());
            let stop = CancellationToken::new();
            let running = tokio::spawn(members.run(stop.clone()));
            tokio::time::sleep(Duration::from_secs(12)).await;
            let n = u128::from(n);
            assert!(
                process.call(place(1, n, &[(0, 1)])).await.is_ok(),
                "two looks are not enough"
            );
            tokio::time::sleep(Duration::from_secs(6)).await;
            let answer = process.call(place(1, n + 10, &[(0, 1)])).await;
            assert_eq!(answer.is_ok(), may_write, "{answer:?}");
            stop.cancel();
            running.await.unwrap();
        }
    }
}
