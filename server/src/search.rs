//! Search: which products and drops hold given words and fit given filters. An index is derived from rows, kept by each process for itself, and
//! may lag a second: whoever shows what was found reads the rows.

mod document;
mod handle;
mod tantivy;
mod words;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{document::Document, handle::SearchHandle, tantivy::TantivyIndex, words::words};
use crate::domain::{AccountId, Currency, Timestamp};

/// Why an index has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// It does not hold all that there is yet.
    #[error("the search index is being made")]
    NotWhole,
    /// It failed.
    #[error("the search index failed: {0}")]
    Failed(String),
}

/// Short for what every call of an index returns.
pub type Result<T> = std::result::Result<T, SearchError>;

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A product.
    Product,
    /// A drop.
    Drop,
}

/// What happened to what is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This is what is found from now on under the document's id.
    Put(Box<Document>),
    /// Nothing is found under this id any more.
    Remove(Uuid),
    /// Nothing of this creator is found any more.
    RemoveAllOf(AccountId),
}

/// What is looked for. All of it must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Products or drops.
    pub kind: Kind,
    /// Each is in the document, or begins one of its words; as [`words()`] makes them. `None`: whatever it says.
    pub words: Option<Vec<String>>,
    /// Of this creator.
    pub creator_id: Option<AccountId>,
    /// With this tag.
    pub tag: Option<String>,
    /// With a price in this range.
    pub prices: Option<PriceRange>,
    /// In one of these states, as [`Document::state`] has them.
    pub states: Vec<&'static str>,
    /// That can be bought now.
    pub is_buyable: bool,
}

/// Prices in one currency, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    /// The currency.
    pub currency: Currency,
    /// The lowest, in minor units.
    pub from: i64,
    /// The highest, in minor units.
    pub to: i64,
}

impl PriceRange {
    /// Whether one of these prices is in it.
    pub fn takes(&self, currency: Currency, prices: impl IntoIterator<Item = i64>) -> bool {
        let mut prices = prices.into_iter();
        currency == self.currency && prices.any(|price| (self.from..=self.to).contains(&price))
    }
}

/// Where in the order of what is found something stands: the greatest comes first. It depends on the document and the query alone, so it is the
/// same in every process, and a page goes on behind the place where the last one ended, whatever was added meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// 3: all words are in the title; 2: in the title or among its keywords; 1: anywhere. Without words all have the same.
    pub rank: u8,
    /// The document's own time.
    pub at: Timestamp,
    /// The document's id.
    pub id: Uuid,
}

/// How far an index has followed its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which making of the index the store asks for.
    pub generation: Uuid,
    /// All changes noted before are in it, but for those that were noted late.
    pub read_to: Timestamp,
}

/// An index of documents.
#[async_trait]
pub trait SearchIndex: Send + Sync + fmt::Debug {
    /// How far the index has come; `None` if it is not whole.
    async fn progress(&self) -> Result<Option<Progress>>;

    /// Empties it.
    async fn clear(&self) -> Result<()>;

    /// Makes changes, in their order, and notes how far the index has come with them; `None`: it is not whole yet. They last, and are found, when
    /// this returns.
    async fn write(&self, changes: Vec<Change>, progress: Option<Progress>) -> Result<()>;

    /// The first documents, by [`Place`], that fit the query and stand behind `after`; at most `limit`.
    async fn find(&self, query: Query, after: Option<Place>, limit: usize) -> Result<Vec<Place>>;
}

/// Shared handle on a [`SearchIndex`].
pub type SharedIndex = Arc<dyn SearchIndex>;
