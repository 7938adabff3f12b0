//! Searching products and drops. The index says which may fit and in which order, the rows say whether they do: what has changed in the last
//! second is shown as it is, or not at all.

use std::{future::Future, pin::pin, time::Duration};

use futures::{StreamExt as _, stream};
use uuid::Uuid;

use super::{Context, Error, Result, drop_rows, drops::DropDetails, product_lists};
use crate::{
    domain::{
        AccountId, DropId, ProductId,
        product::{Product, ProductStatus},
    },
    search::{Document, Kind, Place, PriceRange, Query, SearchError},
    store::projections::DropState,
};

/// Rows asked of the index, and read, at a time.
const CHUNK: usize = 64;
/// Rows read at once.
const ROWS_AT_ONCE: usize = 16;
/// Rows that one page looks at: those that fit no more count too.
const ROWS_MAX: usize = 512;
/// A page ends with the row that reaches this many bytes, far from the largest answer.
const BYTES_MAX: usize = 1 << 20;

/// After so long an index that is being made may be whole.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Which products are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductSearch {
    /// All of these words; `None` = whatever it says.
    pub words: Option<Vec<String>>,
    /// Of this creator.
    pub creator_id: Option<AccountId>,
    /// With this tag.
    pub tag: Option<String>,
    /// A variant of which costs so much.
    pub prices: Option<PriceRange>,
    /// Of this status.
    pub status: ProductStatus,
}

/// Which drops are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropSearch {
    /// All of these words; `None` = whatever it says.
    pub words: Option<Vec<String>>,
    /// Of this creator.
    pub creator_id: Option<AccountId>,
    /// An item of which costs so much.
    pub prices: Option<PriceRange>,
    /// In this state; `None` = any but cancelled.
    pub state: Option<DropState>,
    /// That can be bought now: live, and not sold out.
    pub is_buyable: bool,
}

/// A page of what was found.
#[derive(Debug)]
pub struct SearchPage<T> {
    /// In the order of [`Place`]; may be fewer than wanted, even none.
    pub found: Vec<T>,
    /// Behind which place it goes on; `None` = there is no more.
    pub next: Option<Place>,
}

impl ProductSearch {
    fn query(&self) -> Query {
        Query {
            kind: Kind::Product,
            words: self.words.clone(),
            creator_id: self.creator_id,
            tag: self.tag.clone(),
            prices: self.prices,
            states: vec![Document::product_state(self.status)],
            is_buyable: false,
        }
    }

    fn takes(&self, product: &Product) -> bool {
        let prices = product.variants.iter();
        let prices = prices.map(|it| product.unit_price_minor(it));
        product.status == self.status
            && (self.tag.as_ref()).is_none_or(|tag| product.tags.contains(tag))
            && (self.prices).is_none_or(|range| range.takes(product.currency, prices))
    }
}

impl DropSearch {
    fn query(&self) -> Query {
        let states = match self.state {
            Some(state) => vec![state],
            None => vec![DropState::Scheduled, DropState::Live, DropState::Ended],
        };
        Query {
            kind: Kind::Drop,
            words: self.words.clone(),
            creator_id: self.creator_id,
            tag: None,
            prices: self.prices,
            states: states.into_iter().map(Document::drop_state).collect(),
            is_buyable: self.is_buyable,
        }
    }

    fn takes(&self, details: &DropDetails) -> bool {
        let (drop, state) = (&details.drop, details.state());
        let prices = drop.items.iter().map(|it| it.unit_price_minor);
        let is_state = match self.state {
            Some(wanted) => state == wanted,
            None => state != DropState::Cancelled,
        };
        let is_buyable = state == DropState::Live && !details.is_sold_out();
        is_state
            && (!self.is_buyable || is_buyable)
            && (self.prices).is_none_or(|range| range.takes(drop.currency, prices))
    }
}

/// Finds products.
///
/// # Errors
/// As `SearchProducts` of the contract.
pub async fn products(
    ctx: &Context,
    caller: Option<AccountId>,
    search: &ProductSearch,
    after: Option<Place>,
    size: usize,
) -> Result<SearchPage<Product>> {
    if let Some(creator_id) = search.creator_id {
        product_lists::may_see(caller, creator_id, search.status)?;
    }
    let read = |id| async move {
        let product = ctx.store.get_product(ProductId::new(id)).await?;
        Ok(product.filter(|product| search.takes(product)))
    };
    Box::pin(page(
        ctx,
        search.query(),
        after,
        size,
        read,
        Product::weight,
    ))
    .await
}

/// Finds drops.
///
/// # Errors
/// As `SearchDrops` of the contract.
pub async fn drops(
    ctx: &Context,
    search: &DropSearch,
    after: Option<Place>,
    size: usize,
) -> Result<SearchPage<DropDetails>> {
    let read = |id| async move {
        let details = drop_rows::look_up(ctx, DropId::new(id)).await?;
        Ok(details.filter(|details| search.takes(details)))
    };
    Box::pin(page(
        ctx,
        search.query(),
        after,
        size,
        read,
        DropDetails::weight,
    ))
    .await
}

/// A page of the rows that `read` finds and still takes.
async fn page<T, F: Future<Output = Result<Option<T>>>>(
    ctx: &Context,
    query: Query,
    after: Option<Place>,
    size: usize,
    read: impl Fn(Uuid) -> F,
    weight: impl Fn(&T) -> usize,
) -> Result<SearchPage<T>> {
    let (mut found, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
    let mut last = after;
    loop {
        let places = ctx.search.find(query.clone(), last, CHUNK).await?;
        let is_end = places.len() < CHUNK;
        looked_at += places.len();
        let end = places.last().copied();
        let read = &read;
        let rows =
            stream::iter(places).map(|place: Place| async move { (place, read(place.id).await) });
        let mut rows = pin!(rows.buffered(ROWS_AT_ONCE));
        while let Some((place, row)) = rows.next().await {
            if let Some(row) = row? {
                bytes += weight(&row);
                found.push(row);
            }
            last = Some(place);
            if found.len() >= size || bytes >= BYTES_MAX {
                let is_last = is_end && end == Some(place);
                let next = last.filter(|_| !is_last);
                return Ok(SearchPage { found, next });
            }
        }
        if is_end || looked_at >= ROWS_MAX {
            let next = last.filter(|_| !is_end);
            return Ok(SearchPage { found, next });
        }
    }
}

impl From<SearchError> for Error {
    fn from(error: SearchError) -> Self {
        Self::Unavailable {
            retry_after: AGAIN_AFTER,
            cause: error.to_string(),
        }
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
