//! The drop that all buyers rush to, and what they share.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use livedrop::Client;
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

use super::{browser::Browser, buyer::Login, notes::Return, provider::Provider, tally::Tally};

/// One item.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its id.
    pub(crate) item_id: String,
    /// Units offered.
    pub(crate) stock: i64,
    /// Price in cents; what is free is sold at once.
    pub(crate) price_minor: i64,
}

/// What becomes of a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It sells.
    Sells,
    /// Its creator cancels it half-way.
    IsCancelled,
    /// Its buyers come to one server when the others have forgotten it, and never come back.
    IsLeft,
}

/// Everything that buyers share.
#[derive(Debug)]
pub(crate) struct Shop {
    /// The drop.
    pub(crate) drop_id: String,
    /// Whose it is.
    pub(crate) creator: Login,
    /// What it sells.
    pub(crate) items: Vec<Item>,
    /// Units of all items that one buyer may have; 0 = no limit.
    pub(crate) limit_per_buyer: i32,
    /// The connections; at least one. Nobody is signed in on them.
    pub(crate) connections: Vec<Client>,
    /// Buyers pay for what costs something.
    pub(crate) is_paid: bool,
    /// What becomes of it.
    pub(crate) fate: Fate,
    /// Its buyers come within this time after the opening.
    pub(crate) arrive_within: Duration,
    /// The buyers' own lists are read in the end too: not where thousands come to measure speed.
    pub(crate) is_judged_by_rows: bool,
    /// Who takes the money.
    pub(crate) provider: Provider,
    /// Orders to give the money back for; `None` in a drop that does not sell, and at the end.
    pub(crate) returns: Mutex<Option<mpsc::Sender<Return>>>,
    /// Opens pages.
    pub(crate) browser: Browser,
    /// When the drop opens.
    pub(crate) opens_at: Instant,
    /// When buyers stop trying.
    pub(crate) deadline: Instant,
    /// Bounds the purchases in flight.
    pub(crate) gate: Semaphore,
    /// Counts.
    pub(crate) tally: Tally,
}

impl Shop {
    /// Its creator cancels it half-way.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.fate == Fate::IsCancelled
    }

    /// Asks the creator for an order's money.
    pub(crate) fn give_back(&self, order: Return) {
        let returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(returns) = &*returns {
            // There is room for all.
            let _ = returns.try_send(order);
        }
    }

    /// Nothing more is given back.
    pub(crate) fn end_returns(&self) {
        *self.returns.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What these lines cost, in cents.
    pub(crate) fn total(&self, lines: &[(usize, i32)]) -> i64 {
        total(&self.items, lines)
    }
}

/// What these lines cost, in cents.
pub(crate) fn total(items: &[Item], lines: &[(usize, i32)]) -> i64 {
    let cost = |(item, quantity): &(usize, i32)| {
        let price = items.get(*item).map_or(0, |item| item.price_minor);
        price * i64::from(*quantity)
    };
    lines.iter().map(cost).sum()
}
