//! How buyers behave.

use rand::{Rng, RngExt};

/// A kind of buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persona {
    /// Buys once and keeps it; an unpaid hold expires.
    Keeper,
    /// While it is sold out, tries for any one unit: held ones may come back.
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
            0..35 => Self::Keeper,
            35..60 => Self::Hopeful,
            60..70 => Self::Canceller,
            70..77 => Self::Fickle,
            77..85 => Self::Twin,
            85..92 => Self::Quitter,
            92..96 => Self::Greedy,
            _ => Self::Early,
        }
    }
}

/// Draws 1 to 2 units of an item, and in a third of all cases of a second one.
pub(crate) fn draw_lines(item_count: usize, rng: &mut impl Rng) -> Vec<(usize, i32)> {
    let first = rng.random_range(0..item_count);
    let mut lines = vec![(first, rng.random_range(1..=2))];
    if item_count > 1 && rng.random_ratio(1, 3) {
        // Any item but the first one.
        let second = (first + rng.random_range(1..item_count)) % item_count;
        lines.push((second, rng.random_range(1..=2)));
    }
    lines
}
