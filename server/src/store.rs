//! Storage as the product needs it, shaped by what CQL can do: rows found by partition and clustering key, put-if-absent and
//! version compare-and-set on single rows, upserts ordered by a given timestamp, paged range reads. No transaction spans two rows.
//!
//! A lost race is a value ([`Put::Exists`], [`Cas::Stale`], [`Append::Conflict`]), never an error. Errors say only whether the
//! work may have been done: see [`StoreError`].

pub mod accounts;
pub mod audit;
pub mod conformance;
pub mod drops;
pub mod embedded;
pub mod faulty;
pub mod follows;
pub mod jobs;
pub mod ledger;
pub mod orders;
pub mod outbox;
pub mod payments;
pub mod processes;
pub mod products;
pub mod projections;
pub mod requests;
pub mod scylla;
pub mod search;
pub mod sessions;
pub(crate) mod text;
pub mod truth;
mod versioned;

use std::{fmt, sync::Arc};

pub use accounts::AccountStore;
pub use audit::AuditStore;
pub use drops::DropStore;
pub use follows::FollowStore;
pub use jobs::JobStore;
pub use ledger::{Append, LedgerRecord, LedgerStore, OpenLedger};
pub use orders::OrderStore;
pub use outbox::OutboxStore;
pub use payments::PaymentStore;
pub use processes::ProcessStore;
pub use products::ProductStore;
pub use projections::ProjectionStore;
pub use requests::RequestStore;
pub use search::SearchChangeStore;
pub use sessions::SessionStore;
pub use truth::TruthStore;

/// Why a store call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not happen, and will not.
    #[error("store refused: {0}")]
    Determinate(String),
    /// It may have happened, or may still happen. Unknown driver errors are of this kind.
    #[error("store outcome unknown: {0}")]
    Indeterminate(String),
}

/// Short for what every store call returns.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Outcome of a put-if-absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put<T> {
    /// The row is there now, and is ours.
    Done,
    /// A row was there already: this one.
    Exists(T),
}

/// Outcome of a compare-and-set on a row's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cas<T> {
    /// The row is as given.
    Done,
    /// The row's version was another; `None` if there is no row.
    Stale(Option<T>),
}

/// Which way a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// A page of a range read: at most `limit` rows that come after `after` in `order`.
#[derive(Debug, Clone)]
pub struct PageRequest<K> {
    /// The last key of the page before; `None` starts at the range's edge.
    pub after: Option<K>,
    /// Most rows wanted, at least 1.
    pub limit: usize,
    /// Direction.
    pub order: Order,
}

impl<K> PageRequest<K> {
    /// The same page by another form of its key.
    pub fn map<L>(self, form: impl FnOnce(K) -> L) -> PageRequest<L> {
        PageRequest {
            after: self.after.map(form),
            limit: self.limit,
            order: self.order,
        }
    }
}

/// All storage traits as one object.
pub trait Store:
    LedgerStore
    + DropStore
    + ProductStore
    + AccountStore
    + FollowStore
    + SessionStore
    + RequestStore
    + OrderStore
    + ProjectionStore
    + PaymentStore
    + ProcessStore
    + OutboxStore
    + JobStore
    + AuditStore
    + SearchChangeStore
    + TruthStore
    + fmt::Debug
{
}
impl<S> Store for S where
    S: LedgerStore
        + DropStore
        + ProductStore
        + AccountStore
        + FollowStore
        + SessionStore
        + RequestStore
        + OrderStore
        + ProjectionStore
        + PaymentStore
        + ProcessStore
        + OutboxStore
        + JobStore
        + AuditStore
        + SearchChangeStore
        + TruthStore
        + fmt::Debug
{
}

/// Shared handle on a [`Store`].
pub type SharedStore = Arc<dyn Store>;
