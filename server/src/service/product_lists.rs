//! Lists of products: a creator's, the newest first. Rows are listed after the answer that made them, so a list may lag.

use std::pin::pin;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Context, Error, Result};
use crate::{
    domain::{
        AccountId, ProductId, Timestamp,
        product::{Product, ProductStatus},
        reason::Reason,
    },
    store::{Order, PageRequest, StoreError},
};

/// Rows read at once.
const ROWS_AT_ONCE: usize = 16;
/// A page ends with the product that reaches this many bytes: with the largest product of all on top it is far from the largest answer.
const BYTES_MAX: usize = 1 << 20;

/// A product's place in its creator's list.
pub type ProductPlace = (Timestamp, ProductId);

/// A page of products.
#[derive(Debug)]
pub struct ProductsPage {
    /// The newest first; may be fewer than wanted, even none.
    pub products: Vec<Product>,
    /// After which place it goes on; `None` = there are no more.
    pub next: Option<ProductPlace>,
}

/// A creator's products of one status.
///
/// # Errors
/// As `ListProducts` of the contract.
pub async fn of_creator(
    ctx: &Context,
    caller: Option<AccountId>,
    creator_id: AccountId,
    status: ProductStatus,
    after: Option<ProductPlace>,
    size: usize,
) -> Result<ProductsPage> {
    may_see(caller, creator_id, status)?;
    let page = PageRequest {
        after,
        limit: size,
        order: Order::Descending,
    };
    let (creator, places) = futures::future::try_join(
        ctx.creator(creator_id),
        ctx.store.list_creator_products(creator_id, page),
    )
    .await?;
    if creator.is_none() {
        let reason = Reason::CreatorNotFound;
        return Err(Error::not_found(reason, "creator", creator_id));
    }
    let may_go_on = places.len() >= size;
    let read = |place: ProductPlace| async move {
        let product = ctx.store.get_product(place.1).await?;
        Ok::<_, StoreError>((place, product))
    };
    let mut rows = pin!(stream::iter(places).map(read).buffered(ROWS_AT_ONCE));
    let (mut products, mut bytes) = (Vec::new(), 0);
    let mut last = None;
    while let Some((place, product)) = rows.try_next().await? {
        last = Some(place);
        if let Some(product) = product.filter(|product| product.status == status) {
            bytes += product.weight();
            products.push(product);
        }
        if bytes >= BYTES_MAX {
            return Ok(ProductsPage {
                products,
                next: last,
            });
        }
    }
    let next = last.filter(|_| may_go_on);
    Ok(ProductsPage { products, next })
}

/// Everyone sees the active ones, their creator also the archived ones.
pub(super) fn may_see(
    caller: Option<AccountId>,
    creator_id: AccountId,
    status: ProductStatus,
) -> Result<()> {
    match (status, caller) {
        (ProductStatus::Active, _) => Ok(()),
        (ProductStatus::Archived, None) => Err(Error::Unauthenticated),
        (ProductStatus::Archived, Some(caller)) if caller == creator_id => Ok(()),
        (ProductStatus::Archived, Some(_)) => Err(Error::Refused {
            reason: Reason::NotOwner,
            message: "only the creator sees archived products: ask for your own".to_owned(),
            metadata: vec![("creatorId", creator_id.to_string())],
        }),
    }
}
