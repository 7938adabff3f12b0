//! Wakes ledgers when something is due in their drop's life: freeze, opening, end. A ledger in memory has its own clock; the timer is for
//! those that are not. What it does is only to open the ledger: the writer appends what is due.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        DropId, Timestamp,
        drop::{Drop, FREEZE_AHEAD},
        id::SHARDS,
    },
    env::SharedEnv,
    ledger::{LedgerError, Registry},
    store::{
        Order, PageRequest, SharedStore, StoreError,
        drops::{DropTime, DropTimeKey},
    },
};

/// A drop sells for 30 days at most, so older ones are over.
const LOOK_BACK_DAYS: i32 = 31;
/// How far ahead drops are armed; beyond the freeze, so that it is never late.
const LOOK_AHEAD: Duration = Duration::from_secs(11 * 60);
/// How often the table is read for drops of other processes and of the far future.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Rows read at a time.
const PAGE: usize = 500;
/// Ledgers opened at once.
const OPEN_AT_ONCE: usize = 8;
/// A ledger that could not be opened is tried again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The alarm clock of all drops.
#[derive(Clone)]
pub struct Timer(Arc<Inner>);

struct Inner {
    env: SharedEnv,
    armed: Mutex<BTreeSet<(Timestamp, DropId)>>,
    changed: Notify,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("armed", &self.0.armed.lock().len())
            .finish_non_exhaustive()
    }
}

impl Timer {
    /// A timer that nobody has armed.
    #[must_use]
    pub fn new(env: SharedEnv) -> Self {
        Self(Arc::new(Inner {
            env,
            armed: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Sets the alarms of a drop: freeze, opening, end.
    pub fn arm(&self, drop: &Drop) {
        self.arm_times(drop.drop_id, drop.opens_at, drop.ends_at);
    }

    fn arm_times(&self, drop_id: DropId, opens_at: Timestamp, ends_at: Timestamp) {
        let now = self.0.env.now();
        let mut armed = self.0.armed.lock();
        let mut is_new = false;
        for due in [opens_at - FREEZE_AHEAD, opens_at, ends_at] {
            // What is past is done by opening the ledger once, at the last of the past times.
            is_new |=
                (due > now || ends_at <= now && due == ends_at) && armed.insert((due, drop_id));
        }
        if opens_at - FREEZE_AHEAD <= now && now < ends_at {
            is_new |= armed.insert((now, drop_id));
        }
        std::mem::drop(armed);
        if is_new {
            self.0.changed.notify_one();
        }
    }

    /// Sets those alarms of a drop that are not past: a drop that was just woken needs no other.
    fn arm_ahead(&self, drop: &Drop) {
        let now = self.0.env.now();
        let times = [drop.opens_at - FREEZE_AHEAD, drop.opens_at, drop.ends_at];
        let ahead = times.into_iter().filter(|due| *due > now);
        let alarms = ahead.map(|due| (due, drop.drop_id));
        self.0.armed.lock().extend(alarms);
    }

    /// Works until `stop`.
    pub async fn run(self, store: SharedStore, ledgers: Registry, stop: CancellationToken) {
        let mut read_from =
            self.0.env.now() - Duration::from_secs(86_400) * LOOK_BACK_DAYS.unsigned_abs();
        while !stop.is_cancelled() {
            let now = self.0.env.now();
            match self.look(&*store, read_from, now + LOOK_AHEAD).await {
                // A row may be written a little after its drop's opening: those of the last minute are read again.
                Ok(()) => read_from = now - Duration::from_secs(60),
                Err(error) => tracing::warn!(%error, "drops_by_time can't be read"),
            }
            self.ring_until(now + LOOK_EVERY, &store, &ledgers, &stop)
                .await;
        }
    }

    /// Arms the drops that open between two times.
    async fn look(
        &self,
        store: &dyn crate::store::Store,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        for day in from.day()..=to.day() {
            for shard in 0..SHARDS {
                let mut after = None;
                loop {
                    let page = PageRequest {
                        after,
                        limit: PAGE,
                        order: Order::Ascending,
                    };
                    let rows = store.list_drop_times(day, shard, page).await?;
                    for DropTime { key, ends_at } in &rows {
                        if key.opens_at >= from && key.opens_at <= to {
                            self.arm_times(key.drop_id, key.opens_at, *ends_at);
                        }
                    }
                    let Some(DropTime { key, .. }) = rows.last() else {
                        break;
                    };
                    if rows.len() < PAGE || key.opens_at > to {
                        break;
                    }
                    after = Some(DropTimeKey { ..*key });
                }
            }
        }
        Ok(())
    }

    /// Opens ledgers as their alarms go off.
    async fn ring_until(
        &self,
        until: Timestamp,
        store: &SharedStore,
        ledgers: &Registry,
        stop: &CancellationToken,
    ) {
        loop {
            let now = self.0.env.now();
            let due = self.take_due(now);
            if !due.is_empty() {
                stream::iter(due)
                    .for_each_concurrent(OPEN_AT_ONCE, |drop_id| {
                        self.wake(drop_id, store, ledgers, stop)
                    })
                    .await;
                continue;
            }
            if now >= until {
                return;
            }
            let next = self
                .0
                .armed
                .lock()
                .first()
                .map_or(until, |(due, _)| (*due).min(until));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.changed.notified() => {}
                () = self.0.env.sleep(next.since(now)) => {}
            }
        }
    }

    fn take_due(&self, now: Timestamp) -> Vec<DropId> {
        let mut armed = self.0.armed.lock();
        let mut due = Vec::new();
        while let Some((at, drop_id)) = armed.first().copied()
            && at <= now
            && due.len() < PAGE
        {
            armed.remove(&(at, drop_id));
            due.push(drop_id);
        }
        due
    }

    async fn wake(
        &self,
        drop_id: DropId,
        store: &SharedStore,
        ledgers: &Registry,
        stop: &CancellationToken,
    ) {
        // At the start most drops of the last month are over. What refunds a sealed ledger may have, the sweeper knows.
        if let Ok(Some(status)) = store.get_drop_status(drop_id).await
            && status.is_sealed
        {
            return;
        }
        match ledgers.ledger(drop_id).await {
            // The alarm may be of times that were changed since, here or elsewhere: what is ahead by the drop's row counts.
            Ok(ledger) => self.arm_ahead(&ledger.row()),
            Err(LedgerError::NotFrozen(drop)) if !drop.cancelled => self.arm_ahead(&drop),
            // Cancelled early, or never made.
            Err(LedgerError::UnknownDrop | LedgerError::NotFrozen(_)) => {}
            // A server that stops opens no ledgers; the next one will.
            Err(_) if stop.is_cancelled() => {}
            Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
                tracing::warn!(%drop_id, %error, "drop could not be woken");
                self.0
                    .armed
                    .lock()
                    .insert((self.0.env.now() + AGAIN_AFTER, drop_id));
            }
        }
    }
}
