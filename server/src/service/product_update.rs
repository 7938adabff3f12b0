//! Changing a product: the fields that are named, by compare-and-set. Variants that stay keep their ids.

use super::{
    Context, Error, Result, Violations,
    catalog::{self, TRIES_MAX, WishedVariant},
    images,
};
use crate::{
    domain::{
        AccountId, Currency, ImageId, Money, ProductId, VariantId,
        image::Image,
        product::{Attribute, Product, ProductStatus, Variant},
        reason::Reason,
    },
    store::Cas,
};

/// What a product shall be like. What is `None` stays.
#[derive(Debug, Clone)]
pub struct UpdateProduct {
    /// Which product.
    pub product_id: ProductId,
    /// The version that the caller has seen; empty = any.
    pub etag: String,
    /// What people read.
    pub title: Option<String>,
    /// What people read below the title.
    pub description: Option<String>,
    /// Words to find it by, in lower case, each once.
    pub tags: Option<Vec<String>>,
    /// Facts about it, each name once.
    pub attributes: Option<Vec<Attribute>>,
    /// Price of variants without one of their own.
    pub price: Option<Money>,
    /// 1 to 100 variants; no id comes twice.
    pub variants: Option<Vec<WishedVariant>>,
    /// At most 20 pictures; none comes twice.
    pub image_ids: Option<Vec<ImageId>>,
}

/// Changes a product.
///
/// # Errors
/// As `UpdateProduct` of the contract.
pub async fn update(ctx: &Context, caller: AccountId, wish: UpdateProduct) -> Result<Product> {
    let mut product = catalog::owned(ctx, caller, wish.product_id).await?;
    for _ in 0..TRIES_MAX {
        // Also a repeat, whose first try has changed the etag.
        if wish.is_met_by(&product) {
            return Ok(product);
        }
        if product.status == ProductStatus::Archived {
            return Err(catalog::archived(product.product_id));
        }
        let etag = catalog::etag(&product);
        if !wish.etag.is_empty() && wish.etag != etag {
            return Err(stale(product.product_id, etag));
        }
        let mut found = Violations::default();
        let images = wish.images(ctx, &product, &mut found).await?;
        let new_id = || VariantId::new(ctx.env.uuid());
        let next = catalog::changed(ctx, product);
        let next = wish.applied_to(next, images, found, new_id)?;
        match catalog::replace(ctx, &next).await? {
            Cas::Done => return Ok(next),
            Cas::Stale(Some(newer)) => product = newer,
            Cas::Stale(None) => return Err(catalog::not_found(wish.product_id)),
        }
    }
    Err(Error::outrun("product"))
}

impl UpdateProduct {
    /// Whether there is nothing to change.
    fn is_met_by(&self, product: &Product) -> bool {
        fn is<T: PartialEq>(wish: Option<&T>, is: &T) -> bool {
            wish.is_none_or(|wish| wish == is)
        }
        let price = Money {
            currency: product.currency,
            amount_minor: product.price_minor,
        };
        is(self.title.as_ref(), &product.title)
            && is(self.description.as_ref(), &product.description)
            && is(self.tags.as_ref(), &product.tags)
            && is(self.attributes.as_ref(), &product.attributes)
            && is(self.price.as_ref(), &price)
            && self
                .image_ids
                .as_ref()
                .is_none_or(|wish| wish.iter().eq(product.images.iter().map(|it| &it.image_id)))
            && self.variants.as_ref().is_none_or(|wish| {
                let mut pairs = wish.iter().zip(&product.variants);
                wish.len() == product.variants.len()
                    && pairs.all(|(wish, it)| is_same(wish, it, product.currency))
            })
    }

    /// The pictures that the product shall have.
    async fn images(
        &self,
        ctx: &Context,
        product: &Product,
        found: &mut Violations,
    ) -> Result<Vec<Image>> {
        let Some(wished) = &self.image_ids else {
            return Ok(product.images.clone());
        };
        images::wished(ctx, product.creator_id, &product.images, wished, found).await
    }

    /// `found`: what is wrong so far.
    fn applied_to(
        &self,
        product: Product,
        images: Vec<Image>,
        mut found: Violations,
        mut new_id: impl FnMut() -> VariantId,
    ) -> Result<Product> {
        let currency = self.price.map_or(product.currency, |price| price.currency);
        let has_own_prices = product.variants.iter().any(|it| it.price_minor.is_some());
        if self.variants.is_none() && currency != product.currency && has_own_prices {
            found.note(
                "price.currency_code",
                "must stay what it is while variants have prices of their own: change these too",
            );
        }
        for (i, variant) in self.variants.iter().flatten().enumerate() {
            let field = |name: &str| format!("variants[{i}].{name}");
            if let Some(id) = variant.variant_id
                && product.variant(id).is_none()
            {
                found.note(&field("variant_id"), "must be a variant of the product");
            }
            if variant
                .price
                .is_some_and(|price| price.currency != currency)
            {
                found.note(&field("price.currency_code"), "must be the product's");
            }
        }
        if !found.is_empty() {
            return Err(found.into());
        }
        let wish = self.clone();
        let named = |variant: WishedVariant| {
            let variant_id = variant.variant_id.unwrap_or_else(&mut new_id);
            variant.named(variant_id)
        };
        let variants = wish.variants.map(|it| it.into_iter().map(named).collect());
        Ok(Product {
            title: wish.title.unwrap_or(product.title),
            description: wish.description.unwrap_or(product.description),
            tags: wish.tags.unwrap_or(product.tags),
            attributes: wish.attributes.unwrap_or(product.attributes),
            currency,
            price_minor: (wish.price).map_or(product.price_minor, |price| price.amount_minor),
            variants: variants.unwrap_or(product.variants),
            images,
            ..product
        })
    }
}

/// Whether a variant is as wished. A new one may have been made by the first try of the call.
fn is_same(wish: &WishedVariant, variant: &Variant, currency: Currency) -> bool {
    let price = variant.price_minor.map(|amount_minor| Money {
        currency,
        amount_minor,
    });
    wish.variant_id.is_none_or(|id| id == variant.variant_id)
        && wish.title == variant.title
        && wish.sku == variant.sku
        && wish.options == variant.options
        && wish.price == price
}

fn stale(product_id: ProductId, etag: String) -> Error {
    Error::Refused {
        reason: Reason::StaleEtag,
        message: "the product has changed since: read it, and change what it is now".to_owned(),
        metadata: vec![("productId", product_id.to_string()), ("etag", etag)],
    }
}
