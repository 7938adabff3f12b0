//! Opens the ledgers that dead processes left open, so that their holds end in time though nobody asks.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{Membership, membership::Standing};
use crate::{
    domain::id::SHARDS,
    env::SharedEnv,
    ledger::Registry,
    store::{OpenLedger, SharedStore, StoreError},
};

/// How often ledgers of dead processes are looked for: 16 reads, and a hold that nobody watches expires this much late.
pub const SWEEP_EVERY: Duration = Duration::from_secs(3);
/// Rows read at a time.
const PAGE: usize = 500;
/// Ledgers taken over at once: one that hangs holds up few others, and so many folds fit into memory.
const ADOPT_AT_ONCE: usize = 16;

/// Goes over open ledgers, again and again.
#[derive(Debug)]
pub struct Sweeper {
    store: SharedStore,
    ledgers: Registry,
    members: Membership,
    /// Taken over from processes that may wake up yet: their rows stay, or what such a one does then would be found by nobody.
    taken: BTreeSet<OpenLedger>,
}

impl Sweeper {
    /// A sweeper that has done nothing yet.
    #[must_use]
    pub fn new(store: SharedStore, ledgers: Registry, members: Membership) -> Self {
        let taken = BTreeSet::new();
        Self {
            store,
            ledgers,
            members,
            taken,
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, env: SharedEnv, stop: CancellationToken) {
        while let Some(swept) = stop.run_until_cancelled(self.sweep()).await {
            match swept {
                Ok(0) => {}
                Ok(count) => tracing::info!(
                    count,
                    "ledgers that another process had open are taken over"
                ),
                Err(error) => tracing::warn!(%error, "open ledgers can't be read"),
            }
            stop.run_until_cancelled(env.sleep(SWEEP_EVERY)).await;
        }
    }

    /// Goes over all open ledgers once; how many were taken over.
    ///
    /// # Errors
    /// If the store fails; what was taken over stays taken over.
    pub async fn sweep(&mut self) -> Result<usize, StoreError> {
        let mut adopted = 0;
        let mut still_taken = BTreeSet::new();
        for shard in 0..SHARDS {
            let mut after: Option<OpenLedger> = None;
            loop {
                let rows = self.store.list_open(shard, after, PAGE).await?;
                let Some(last) = rows.last().copied() else {
                    break;
                };
                let is_last = rows.len() < PAGE;
                let (known, dead): (Vec<_>, Vec<_>) = (rows.into_iter())
                    .map(|row| (row, self.members.standing(row.process_id)))
                    .filter(|(_, standing)| *standing != Standing::Alive)
                    .partition(|(row, standing)| {
                        *standing == Standing::Silent && self.taken.contains(row)
                    });
                still_taken.extend(known.into_iter().map(|(row, _)| row));
                let ledgers = &self.ledgers;
                let mut taken = stream::iter(dead)
                    .map(|(row, standing)| async move {
                        let outcome = ledgers.adopt(row, standing == Standing::Gone).await;
                        (row, standing, outcome)
                    })
                    .buffer_unordered(ADOPT_AT_ONCE);
                while let Some((row, standing, outcome)) = taken.next().await {
                    match outcome {
                        Ok(()) => {
                            adopted += 1;
                            if standing == Standing::Silent {
                                still_taken.insert(row);
                            }
                        }
                        Err(error) => {
                            tracing::warn!(ledger_id = %row.ledger_id, %error, "open ledger not taken over");
                        }
                    }
                }
                if is_last {
                    break;
                }
                after = Some(last);
            }
        }
        // A process that was heard of again, and falls silent again, leaves its ledgers anew.
        self.taken = still_taken;
        Ok(adopted)
    }
}

/// One sweep by a process that has heard of no other.
#[cfg(test)]
pub(crate) async fn sweep(store: &SharedStore, ledgers: &Registry) -> Result<usize, StoreError> {
    let env = std::sync::Arc::new(crate::env::SystemEnv);
    let members = Membership::new(env, store.clone(), ledgers.clone(), String::new());
    Sweeper::new(store.clone(), ledgers.clone(), members)
        .sweep()
        .await
}
