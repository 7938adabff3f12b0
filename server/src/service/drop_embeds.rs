//! What stands beside drops on a page: their creators, and the products that their items name. It is kept for a moment, for the page of a
//! hot drop is asked for by thousands; and it is help, not truth: what can't be read in time is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use moka::future::Cache;

use super::Context;
use crate::{
    domain::{AccountId, ProductId, drop::Drop, product::Product},
    store::{StoreError, accounts::Creator},
};

/// How old it may be: a page may show the old title for so long.
const KEPT_FOR: Duration = Duration::from_secs(2);
/// Creators kept, some hundred bytes each.
const CREATORS_MAX: u64 = 10_000;
/// Bytes of products kept.
const PRODUCTS_BYTES_MAX: u64 = 32 << 20;
/// Rows read at once for one answer.
const READS_AT_ONCE: usize = 16;
/// Rows looked up for one answer: a drop has 100 products at most, a page of drops is left without some.
const READS_MAX: usize = 400;
/// An answer waits no longer for what is beside it.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Creators and products as they were a moment ago. Cheap to clone.
#[derive(Clone)]
pub struct DropEmbeds {
    creators: Cache<AccountId, Option<Arc<Creator>>>,
    products: Cache<ProductId, Option<Arc<Product>>>,
}

impl Default for DropEmbeds {
    fn default() -> Self {
        let weigh = |_: &ProductId, product: &Option<Arc<Product>>| {
            let bytes = product.as_ref().map_or(0, |product| product.weight()) + 100;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            creators: Cache::builder()
                .max_capacity(CREATORS_MAX)
                .time_to_live(KEPT_FOR)
                .build(),
            products: Cache::builder()
                .weigher(weigh)
                .max_capacity(PRODUCTS_BYTES_MAX)
                .time_to_live(KEPT_FOR)
                .build(),
        }
    }
}

impl fmt::Debug for DropEmbeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DropEmbeds").finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Embedded {
    /// Creators of the drops.
    pub creators: BTreeMap<AccountId, Arc<Creator>>,
    /// Products of their items.
    pub products: BTreeMap<ProductId, Arc<Product>>,
}

/// A row to read, and the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Creator(AccountId),
    Product(ProductId),
}

enum Row {
    Creator(Option<Arc<Creator>>),
    Product(Option<Arc<Product>>),
}

/// What stands beside these drops. Never fails: what is not there now is not in it.
pub async fn beside(ctx: &Context, drops: &[&Drop]) -> Embedded {
    let mut keys: BTreeSet<_> = (drops.iter())
        .map(|drop| Key::Creator(drop.creator_id))
        .collect();
    for product in drops.iter().flat_map(|drop| &drop.items) {
        // The first drops of a page are those that are seen.
        if keys.len() >= READS_MAX {
            break;
        }
        keys.extend(product.product.map(|it| Key::Product(it.product_id)));
    }
    let read = |key| async move { read(ctx, key).await };
    let mut rows = pin!(stream::iter(keys).map(read).buffer_unordered(READS_AT_ONCE));
    let mut late = ctx.env.sleep(READ_WITHIN);
    let mut found = Embedded::default();
    loop {
        let row = tokio::select! {
            biased;
            row = rows.next() => row,
            () = &mut late => {
                tracing::debug!("answered without all that is beside a drop");
                return found;
            }
        };
        match row {
            None => return found,
            Some(Ok(Row::Creator(row))) => {
                found.creators.extend(row.map(|it| (it.creator_id, it)));
            }
            Some(Ok(Row::Product(row))) => {
                found.products.extend(row.map(|it| (it.product_id, it)));
            }
            Some(Err(error)) => tracing::debug!(%error, "answered without a row beside a drop"),
        }
    }
}

/// Reads a row, once for all who ask at the same time.
async fn read(ctx: &Context, key: Key) -> Result<Row, Arc<StoreError>> {
    let (kept, store) = (&ctx.drop_embeds, &ctx.store);
    match key {
        Key::Creator(creator_id) => {
            let read = async {
                {
                    let found = store.get_creator(creator_id).await?;
                    Ok(found.filter(|it| !it.is_deleted()).map(Arc::new))
                }
            };
            let row = kept.creators.try_get_with(creator_id, read).await;
            row.map(Row::Creator)
        }
        Key::Product(product_id) => {
            let read = async { Ok(store.get_product(product_id).await?.map(Arc::new)) };
            let row = kept.products.try_get_with(product_id, read).await;
            row.map(Row::Product)
        }
    }
}
