//! When and how often a call is repeated.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How calls are repeated that failed for a reason which may pass.
///
/// Repeats keep the request id. The delay is random between zero and a bound that doubles with each attempt; what the server asks for
/// beats it. A budget over all calls of a connection keeps repeats from making an overload worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts_max: u32,
    delay_first: Duration,
    delay_max: Duration,
    budget: Option<(u32, u32)>,
}

impl Default for RetryPolicy {
    /// Three attempts; delays up to 100 ms at first and 5 s at last; one repeat per ten calls, ten at once.
    fn default() -> Self {
        Self {
            attempts_max: 3,
            delay_first: Duration::from_millis(100),
            delay_max: Duration::from_secs(5),
            budget: Some((10, 10)),
        }
    }
}

impl RetryPolicy {
    /// Never repeats.
    #[must_use]
    pub fn never() -> Self {
        Self::default().attempts(1)
    }

    /// Attempts per call at most, the first included; 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, max: u32) -> Self {
        self.attempts_max = max.max(1);
        self
    }

    /// Upper bounds of the delay before the second attempt and before any.
    #[must_use]
    pub fn delays(mut self, first: Duration, max: Duration) -> Self {
        self.delay_first = first;
        self.delay_max = max;
        self
    }

    /// Repeats allowed per hundred calls, and how many of them may come at once.
    #[must_use]
    pub fn budget(mut self, percent: u32, burst: u32) -> Self {
        self.budget = Some((percent, burst));
        self
    }

    /// No budget: each call may use all its attempts. For tests and load generators.
    #[must_use]
    pub fn without_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    pub(crate) fn allows(&self, attempts: u32) -> bool {
        attempts < self.attempts_max
    }

    /// Delay after this many attempts.
    pub(crate) fn delay(&self, attempts: u32, server: Option<Duration>) -> Duration {
        if let Some(delay) = server.filter(|delay| !delay.is_zero()) {
            // All who were refused together were told the same.
            return delay.saturating_add(random_up_to(delay / 10));
        }
        let doublings = attempts.saturating_sub(1).min(16);
        let bound = self.delay_first.saturating_mul(1 << doublings);
        random_up_to(bound.min(self.delay_max))
    }
}

fn random_up_to(bound: Duration) -> Duration {
    rand::random_range(Duration::ZERO..=bound)
}

/// Hundredths of a repeat; calls put in, repeats take out.
#[derive(Debug)]
pub(crate) struct Budget {
    percent: u32,
    max: u32,
    left: AtomicU32,
    unlimited: bool,
}

const REPEAT: u32 = 100;

impl Budget {
    pub(crate) fn new(policy: &RetryPolicy) -> Self {
        let (percent, burst) = policy.budget.unwrap_or_default();
        let max = burst.saturating_mul(REPEAT);
        Self {
            percent,
            max,
            left: AtomicU32::new(max),
            unlimited: policy.budget.is_none(),
        }
    }

    pub(crate) fn put_call(&self) {
        let add = |left: u32| {
            let more = left.saturating_add(self.percent).min(self.max);
            (more != left).then_some(more)
        };
        // At its maximum already, as it mostly is: nothing is written.
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    pub(crate) fn take_repeat(&self) -> bool {
        let take = |left: u32| left.checked_sub(REPEAT);
        self.unlimited
            || self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_allows_a_burst_and_then_a_share_of_calls() {
        let budget = Budget::new(&RetryPolicy::default().budget(10, 2));
        assert!(budget.take_repeat() && budget.take_repeat());
        assert!(!budget.take_repeat());
        (0..9).for_each(|_| budget.put_call());
        assert!(!budget.take_repeat(), "nine calls are not enough");
        budget.put_call();
        assert!(budget.take_repeat());
        (0..1_000).for_each(|_| budget.put_call());
        assert!(budget.take_repeat() && budget.take_repeat());
        assert!(!budget.take_repeat(), "no more than the burst is saved up");
        let unlimited = Budget::new(&RetryPolicy::default().without_budget());
        assert!((0..1_000).all(|_| unlimited.take_repeat()));
    }

    #[test]
    fn delays_are_spread_bounded_and_the_servers_first() {
        let ms = Duration::from_millis;
        let policy = RetryPolicy::default().delays(ms(100), ms(400));
        let delays = |attempts| (0..200).map(move |_| attempts);
        let longest = |attempts| {
            let delays = delays(attempts).map(|it| policy.delay(it, None));
            delays.max().unwrap()
        };
        assert!(longest(1) <= ms(100) && longest(1) > ms(50));
        assert!(longest(3) <= ms(400) && longest(3) > ms(200));
        assert!(longest(u32::MAX) <= ms(400));
        let told = policy.delay(1, Some(ms(2_000)));
        assert!(told >= ms(2_000) && told <= ms(2_200));
        assert!(policy.delay(1, Some(Duration::ZERO)) <= ms(100));
    }

    #[test]
    fn attempts_are_bounded() {
        assert!(RetryPolicy::default().allows(2) && !RetryPolicy::default().allows(3));
        assert!(!RetryPolicy::never().allows(1));
    }
}
