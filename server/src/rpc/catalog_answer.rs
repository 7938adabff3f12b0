//! Products as the contract shows them.

use livedrop_proto::v1;

use super::{
    fields::{to_money, to_time},
    product_page::ListOf,
};
use crate::{
    domain::{
        image::Image,
        product::{Attribute, Product, ProductStatus, Variant},
    },
    media::Media,
    service::{Context, catalog, images::ImageUpload, product_lists::ProductsPage},
};

/// The product.
pub(super) fn product(media: &Media, product: &Product) -> v1::Product {
    let variant = |it: &Variant| v1::ProductVariant {
        variant_id: it.variant_id.to_string(),
        title: it.title.clone(),
        sku: it.sku.clone(),
        options: attributes(&it.options),
        price: it
            .price_minor
            .map(|minor| to_money(product.currency, minor)),
    };
    let image = |it: &Image| v1::Image {
        image_id: it.image_id.to_string(),
        url: media.url(product.creator_id, it),
        content_type: it.content_type.as_str().to_owned(),
        width: it.width,
        height: it.height,
        size_bytes: it.size_bytes,
    };
    v1::Product {
        product_id: product.product_id.to_string(),
        creator_id: product.creator_id.to_string(),
        title: product.title.clone(),
        description: product.description.clone(),
        status: status(product.status).into(),
        tags: product.tags.clone(),
        attributes: attributes(&product.attributes),
        price: Some(to_money(product.currency, product.price_minor)),
        variants: product.variants.iter().map(variant).collect(),
        etag: catalog::etag(product),
        created_at: Some(to_time(product.created_at)),
        updated_at: Some(to_time(product.updated_at)),
        images: product.images.iter().map(image).collect(),
    }
}

/// Where to send a picture.
pub(super) fn upload(upload: ImageUpload) -> v1::CreateImageUploadResponse {
    let target = upload.target;
    let content_type = target.content_type.as_str().to_owned();
    v1::CreateImageUploadResponse {
        image_id: upload.image_id.to_string(),
        upload_url: target.url,
        headers: [("Content-Type".to_owned(), content_type)].into(),
        expires_at: Some(to_time(target.expires_at)),
    }
}

/// The products.
pub(super) fn products(ctx: &Context, products: &[Product]) -> Vec<v1::Product> {
    products.iter().map(|it| product(&ctx.media, it)).collect()
}

/// A page of a creator's products.
pub(super) fn page(ctx: &Context, list: ListOf, page: &ProductsPage) -> v1::ListProductsResponse {
    let token = page.next.map(|place| list.token(&ctx.keys, place));
    v1::ListProductsResponse {
        products: products(ctx, &page.products),
        next_page_token: token.unwrap_or_default(),
    }
}

fn attributes(attributes: &[Attribute]) -> Vec<v1::ProductAttribute> {
    let attribute = |it: &Attribute| v1::ProductAttribute {
        name: it.name.clone(),
        value: it.value.clone(),
    };
    attributes.iter().map(attribute).collect()
}

fn status(status: ProductStatus) -> v1::ProductStatus {
    match status {
        ProductStatus::Active => v1::ProductStatus::Active,
        ProductStatus::Archived => v1::ProductStatus::Archived,
    }
}
