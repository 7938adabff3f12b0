//! What the provider will do by itself, by time.

use std::{collections::BTreeSet, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{domain::Timestamp, payments::AttemptKey};

/// First and longest wait before a webhook is delivered again.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// A payment goes on by itself.
    GoOn(AttemptKey),
    /// A webhook is delivered; `tries` have failed before.
    Deliver { event: String, tries: u32 },
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: Mutex<BTreeSet<(Timestamp, Work)>>,
    pub(super) changed: Notify,
}

impl Agenda {
    pub(super) fn add(&self, at: Timestamp, work: Work) {
        if self.due.lock().insert((at, work)) {
            self.changed.notify_one();
        }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.lock().first().map(|(at, _)| *at)
    }

    pub(super) fn take_due(&self, now: Timestamp) -> Option<Work> {
        let mut due = self.due.lock();
        if due.first()?.0 > now {
            return None;
        }
        due.pop_first().map(|(_, work)| work)
    }
}

/// How long to wait after so many failed tries.
pub(super) fn backoff(tries: u32) -> Duration {
    AGAIN_MIN
        .saturating_mul(2_u32.saturating_pow(tries))
        .min(AGAIN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits = [0, 1, 2, 5, 6, 40].map(|tries| backoff(tries).as_secs());
        assert_eq!(waits, [1, 2, 4, 32, 60, 60]);
    }
}
