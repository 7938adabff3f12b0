//! What a drop is to sell: variants of its creator's products, or things that are in no catalog. What is decided here is written into the
//! drop's row: a later change of a product changes no drop.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Context, Error, Result, Violation, Violations, catalog, requests::Fingerprint};
use crate::{
    domain::{
        AccountId, Currency, DropId, ItemId, ProductId,
        drop::Item,
        id::part,
        product::{ItemProduct, Product, ProductStatus},
    },
    store::StoreError,
};

/// Products read at once.
const PRODUCTS_AT_ONCE: usize = 16;

/// An item of a drop to be made.
#[derive(Debug, Clone)]
pub struct ScheduleItem {
    /// What buyers read; `None` = by the product.
    pub title: Option<String>,
    /// Units offered.
    pub stock: i64,
    /// Price of a unit, in minor units; `None` = by the product.
    pub unit_price_minor: Option<i64>,
    /// Most units per buyer; 0 = no limit.
    pub limit_per_buyer: i32,
    /// The variant that it is, if it is one.
    pub product: Option<ItemProduct>,
}

/// Adds the items to the fingerprint of the call that makes their drop.
pub(super) fn print(mut print: Fingerprint, items: &[ScheduleItem]) -> Fingerprint {
    print = print.number(i64::try_from(items.len()).unwrap_or(i64::MAX));
    for item in items {
        print = print
            .text(item.title.as_deref().unwrap_or_default())
            .number(item.stock)
            .number(item.unit_price_minor.unwrap_or(-1))
            .number(i64::from(item.limit_per_buyer));
        if let Some(product) = item.product {
            print = print
                .bytes(product.product_id.as_bytes())
                .bytes(product.variant_id.as_bytes());
        }
    }
    print
}

/// The items of a drop, complete but for their ids.
#[derive(Debug)]
pub struct Offer {
    /// Currency of all prices.
    pub currency: Currency,
    pub(super) items: Vec<OfferedItem>,
}

/// An item with title and price.
#[derive(Debug, Clone)]
pub(super) struct OfferedItem {
    title: String,
    unit_price_minor: i64,
    wish: ScheduleItem,
}

impl Offer {
    /// The items of this drop. Their ids follow from the drop's, so that a repeat of the call makes the same row.
    #[must_use]
    pub fn into_items(self, drop_id: DropId) -> Vec<Item> {
        let item =
            |(i, item): (usize, OfferedItem)| item.into_item(ItemId::new(part(drop_id.uuid(), i)));
        self.items.into_iter().enumerate().map(item).collect()
    }
}

impl OfferedItem {
    /// The item, with its id.
    pub(super) fn into_item(self, item_id: ItemId) -> Item {
        Item {
            item_id,
            title: self.title,
            stock: self.wish.stock,
            unit_price_minor: self.unit_price_minor,
            limit_per_buyer: self.wish.limit_per_buyer,
            product: self.wish.product,
        }
    }
}

/// Completes the items of a creator's drop from the products that they name. `currency` is that of the prices that are given.
/// `within` each item of the request is what the contract calls a `ScheduleDropItem`. `violations` are those that were found before; all are
/// told at once.
///
/// # Errors
/// `Invalid`; `PRODUCT_NOT_FOUND`, `NOT_OWNER`, `PRODUCT_ARCHIVED` by the first product that is no good.
pub async fn offer(
    ctx: &Context,
    creator_id: AccountId,
    currency: Option<Currency>,
    items: &[ScheduleItem],
    within: &str,
    violations: Vec<Violation>,
) -> Result<Offer> {
    let products = products(ctx, items).await?;
    let mut found = Violations::default();
    found.extend(violations);
    let (mut currency, mut refusal) = (currency, None);
    let mut offered = Vec::with_capacity(items.len());
    for (i, wish) in items.iter().enumerate() {
        let product = wish.product.map(|it| usable(&products, creator_id, it));
        let product = match product.transpose() {
            Ok(product) => product,
            Err(error) => {
                refusal.get_or_insert(error);
                continue;
            }
        };
        let mut item = Completing {
            index: i,
            within,
            currency: &mut currency,
            found: &mut found,
        };
        let title = item.title(wish, product);
        let price = item.price(wish, product);
        if let (Some(title), Some(unit_price_minor)) = (title, price) {
            offered.push(OfferedItem {
                title,
                unit_price_minor,
                wish: wish.clone(),
            });
        }
    }
    if !found.is_empty() {
        return Err(found.into());
    }
    match (currency, refusal) {
        (_, Some(refusal)) => Err(refusal),
        (Some(currency), None) => Ok(Offer {
            currency,
            items: offered,
        }),
        (None, None) => Err(Error::invalid("items", "must have 1 to 100 items")),
    }
}

/// The products that are named, each read once.
async fn products(
    ctx: &Context,
    items: &[ScheduleItem],
) -> std::result::Result<BTreeMap<ProductId, Product>, StoreError> {
    let ids = items.iter().filter_map(|item| item.product);
    let mut ids: Vec<_> = ids.map(|product| product.product_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let read = |product_id| async move {
        let product = ctx.store.get_product(product_id).await?;
        Ok::<_, StoreError>(product.map(|product| (product_id, product)))
    };
    let read = stream::iter(ids).map(read).buffered(PRODUCTS_AT_ONCE);
    let found: Vec<_> = read.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The product, if the creator may offer it.
fn usable(
    products: &BTreeMap<ProductId, Product>,
    creator_id: AccountId,
    named: ItemProduct,
) -> Result<(&Product, ItemProduct)> {
    let product_id = named.product_id;
    let product = products.get(&product_id);
    let product = product.ok_or_else(|| catalog::not_found(product_id))?;
    catalog::must_own(creator_id, product)?;
    match product.status {
        ProductStatus::Active => Ok((product, named)),
        ProductStatus::Archived => Err(catalog::archived(product_id)),
    }
}

/// One item on its way to be complete.
struct Completing<'a> {
    index: usize,
    within: &'a str,
    currency: &'a mut Option<Currency>,
    found: &'a mut Violations,
}

impl Completing<'_> {
    fn note(&mut self, field: &str, rule: &str) {
        let field = format!("items[{}]{}.{field}", self.index, self.within);
        self.found.note(&field, rule);
    }

    fn title(
        &mut self,
        wish: &ScheduleItem,
        product: Option<(&Product, ItemProduct)>,
    ) -> Option<String> {
        let variant = match product {
            Some((product, named)) => {
                let variant = product.variant(named.variant_id);
                if variant.is_none() {
                    self.note("variant_id", "must be a variant of the product");
                }
                Some((product, variant?))
            }
            None => None,
        };
        let by_product = || variant.map(|(product, variant)| product.item_title(variant));
        let title = wish.title.clone().or_else(by_product);
        if title.is_none() {
            self.note("title", "must be given for an item without a product");
        }
        title
    }

    fn price(
        &mut self,
        wish: &ScheduleItem,
        product: Option<(&Product, ItemProduct)>,
    ) -> Option<i64> {
        if wish.unit_price_minor.is_some() {
            return wish.unit_price_minor;
        }
        let Some((product, named)) = product else {
            self.note("unit_price", "must be given for an item without a product");
            return None;
        };
        let currency = *self.currency.get_or_insert(product.currency);
        if currency != product.currency {
            self.note(
                "unit_price",
                "must be given: the product's price is in another currency than the other items'",
            );
            return None;
        }
        let variant = product.variant(named.variant_id)?;
        Some(product.unit_price_minor(variant))
    }
}
