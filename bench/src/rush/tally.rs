//! Counts while the rush runs.

use std::{
    sync::{
        Mutex, PoisonError,
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
    /// Tries that were not answered, or with UNAVAILABLE.
    pub(crate) unanswered: AtomicU64,
    /// `PlaceOrder` that does not pay.
    place: Latency,
    /// `PlaceOrder` that pays too, and waits for it.
    place_and_pay: Latency,
    /// `PayOrder`.
    pay: Latency,
}

/// Latencies of answered tries, in microseconds.
#[derive(Debug)]
struct Latency(Mutex<Histogram<u64>>);

impl Latency {
    /// None yet: 1 µs to 60 s, 3 digits.
    fn new() -> anyhow::Result<Self> {
        Ok(Self(Mutex::new(Histogram::new_with_bounds(
            1, 60_000_000, 3,
        )?)))
    }

    fn record(&self, took: Duration) {
        if let Ok(mut latency) = self.0.lock() {
            latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }
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
            unanswered: AtomicU64::new(0),
            place: Latency::new()?,
            place_and_pay: Latency::new()?,
            pay: Latency::new()?,
        })
    }

    /// Counts one answered try of `PlaceOrder`. `is_paying`: with a payment.
    pub(crate) fn answered(&self, answer: &Answer, is_paying: bool, took: Duration) {
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
        match (answer, is_paying) {
            // Where nothing was held, nothing was paid.
            (Answer::Placed(_), true) => self.place_and_pay.record(took),
            (Answer::Placed(_) | Answer::Refused(_) | Answer::Unknown, _) => {
                self.place.record(took);
            }
        }
    }

    /// Counts one answered try of `PayOrder`.
    pub(crate) fn paid(&self, took: Duration) {
        self.pay.record(took);
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

    /// Latencies in microseconds of `PlaceOrder` without a payment, with one, and of `PayOrder`.
    pub(crate) fn latencies(&self) -> [(&'static str, Histogram<u64>); 3] {
        [
            ("PlaceOrder", &self.place),
            ("PlaceOrder that pays", &self.place_and_pay),
            ("PayOrder", &self.pay),
        ]
        .map(|(name, latency)| {
            let latency = latency.0.lock();
            (
                name,
                latency.unwrap_or_else(PoisonError::into_inner).clone(),
            )
        })
    }
}
