//! Putting a record into its slot, until it is known whose the slot is.

use std::time::Duration;

use super::{Opening, Queued, Unavailable, WriterMetrics};
use crate::{
    env::{self, Env},
    store::{Append, LedgerRecord, StoreError},
};

/// Callers with less time left than this are told that the outcome is open, while it is being settled.
const GIVE_UP_AHEAD: Duration = Duration::from_millis(200);
const RETRY_DELAY_MIN: Duration = Duration::from_millis(10);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);

/// Whose a slot is.
pub(super) enum Slot {
    /// The record is in it.
    Ours,
    /// Another record is.
    Lost(Box<LedgerRecord>),
    /// The first try was refused: nothing was and nothing will be written.
    NotDone(StoreError),
}

/// Puts `record` into its slot. After an unknown outcome the same bytes go to the same slot again, for as long as it takes: giving up, or
/// going on elsewhere, could sell units twice when the lost write turns up.
pub(super) async fn put(
    opening: &Opening,
    record: &LedgerRecord,
    batch: &mut [Queued],
    metrics: &WriterMetrics,
) -> Slot {
    let mut is_unknown = false;
    let mut delay = RETRY_DELAY_MIN;
    loop {
        let error = match opening.store.append(record).await {
            Ok(Append::Appended) => return Slot::Ours,
            Ok(Append::Conflict(existing)) => {
                let same = |a: &LedgerRecord, b: &LedgerRecord| {
                    (a.writer_id, a.batch_id, a.hash) == (b.writer_id, b.batch_id, b.hash)
                };
                return if same(&existing, record) {
                    Slot::Ours
                } else {
                    Slot::Lost(existing)
                };
            }
            // After an unknown try even a definite no says nothing about that one.
            Err(error @ StoreError::Determinate(_)) if !is_unknown => return Slot::NotDone(error),
            Err(error) => error,
        };
        if !is_unknown {
            tracing::warn!(ledger_id = %record.ledger_id, seq = record.seq, %error, "append outcome unknown, settling");
        }
        is_unknown = true;
        metrics.unknown.increment(1);
        answer_late(opening, batch);
        opening
            .env
            .sleep(delay + spread(&*opening.env, delay))
            .await;
        delay = (delay * 2).min(RETRY_DELAY_MAX);
    }
}

/// Tells callers whose time is nearly up that the outcome is open. Their place in the batch stays: outcomes are matched by position.
fn answer_late(opening: &Opening, batch: &mut [Queued]) {
    let soon = opening.env.now() + GIVE_UP_AHEAD;
    for queued in batch
        .iter_mut()
        .filter(|queued| queued.deadline <= soon && !queued.reply.is_closed())
    {
        let (closed, _) = tokio::sync::oneshot::channel();
        let reply = std::mem::replace(&mut queued.reply, closed);
        let _ = reply.send(Err(Unavailable("the outcome is not known yet".to_owned())));
    }
}

/// Waits a random while after a lost slot, longer from try to try, so that two writers don't go on colliding.
pub(super) async fn jitter(env: &dyn Env, try_number: u32) {
    let most = Duration::from_millis(2) * 2_u32.saturating_pow(try_number.min(6));
    env.sleep(spread(env, most)).await;
}

/// A random part of `most`.
fn spread(env: &dyn Env, most: Duration) -> Duration {
    let [byte] = env::random(env);
    most * u32::from(byte) / 255
}
