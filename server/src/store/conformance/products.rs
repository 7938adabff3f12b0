//! Products: put if absent, compare-and-set on the version, and the list of a creator's.

use std::time::Duration;

use uuid::Uuid;

use super::{
    pages::{self, first_100},
    samples::{NOW, id, image, product},
};
use crate::{
    domain::{
        AccountId, ProductId, VariantId,
        image::ImageType,
        product::{Product, ProductStatus, Variant},
    },
    store::{Cas, Put, SharedStore},
};

/// The first row stays; a later one is told which it is.
pub async fn products_are_put_if_absent(store: &SharedStore) {
    let first = product();
    let other = Product {
        title: "another".to_owned(),
        op_id: id(),
        ..first.clone()
    };
    let product_id = first.product_id;
    assert_eq!(store.get_product(product_id).await.unwrap(), None);
    assert_eq!(store.insert_product(&first).await.unwrap(), Put::Done);
    for late in [&first, &other] {
        let late = store.insert_product(late).await.unwrap();
        assert_eq!(late, Put::Exists(first.clone()));
    }
    assert_eq!(store.get_product(product_id).await.unwrap(), Some(first));
    let nothing = store.get_product(ProductId::new(id())).await.unwrap();
    assert_eq!(nothing, None);
}

/// Every field comes back, however little or much is in it.
pub async fn products_come_back_as_put(store: &SharedStore) {
    let variant = |number: i64| Variant {
        variant_id: VariantId::new(id()),
        price_minor: (number % 2 == 0).then_some(number),
        ..product().variants[0].clone()
    };
    let bare = Product {
        title: String::new(),
        description: String::new(),
        status: ProductStatus::Archived,
        tags: Vec::new(),
        attributes: Vec::new(),
        variants: Vec::new(),
        images: Vec::new(),
        price_minor: 0,
        ..product()
    };
    let full = Product {
        tags: (0..20).map(|number| format!("tag {number}")).collect(),
        variants: (0..100).map(variant).collect(),
        images: (0..20).map(|_| image(ImageType::Jpeg)).collect(),
        price_minor: i64::MAX,
        ..product()
    };
    for product in [bare, full] {
        assert_eq!(store.insert_product(&product).await.unwrap(), Put::Done);
        let found = store.get_product(product.product_id).await.unwrap();
        assert_eq!(found, Some(product));
    }
}

/// Only the next version replaces a row; the same change again counts as done and changes nothing.
pub async fn products_change_by_version(store: &SharedStore) {
    let first = product();
    let second = Product {
        version: 2,
        op_id: id(),
        status: ProductStatus::Archived,
        tags: Vec::new(),
        ..first.clone()
    };
    let absent = store.update_product(&second).await.unwrap();
    assert_eq!(absent, Cas::Stale(None));
    assert_eq!(store.insert_product(&first).await.unwrap(), Put::Done);
    assert_eq!(store.update_product(&second).await.unwrap(), Cas::Done);
    assert_eq!(store.update_product(&second).await.unwrap(), Cas::Done);
    for version in [2, 1, 4] {
        let stale = Product {
            version,
            op_id: id(),
            ..first.clone()
        };
        let stale = store.update_product(&stale).await.unwrap();
        assert_eq!(stale, Cas::Stale(Some(second.clone())), "{version}");
    }
    let found = store.get_product(first.product_id).await.unwrap();
    assert_eq!(found, Some(second));
}

/// A creator's products are listed by time and id, up and down, once however often they are put.
pub async fn creator_products_page_both_ways(store: &SharedStore) {
    let creator_id = AccountId::new(id());
    let mut rows: Vec<_> = (0..7)
        .map(|i| (NOW + Duration::from_micros(i / 2), ProductId::new(id())))
        .collect();
    rows.sort();
    for (created_at, product_id) in rows.iter().rev().chain(&rows) {
        let put = store.put_creator_product(creator_id, *created_at, *product_id);
        put.await.unwrap();
    }
    let between = (NOW, ProductId::new(Uuid::max()));
    pages::go_both_ways(
        &rows,
        between,
        |row| *row,
        async |page| store.list_creator_products(creator_id, page).await,
    )
    .await;
}

/// A creator's list has nobody else's products.
pub async fn creators_products_are_apart(store: &SharedStore) {
    let rows = [(); 2].map(|()| (AccountId::new(id()), (NOW, ProductId::new(id()))));
    for (creator_id, (created_at, product_id)) in rows {
        let put = store.put_creator_product(creator_id, created_at, product_id);
        put.await.unwrap();
    }
    for (creator_id, row) in rows {
        let listed = store.list_creator_products(creator_id, first_100()).await;
        assert_eq!(listed.unwrap(), [row]);
    }
    let nobody = AccountId::new(id());
    let listed = store.list_creator_products(nobody, first_100()).await;
    assert_eq!(listed.unwrap(), []);
}
