//! Counts while the rush runs.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hdrhistogram::Histogram;

use super::notes::{Answer, Placed};
use livedrop::v1::OrderState;

/// Shared by all buyers. The counts are for the eye and for pacing; the verdict does not use them.
#[derive(Debug)]
pub(crate) struct Tally {
    /// Buyers who are through.
    pub(crate) finished: AtomicU64,
    /// Answers with an order, repeats included.
    pub(crate) placed: AtomicU64,
    /// Of these, sold already.
    pub(crate) sold: AtomicU64,
    /// Final refusals.
    pub(crate) refused: AtomicU64,
    /// Further tries of the same request.
    pub(crate) retries: AtomicU64,
    latency: Mutex<Histogram<u64>>,
}

impl Tally {
    /// All zero.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            finished: AtomicU64::new(0),
            placed: AtomicU64::new(0),
            sold: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            // 1 µs to 60 s, 3 digits.
            latency: Mutex::new(Histogram::new_with_bounds(1, 60_000_000, 3)?),
        })
    }

    /// Counts one answered try of `PlaceOrder`.
    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        match answer {
            Answer::Placed(Placed { state, .. }) => {
                self.placed.fetch_add(1, Relaxed);
                if *state == OrderState::Paid {
                    self.sold.fetch_add(1, Relaxed);
                }
            }
            Answer::Refused(_) => {
                self.refused.fetch_add(1, Relaxed);
            }
            Answer::Unknown => return,
        }
        if let Ok(mut latency) = self.latency.lock() {
            latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// What has been answered so far, for the progress bar.
    pub(crate) fn line(&self) -> String {
        let placed = self.placed.load(Relaxed);
        let sold = self.sold.load(Relaxed);
        let (refused, retries) = (self.refused.load(Relaxed), self.retries.load(Relaxed));
        format!(
            "held {} · sold {sold} · refused {refused} · retries {retries}",
            placed - sold.min(placed)
        )
    }

    /// Latencies of the answered tries, in microseconds.
    pub(crate) fn latency(&self) -> Option<Histogram<u64>> {
        self.latency.lock().ok().map(|latency| latency.clone())
    }
}
