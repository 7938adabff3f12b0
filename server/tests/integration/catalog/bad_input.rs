//! What bad requests about products get: all violations at once.

use livedrop::v1;

use super::{create_product, id_of, list_of, update, update_of};
use crate::{
    bad_input::fields,
    harness::{Server, eventually, product_request, request_id},
};

fn pair(name: &str, value: &str) -> v1::ProductAttribute {
    v1::ProductAttribute {
        name: name.into(),
        value: value.into(),
    }
}

fn money(currency_code: &str, amount_minor: i64) -> Option<v1::Money> {
    Some(v1::Money {
        currency_code: currency_code.into(),
        amount_minor,
    })
}

#[tokio::test]
async fn all_violations_of_a_new_product_come_at_once() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let empty = v1::CreateProductRequest {
        request_id: "x".into(),
        ..Default::default()
    };
    let found = fields(creator.create_product(empty).await);
    assert_eq!(found, ["price", "request_id", "title", "variants"]);

    let variant = |title: &str, price| v1::ProductVariant {
        title: title.into(),
        price,
        ..Default::default()
    };
    let wrong = v1::CreateProductRequest {
        request_id: "x".into(),
        title: "a\u{7}b".into(),
        description: "x".repeat(5_001),
        tags: vec!["ok".into(), "  ".into(), "x".repeat(41)],
        attributes: vec![
            pair("size", "M"),
            pair("", "M"),
            pair("size", "L"),
            pair("colour", &"x".repeat(201)),
        ],
        price: money("EUR", -1),
        variants: vec![
            v1::ProductVariant {
                variant_id: request_id(),
                ..variant("a", None)
            },
            variant(&"x".repeat(121), money("EURO", 1)),
            v1::ProductVariant {
                sku: "x".repeat(65),
                options: vec![pair("a", "b"); 2],
                ..variant("\u{202e}", money("USD", 100_000_001))
            },
            v1::ProductVariant {
                options: (0..11).map(|it| pair(&it.to_string(), "x")).collect(),
                ..variant("", None)
            },
        ],
        image_ids: vec!["x".into()],
    };
    let expected = [
        "attributes[1].name",
        "attributes[2].name",
        "attributes[3].value",
        "description",
        "image_ids[0]",
        "price.amount_minor",
        "request_id",
        "tags[1]",
        "tags[2]",
        "title",
        "variants[0].variant_id",
        "variants[1].price.currency_code",
        "variants[1].title",
        "variants[2].options[1].name",
        "variants[2].price.amount_minor",
        "variants[2].sku",
        "variants[2].title",
        "variants[3].options",
    ];
    assert_eq!(fields(creator.create_product(wrong).await), expected);

    let too_many = v1::CreateProductRequest {
        tags: vec!["x".into(); 21],
        attributes: (0..51).map(|it| pair(&it.to_string(), "x")).collect(),
        variants: vec![variant("", None); 101],
        ..product_request()
    };
    let found = fields(creator.create_product(too_many).await);
    assert_eq!(found, ["attributes", "tags", "variants"]);
    let two_currencies = v1::CreateProductRequest {
        variants: vec![variant("", money("EUR", 1)), variant("", money("USD", 1))],
        ..product_request()
    };
    let found = fields(creator.create_product(two_currencies).await);
    assert_eq!(found, ["variants[1].price.currency_code"]);
    server.stop().await;
}

#[tokio::test]
async fn a_product_may_have_a_hundred_variants() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let variant = |number: i64| v1::ProductVariant {
        title: format!("Number {number}"),
        price: money("EUR", number),
        ..Default::default()
    };
    let request = v1::CreateProductRequest {
        variants: (0..100).map(variant).collect(),
        ..product_request()
    };
    let mut product = create_product(&creator, request).await;
    assert_eq!(product.variants.len(), 100);
    product.variants.reverse();
    let turned = update(&creator, &product, &["variants"]).await.unwrap();
    assert_eq!(turned.variants, product.variants);
    server.stop().await;
}

#[tokio::test]
async fn all_violations_of_an_update_come_at_once() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let product = create_product(&creator, product_request()).await;
    let call =
        async |request: v1::UpdateProductRequest| fields(creator.update_product(request).await);
    assert_eq!(
        call(Default::default()).await,
        ["product_id", "update_mask"]
    );
    let wrong = v1::Product {
        product_id: "x".into(),
        title: String::new(),
        // Not named, so not looked at.
        description: "\u{7}".into(),
        price: None,
        ..product.clone()
    };
    let paths = ["title", "price", "prices", "variants.title", "*", "etag"];
    let expected = [
        "price",
        "product_id",
        "title",
        "update_mask.paths[2]",
        "update_mask.paths[3]",
        "update_mask.paths[4]",
        "update_mask.paths[5]",
    ];
    assert_eq!(call(update_of(&wrong, &paths)).await, expected);
    assert_eq!(call(update_of(&product, &[])).await, ["update_mask"]);

    let mut variants = product.variants.clone();
    variants.push(variants[0].clone());
    let twice = v1::Product {
        variants: variants.clone(),
        ..product.clone()
    };
    let found = call(update_of(&twice, &["variants"])).await;
    assert_eq!(found, ["variants[2].variant_id"]);
    variants[2].variant_id = request_id();
    variants[0].price = money("USD", 5);
    let unknown = v1::Product {
        variants,
        ..product.clone()
    };
    let found = call(update_of(&unknown, &["variants"])).await;
    let expected = ["variants[0].price.currency_code", "variants[2].variant_id"];
    assert_eq!(found, expected);
    // The large one has a price of its own, in euros.
    let dollars = v1::Product {
        price: money("USD", 5),
        ..product.clone()
    };
    let found = call(update_of(&dollars, &["price"])).await;
    assert_eq!(found, ["price.currency_code"]);
    let mut all_dollars = dollars;
    all_dollars.variants[1].price = money("USD", 6);
    let changed = update(&creator, &all_dollars, &["price", "variants"]).await;
    assert_eq!(changed.unwrap().price, money("USD", 5));
    server.stop().await;
}

#[tokio::test]
async fn a_list_takes_its_own_tokens_only() {
    use v1::ProductStatus::{Active, Archived};
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let (creator_id, other_id) = (id_of(&creator).await, id_of(&other).await);
    for _ in 0..3 {
        create_product(&creator, product_request()).await;
    }
    let first = v1::ListProductsRequest {
        page_size: 1,
        ..list_of(&creator_id, Active)
    };
    let token = eventually(async || {
        let page = creator.list_products(first.clone()).await.unwrap();
        Some(page.next_page_token).filter(|token| !token.is_empty())
    })
    .await;
    let call = async |list: v1::ListProductsRequest| fields(creator.list_products(list).await);
    for (list, page_token) in [
        (list_of(&other_id, Active), token.clone()),
        (list_of(&creator_id, Archived), token.clone()),
        (list_of(&creator_id, Active), token[1..].to_owned()),
        (list_of(&creator_id, Active), "x".repeat(300)),
    ] {
        let list = v1::ListProductsRequest { page_token, ..list };
        assert_eq!(call(list).await, ["page_token"]);
    }
    let all_wrong = v1::ListProductsRequest {
        creator_id: "x".into(),
        status: 7,
        page_size: -1,
        page_token: token,
    };
    assert_eq!(call(all_wrong).await, ["creator_id", "page_size", "status"]);
    let empty = fields(creator.get_product(Default::default()).await);
    assert_eq!(empty, ["product_id"]);
    let empty = fields(creator.archive_product(Default::default()).await);
    assert_eq!(empty, ["product_id"]);
    server.stop().await;
}
