//! Drops with all that a page needs beside them.

use std::collections::BTreeSet;

use livedrop_proto::v1;
use prost::Message as _;

use super::{account_answer, catalog_answer, drop_answer};
use crate::{
    domain::{DropId, VariantId, drop::Drop, product::Product},
    media::Media,
    service::{
        Context,
        drop_embeds::{self, Embedded},
        drops::DropDetails,
    },
};

/// Bytes of products in one answer: a quarter of the largest.
const PRODUCTS_BYTES_MAX: usize = 1 << 20;

/// The drop, its creator and its products.
pub(super) async fn whole(ctx: &Context, details: &DropDetails) -> v1::Drop {
    let mut drops = wholes(ctx, std::slice::from_ref(details)).await;
    drops.pop().unwrap_or_default()
}

/// Each of these drops, with its creator and its products.
pub(super) async fn wholes(ctx: &Context, details: &[DropDetails]) -> Vec<v1::Drop> {
    let rows: Vec<_> = details.iter().map(|it| &*it.drop).collect();
    let found = Box::pin(drop_embeds::beside(ctx, &rows)).await;
    let mut bytes_left = PRODUCTS_BYTES_MAX;
    let whole = |it: &DropDetails| {
        let creator = found.creators.get(&it.drop.creator_id);
        v1::Drop {
            creator: creator.map(|it| account_answer::creator(it.as_ref().clone())),
            products: products(&ctx.media, &it.drop, &found, &mut bytes_left),
            ..drop_answer::drop(it)
        }
    };
    details.iter().map(whole).collect()
}

/// The drops that were asked for by these ids.
pub(super) async fn batch(
    ctx: &Context,
    drop_ids: &[DropId],
    found: Vec<Option<DropDetails>>,
) -> v1::BatchGetDropsResponse {
    let missing = drop_ids.iter().zip(&found).filter(|(_, it)| it.is_none());
    let missing_drop_ids = missing.map(|(drop_id, _)| drop_id.to_string()).collect();
    let found: Vec<_> = found.into_iter().flatten().collect();
    v1::BatchGetDropsResponse {
        drops: wholes(ctx, &found).await,
        missing_drop_ids,
    }
}

/// The products that the drop's items name, in the items' order, as far as there is room.
fn products(
    media: &Media,
    drop: &Drop,
    found: &Embedded,
    bytes_left: &mut usize,
) -> Vec<v1::Product> {
    let named = || drop.items.iter().filter_map(|item| item.product);
    let variants: BTreeSet<_> = named().map(|it| it.variant_id).collect();
    let mut told = BTreeSet::new();
    let mut products = Vec::new();
    for product_id in named().map(|it| it.product_id) {
        if !told.insert(product_id) {
            continue;
        }
        let Some(product) = found.products.get(&product_id) else {
            continue;
        };
        let product = with_variants(media, product, &variants);
        let Some(left) = bytes_left.checked_sub(product.encoded_len()) else {
            continue;
        };
        *bytes_left = left;
        products.push(product);
    }
    products
}

/// The product without the variants that are not on the page.
fn with_variants(media: &Media, product: &Product, wanted: &BTreeSet<VariantId>) -> v1::Product {
    let variants = product.variants.iter();
    let variants = variants.filter(|variant| wanted.contains(&variant.variant_id));
    let variants = variants.cloned().collect();
    let product = Product {
        variants,
        ..product.clone()
    };
    catalog_answer::product(media, &product)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        auth::Keys,
        domain::product::ItemProduct,
        env::SystemEnv,
        store::conformance::samples::{drop, product},
    };

    #[test]
    fn each_product_comes_once_with_the_variants_that_are_sold_while_there_is_room() {
        let products_of = [(); 3].map(|()| Product {
            description: "x".repeat(1_000),
            ..product()
        });
        let mut drop = drop();
        let item = drop.items[0].clone();
        let named = |product: &Product, variant: usize| crate::domain::drop::Item {
            product: Some(ItemProduct {
                product_id: product.product_id,
                variant_id: product.variants[variant].variant_id,
            }),
            ..item.clone()
        };
        let [first, second, unread] = &products_of;
        drop.items = vec![
            named(second, 1),
            item.clone(),
            named(first, 0),
            named(unread, 0),
            named(second, 0),
        ];
        let mut found = Embedded::default();
        for product in [first, second] {
            let product = Arc::new(product.clone());
            found.products.insert(product.product_id, product);
        }
        let keys = Arc::new(Keys::generate().unwrap());
        let media = Media::in_memory(keys, Arc::new(SystemEnv));
        let told = |mut bytes: usize| {
            let products = products(&media, &drop, &found, &mut bytes).into_iter();
            let short = |it: v1::Product| (it.product_id, it.variants.len());
            products.map(short).collect::<Vec<_>>()
        };
        let all = [(second.product_id, 2), (first.product_id, 1)];
        let all = all.map(|(id, variants)| (id.to_string(), variants));
        assert_eq!(told(usize::MAX), all);
        assert_eq!(told(2_000), all[..1]);
        assert_eq!(told(0), []);
    }
}
