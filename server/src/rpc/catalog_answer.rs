//! Products as the contract shows them.

use livedrop_proto::v1;

use super::{
    fields::{to_money, to_time},
    product_page::ListOf,
};
use crate::{
    auth::Keys,
    domain::product::{Attribute, Product, ProductStatus, Variant},
    service::{catalog, product_lists::ProductsPage},
};

/// The product.
pub(super) fn product(product: &Product) -> v1::Product {
    let variant = |it: &Variant| v1::ProductVariant {
        variant_id: it.variant_id.to_string(),
        title: it.title.clone(),
        sku: it.sku.clone(),
        options: attributes(&it.options),
        price: it
            .price_minor
            .map(|minor| to_money(product.currency, minor)),
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
    }
}

/// A page of a creator's products.
pub(super) fn page(keys: &Keys, list: ListOf, page: &ProductsPage) -> v1::ListProductsResponse {
    let token = page.next.map(|place| list.token(keys, place));
    v1::ListProductsResponse {
        products: page.products.iter().map(product).collect(),
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
