//! Finishes what follows the changes of rows, for those who died or failed in between: goes over the intents that are old enough, and
//! does for each what its maker would have done. Any number of processes may do it at the same time.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::outbox::{Outbox, Unfinished};
use crate::{
    domain::{Timestamp, id::SHARDS},
    store::{
        Cas, Order, PageRequest, Result,
        jobs::Job,
        outbox::{Intent, IntentKey},
    },
};

/// How often the intents are gone over.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A younger intent's maker is likely to be alive and at work.
const DUE_AFTER: Duration = Duration::from_secs(5);
/// Nothing comes of an older intent: its change was lost, or lies under a later one. No write is on its way for so long.
const GIVE_UP_AFTER: Duration = Duration::from_secs(600);
/// Into an hour that is over for so long no intent is put any more, by a clock however wrong.
const SETTLED_AFTER: Duration = Duration::from_secs(900);
/// How far back the first relay of a store looks: no server is down for longer whose relay never got to note where it is.
const FIRST_LOOK_BACK_HOURS: i64 = 24;
/// Intents read at a time.
const PAGE: usize = 100;
/// Intents worked on at a time: each may wait for a sink.
const AT_ONCE: usize = 8;

/// Works until `stop`.
pub async fn run(outbox: Outbox, stop: CancellationToken) {
    let mut relay = Relay {
        outbox: outbox.clone(),
        progress: BTreeMap::new(),
    };
    while stop.run_until_cancelled(relay.pass()).await.is_some() {
        let pause = outbox.env().sleep(LOOK_EVERY);
        stop.run_until_cancelled(pause).await;
    }
    outbox.close();
}

struct Relay {
    outbox: Outbox,
    /// By shard, as last read or written. `cursor` is the oldest hour that is not known to be empty.
    progress: BTreeMap<u8, Job>,
}

/// What is in one hour of one shard.
#[derive(Debug, Default)]
struct Hour {
    found: usize,
    failed: usize,
}

impl Relay {
    /// Goes over all intents once.
    async fn pass(&mut self) {
        let mut failed = 0;
        for shard in 0..SHARDS {
            match self.pass_shard(shard).await {
                Ok(count) => failed += count,
                Err(error) => tracing::warn!(shard, %error, "outbox can't be read"),
            }
        }
        if failed > 0 {
            tracing::warn!(failed, "changes not announced yet; tried again");
        }
    }

    /// How many intents failed.
    async fn pass_shard(&mut self, shard: u8) -> Result<usize> {
        let now = self.outbox.env().now();
        let job = self.job(shard, now).await?;
        let mut cursor = job.cursor;
        let mut failed = 0;
        for hour in job.cursor..=now.hour() {
            let seen = self.pass_hour(shard, hour, now).await?;
            failed += seen.failed;
            if cursor == hour && seen.found == 0 && (now - SETTLED_AFTER).hour() > hour {
                cursor = hour + 1;
            }
        }
        if cursor > job.cursor {
            self.move_on(shard, job, cursor).await?;
        }
        Ok(failed)
    }

    /// Where the shard's relays are; new if there was none.
    async fn job(&mut self, shard: u8, now: Timestamp) -> Result<Job> {
        if let Some(job) = self.progress.get(&shard) {
            return Ok(job.clone());
        }
        let job_id = format!("relay/{shard}");
        let found = self.outbox.store().get_job(&job_id).await?;
        // Version 0 stands for no row.
        let job = found.unwrap_or_else(|| Job {
            job_id,
            version: 0,
            op_id: self.outbox.env().uuid(),
            cursor: now.hour() - FIRST_LOOK_BACK_HOURS,
        });
        self.progress.insert(shard, job.clone());
        Ok(job)
    }

    async fn move_on(&mut self, shard: u8, job: Job, cursor: i64) -> Result<()> {
        let next = Job {
            version: job.version + 1,
            op_id: self.outbox.env().uuid(),
            cursor,
            ..job
        };
        match self.outbox.store().update_job(&next).await {
            Ok(Cas::Done) => self.progress.insert(shard, next),
            // Another relay was here.
            Ok(Cas::Stale(Some(found))) => self.progress.insert(shard, found),
            Ok(Cas::Stale(None)) => self.progress.remove(&shard),
            // Read again what came of it.
            Err(error) => {
                self.progress.remove(&shard);
                return Err(error);
            }
        };
        Ok(())
    }

    async fn pass_hour(&self, shard: u8, hour: i64, now: Timestamp) -> Result<Hour> {
        let mut seen = Hour::default();
        let mut after = None;
        loop {
            let page = PageRequest {
                after,
                limit: PAGE,
                order: Order::Ascending,
            };
            let intents = self.outbox.store().list_intents(shard, hour, page).await?;
            let Some(last) = intents.last() else {
                return Ok(seen);
            };
            after = Some(IntentKey {
                created_at: last.created_at,
                op_id: last.op_id,
            });
            seen.found += intents.len();
            let is_due = |intent: &Intent| now.since(intent.created_at) >= DUE_AFTER;
            let due: Vec<Intent> = intents.into_iter().filter(is_due).collect();
            let redone: Vec<_> = stream::iter(due)
                .map(|intent| self.redo(intent, now))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            let failed = redone.iter().filter(|redone| redone.is_err()).count();
            seen.failed += failed;
            // The store or the sink is down: the rest waits for the next time.
            if failed >= AT_ONCE && failed == redone.len() {
                return Ok(seen);
            }
        }
    }

    async fn redo(&self, intent: Intent, now: Timestamp) -> std::result::Result<(), Unfinished> {
        let made_by = self.outbox.finish(intent.entity).await.inspect_err(
            |error| tracing::debug!(entity = ?intent.entity, %error, "not finished"),
        )?;
        let has_come = made_by == Some(intent.op_id);
        if has_come || now.since(intent.created_at) >= GIVE_UP_AFTER {
            self.outbox.store().remove_intent(&intent).await?;
        }
        Ok(())
    }
}
