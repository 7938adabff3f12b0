//! The index as those who search see it: once it is whole.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use metrics::gauge;

use super::{Place, Query, Result, SearchError, SharedIndex};

/// A process' index, and whether it can be asked. Cheap to clone; the default has none, and never answers.
#[derive(Debug, Clone, Default)]
pub struct SearchHandle {
    index: Option<SharedIndex>,
    is_whole: Arc<AtomicBool>,
}

impl SearchHandle {
    /// A handle on an index that is not whole yet.
    #[must_use]
    pub fn new(index: SharedIndex) -> Self {
        Self {
            index: Some(index),
            is_whole: Arc::default(),
        }
    }

    /// The index, for the one who keeps it.
    #[must_use]
    pub fn index(&self) -> Option<&SharedIndex> {
        self.index.as_ref()
    }

    /// From now on it can be asked, or not.
    pub fn set_whole(&self, is_whole: bool) {
        self.is_whole.store(is_whole, Ordering::Release);
        gauge!("livedrop_search_is_whole").set(f64::from(u8::from(is_whole)));
    }

    /// As [`SearchIndex::find`](super::SearchIndex::find).
    ///
    /// # Errors
    /// If the index is not whole: what is not found in it may be there all the same.
    pub async fn find(
        &self,
        query: Query,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Place>> {
        match &self.index {
            Some(index) if self.is_whole.load(Ordering::Acquire) => {
                index.find(query, after, limit).await
            }
            Some(_) | None => Err(SearchError::NotWhole),
        }
    }
}
