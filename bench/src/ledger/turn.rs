//! One turn of one contender: a window of time, and what was done in it.

use std::time::Duration;

use tokio::time::Instant;

use super::log::Log;

/// Before each window, with the same load.
const WARM_UP: Duration = Duration::from_secs(1);

/// What counts begins and ends in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Instant,
    pub(super) until: Instant,
}

impl Window {
    /// Begins in a second.
    pub(super) fn after_warm_up(span: Duration) -> Self {
        let from = Instant::now() + WARM_UP;
        let until = from + span;
        Self { from, until }
    }

    pub(super) fn span(&self) -> Duration {
        self.until - self.from
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// The orders of one who makes one after the other.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// How long each took that was answered in the window, in µs.
    pub(super) micros: Vec<u64>,
    /// Answered, in the window or not.
    pub(super) answered: u64,
    /// Tried once more because somebody else was first.
    pub(super) lost_races: u64,
    /// Nobody can say what became of them.
    pub(super) unknown: u64,
}

impl Orders {
    /// An order that was begun at `begun` is answered `now`.
    pub(super) fn answered(&mut self, begun: Instant, now: Instant, window: &Window) {
        self.answered += 1;
        if (window.from..window.until).contains(&now) {
            let took = u64::try_from((now - begun).as_micros());
            self.micros.push(took.unwrap_or(u64::MAX));
        }
    }

    /// Those of several together.
    pub(super) fn join(all: impl IntoIterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        for orders in all {
            joined.micros.extend(orders.micros);
            joined.answered += orders.answered;
            joined.lost_races += orders.lost_races;
            joined.unknown += orders.unknown;
        }
        joined
    }
}

/// What a turn came to.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) span: Duration,
    pub(super) orders: Orders,
    /// What only the engine has.
    pub(super) engine: Option<EngineTurn>,
}

/// What the engine did.
#[derive(Debug)]
pub(super) struct EngineTurn {
    /// The records of the window, read back from the store.
    pub(super) log: Log,
    /// Part of the window in which the writer waited for the store.
    pub(super) waited: f64,
    /// CPU time of this process in the window: buyers, engine and driver.
    pub(super) cpu: Duration,
    /// Until projectors had done what was left, after the last order.
    pub(super) projected_after: Duration,
}

impl Turn {
    /// Orders answered a second.
    pub(super) fn rate(&self) -> f64 {
        self.orders.micros.len() as f64 / self.span.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_answered_in_the_window_counts() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let window = Window {
            from: begun + second,
            until: begun + 3 * second,
        };
        let mut orders = Orders::default();
        // Before, at the beginning, in the middle, at the end.
        for seconds in 0..4 {
            orders.answered(begun, begun + seconds * second, &window);
        }
        assert_eq!(orders.micros, [1_000_000, 2_000_000]);
        assert_eq!(orders.answered, 4);
        let turn = Turn {
            span: window.span(),
            orders,
            engine: None,
        };
        assert_eq!(turn.rate(), 1.0);
    }
}
