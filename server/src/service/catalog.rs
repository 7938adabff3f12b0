//! Products: made, read, archived. Their row is the truth; the list that they are in is written after the answer.

use super::{Context, Error, Result, Violations, images, requests, requests::Fingerprint};
use crate::{
    domain::{
        AccountId, ImageId, Money, ProductId, RequestId, VariantId,
        id::part,
        image::Image,
        product::{Attribute, Product, ProductStatus, Variant},
        reason::Reason,
    },
    store::{
        Cas, Put, StoreError,
        outbox::{Entity, EntityKind},
        requests::RequestKey,
    },
};

/// Races that a call loses before it gives up. A race is lost to another change of the same product, so somebody got on.
pub(super) const TRIES_MAX: usize = 16;

/// A product to be made.
#[derive(Debug, Clone)]
pub struct CreateProduct {
    /// The client's key.
    pub request_id: RequestId,
    /// What people read.
    pub title: String,
    /// What people read below the title.
    pub description: String,
    /// Words to find it by, in lower case, each once.
    pub tags: Vec<String>,
    /// Facts about it, each name once.
    pub attributes: Vec<Attribute>,
    /// Price of variants without one of their own.
    pub price: Money,
    /// 1 to 100 variants, all new.
    pub variants: Vec<WishedVariant>,
    /// At most 20 pictures; none comes twice.
    pub image_ids: Vec<ImageId>,
}

/// A variant as it shall be. Its own price is in the product's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishedVariant {
    /// Which one; `None` = a new one.
    pub variant_id: Option<VariantId>,
    /// What sets it apart.
    pub title: String,
    /// The creator's article number.
    pub sku: String,
    /// What the buyer chooses, each name once.
    pub options: Vec<Attribute>,
    /// Its own price.
    pub price: Option<Money>,
}

impl WishedVariant {
    /// As it is stored.
    pub(super) fn named(self, variant_id: VariantId) -> Variant {
        Variant {
            variant_id,
            title: self.title,
            sku: self.sku,
            options: self.options,
            price_minor: self.price.map(|price| price.amount_minor),
        }
    }
}

impl CreateProduct {
    fn fingerprint(&self) -> [u8; 32] {
        let print = Fingerprint::new("CreateProduct")
            .text(&self.title)
            .text(&self.description)
            .text(self.price.currency.as_str())
            .number(self.price.amount_minor)
            .number(length(self.tags.len()));
        let print = self.tags.iter().fold(print, |print, tag| print.text(tag));
        let print = print_pairs(print, &self.attributes).number(length(self.variants.len()));
        let variants = self.variants.iter().fold(print, |print, variant| {
            let price = variant.price.map_or(-1, |price| price.amount_minor);
            let print = print.text(&variant.title).text(&variant.sku).number(price);
            print_pairs(print, &variant.options)
        });
        // Only if there are any: without, it is what it was before there were images.
        let images = self.image_ids.iter();
        let print = images.fold(variants, |print, image| print.bytes(image.as_bytes()));
        print.finish()
    }

    fn into_row(
        self,
        ctx: &Context,
        product_id: ProductId,
        creator_id: AccountId,
        images: Vec<Image>,
    ) -> Product {
        // Ids follow from the product's, so that a repeat of the call makes the same variants.
        let variants = self.variants.into_iter().enumerate();
        let variants =
            variants.map(|(i, variant)| variant.named(VariantId::new(part(product_id.uuid(), i))));
        let now = ctx.env.now();
        Product {
            product_id,
            creator_id,
            version: 1,
            op_id: ctx.env.uuid(),
            title: self.title,
            description: self.description,
            status: ProductStatus::Active,
            tags: self.tags,
            attributes: self.attributes,
            currency: self.price.currency,
            price_minor: self.price.amount_minor,
            variants: variants.collect(),
            images,
            created_at: now,
            updated_at: now,
        }
    }
}

fn length(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

fn print_pairs(print: Fingerprint, pairs: &[Attribute]) -> Fingerprint {
    let print = print.number(length(pairs.len()));
    let pair = |print: Fingerprint, it: &Attribute| print.text(&it.name).text(&it.value);
    pairs.iter().fold(print, pair)
}

/// Makes a product.
///
/// # Errors
/// As `CreateProduct` of the contract.
pub async fn create(ctx: &Context, caller: AccountId, wish: CreateProduct) -> Result<Product> {
    if ctx.creator(caller).await?.is_none() {
        return Err(Error::refused(Reason::NotCreator, "become a creator first"));
    }
    let key = RequestKey {
        caller_id: Some(caller),
        method: "CreateProduct",
        request_id: wish.request_id,
    };
    let claimed = requests::claim(ctx, key, wish.fingerprint(), || ctx.env.uuid()).await?;
    let product_id = ProductId::new(claimed.entity_id);
    if claimed.is_replay
        && let Some(product) = ctx.store.get_product(product_id).await?
    {
        return Ok(product);
    }
    // First the pictures, then the row: of a call that dies between, a picture is left that nobody sees.
    let mut found = Violations::default();
    let images = images::wished(ctx, caller, &[], &wish.image_ids, &mut found).await?;
    if !found.is_empty() {
        return Err(found.into());
    }
    let product = wish.into_row(ctx, product_id, caller, images);
    let insert = ctx.store.insert_product(&product);
    let insert = ctx.outbox.change(entity(product_id), product.op_id, insert);
    Ok(match insert.await? {
        Put::Done => product,
        Put::Exists(first) => first,
    })
}

/// Reads a product.
///
/// # Errors
/// As `GetProduct` of the contract.
pub async fn get(ctx: &Context, product_id: ProductId) -> Result<Product> {
    let product = ctx.store.get_product(product_id).await?;
    product.ok_or_else(|| not_found(product_id))
}

/// Takes a product out of the catalog.
///
/// # Errors
/// As `ArchiveProduct` of the contract.
pub async fn archive(ctx: &Context, caller: AccountId, product_id: ProductId) -> Result<Product> {
    let mut product = owned(ctx, caller, product_id).await?;
    for _ in 0..TRIES_MAX {
        if product.status == ProductStatus::Archived {
            return Ok(product);
        }
        let next = Product {
            status: ProductStatus::Archived,
            ..changed(ctx, product)
        };
        match replace(ctx, &next).await? {
            Cas::Done => return Ok(next),
            Cas::Stale(Some(newer)) => product = newer,
            Cas::Stale(None) => return Err(not_found(product_id)),
        }
    }
    Err(Error::outrun("product"))
}

/// Names a product's version.
#[must_use]
pub fn etag(product: &Product) -> String {
    product.version.to_string()
}

/// Reads a product, for its owner.
pub(super) async fn owned(
    ctx: &Context,
    caller: AccountId,
    product_id: ProductId,
) -> Result<Product> {
    let product = get(ctx, product_id).await?;
    must_own(caller, &product)?;
    Ok(product)
}

/// Refuses callers who are not the product's creator.
pub(super) fn must_own(caller: AccountId, product: &Product) -> Result<()> {
    if product.creator_id == caller {
        return Ok(());
    }
    Err(Error::Refused {
        reason: Reason::NotOwner,
        message: "this product is another creator's: choose one of your own".to_owned(),
        metadata: vec![("productId", product.product_id.to_string())],
    })
}

/// The next version of a product, with nothing changed yet.
pub(super) fn changed(ctx: &Context, product: Product) -> Product {
    Product {
        version: product.version + 1,
        op_id: ctx.env.uuid(),
        updated_at: ctx.env.now().max(product.updated_at),
        ..product
    }
}

pub(super) async fn replace(
    ctx: &Context,
    next: &Product,
) -> std::result::Result<Cas<Product>, StoreError> {
    let update = ctx.store.update_product(next);
    let entity = entity(next.product_id);
    ctx.outbox.change(entity, next.op_id, update).await
}

fn entity(product_id: ProductId) -> Entity {
    Entity {
        kind: EntityKind::Product,
        id: product_id.uuid(),
    }
}

pub(super) fn not_found(product_id: ProductId) -> Error {
    Error::not_found(Reason::ProductNotFound, "product", product_id)
}

pub(super) fn archived(product_id: ProductId) -> Error {
    Error::Refused {
        reason: Reason::ProductArchived,
        message: "this product is archived for good: make a new one".to_owned(),
        metadata: vec![("productId", product_id.to_string())],
    }
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
