//! The drop that all buyers rush to, and what they share.

use livedrop::Client;
use tokio::{sync::Semaphore, time::Instant};

use super::tally::Tally;

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

/// Everything that buyers share.
#[derive(Debug)]
pub(crate) struct Shop {
    /// The drop.
    pub(crate) drop_id: String,
    /// What it sells.
    pub(crate) items: Vec<Item>,
    /// Units of all items that one buyer may have; 0 = no limit.
    pub(crate) limit_per_buyer: i32,
    /// The connections; at least one. Nobody is signed in on them.
    pub(crate) connections: Vec<Client>,
    /// When the drop opens.
    pub(crate) opens_at: Instant,
    /// When buyers stop trying.
    pub(crate) deadline: Instant,
    /// Bounds the purchases in flight.
    pub(crate) gate: Semaphore,
    /// Counts.
    pub(crate) tally: Tally,
}
