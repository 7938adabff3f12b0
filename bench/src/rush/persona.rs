//! How buyers behave.

use rand::{Rng, RngExt};

/// A kind of buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persona {
    /// Buys once and keeps it; an unpaid hold expires.
    Keeper,
    /// Tries again while it is sold out: held units may come back.
    Hopeful,
    /// Cancels the hold.
    Canceller,
    /// Cancels the hold and orders anew.
    Fickle,
    /// Sends the same request twice at once.
    Twin,
    /// Drops the call in mid-flight.
    Quitter,
    /// Wants more than the limit, then a second order.
    Greedy,
    /// Does not wait for the opening.
    Early,
}

impl Persona {
    /// Draws one.
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        match rng.random_range(0..100) {
            0..30 => Self::Keeper,
            30..45 => Self::Hopeful,
            45..60 => Self::Canceller,
            60..70 => Self::Fickle,
            70..80 => Self::Twin,
            80..90 => Self::Quitter,
            90..95 => Self::Greedy,
            _ => Self::Early,
        }
    }
}

/// Draws 1 to 2 units of 1 to 2 of the items.
pub(crate) fn draw_lines(item_count: usize, rng: &mut impl Rng) -> Vec<(usize, i32)> {
    let first = rng.random_range(0..item_count);
    let mut lines = vec![(first, rng.random_range(1..=2))];
    if item_count > 1 && rng.random() {
        // Any item but the first one.
        let second = (first + rng.random_range(1..item_count)) % item_count;
        lines.push((second, rng.random_range(1..=2)));
    }
    lines
}
