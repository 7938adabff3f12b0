//! Drops that sell variants of products.

use livedrop::{Client, v1};

use super::{archive, create_product, update};
use crate::{
    bad_input::fields,
    harness::{
        Server, drop_request, eventually, get_drop, item, place, product_request, reason,
        request_id, schedule,
    },
};

/// An item that says no more than it must.
fn variant_item(product: &v1::Product, variant: usize) -> v1::ScheduleDropItem {
    v1::ScheduleDropItem {
        product_id: product.product_id.clone(),
        variant_id: product.variants[variant].variant_id.clone(),
        stock: 5,
        ..Default::default()
    }
}

fn price(item: &v1::DropItem) -> i64 {
    item.unit_price.as_ref().unwrap().amount_minor
}

async fn profile(creator: &Client) -> Option<v1::Creator> {
    creator.get_me().await.unwrap().account.unwrap().creator
}

#[tokio::test]
async fn a_drop_sells_variants_and_shows_their_products() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let shirt = create_product(&creator, product_request()).await;
    let mug = v1::CreateProductRequest {
        title: "Mug".into(),
        variants: vec![v1::ProductVariant::default()],
        ..product_request()
    };
    let mug = create_product(&creator, mug).await;
    let own_words = v1::ScheduleDropItem {
        title: "Signed shirt".into(),
        ..v1::ScheduleDropItem {
            unit_price: item(5_000, 1).unit_price,
            ..variant_item(&shirt, 0)
        }
    };
    let request = drop_request(vec![
        variant_item(&shirt, 1),
        own_words,
        item(0, 3),
        variant_item(&mug, 0),
    ]);
    let drop = schedule(&creator, request.clone()).await;
    let items: Vec<_> = drop
        .items
        .iter()
        .map(|it| (&*it.title, price(it)))
        .collect();
    let expected = [
        ("Shirt \u{2013} L", 2_199),
        ("Signed shirt", 5_000),
        ("Thing", 0),
        ("Mug", 1_999),
    ];
    assert_eq!(items, expected);
    for (sold, wished) in drop.items.iter().zip(&request.items) {
        let ids = (&sold.product_id, &sold.variant_id);
        assert_eq!(ids, (&wished.product_id, &wished.variant_id));
    }
    let seen = get_drop(&server.stranger(), &drop).await;
    assert_eq!(seen.creator, profile(&creator).await);
    assert_eq!(seen.products, [shirt.clone(), mug.clone()]);
    assert_eq!(seen.items, drop.items);
    assert_eq!(seen.creator, drop.creator);
    place(&buyer, &drop, &[(0, 1), (2, 1)]).await.unwrap();

    // Only what is sold is shown.
    let second = drop_request(vec![variant_item(&shirt, 1)]);
    let second = schedule(&creator, second).await;
    let expected = v1::Product {
        variants: vec![shirt.variants[1].clone()],
        ..shirt.clone()
    };
    assert_eq!(second.products, [expected]);

    let mut watch = server.stranger().watch_drop(&drop.drop_id);
    let watched = watch.next().await.unwrap().drop;
    assert_eq!(watched.items[0].variant_id, drop.items[0].variant_id);
    assert_eq!((watched.creator, watched.products.len()), (None, 0));
    server.stop().await;
}

#[tokio::test]
async fn a_drop_stays_as_it_was_made_when_its_products_change() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let shirt = create_product(&creator, product_request()).await;
    let request = drop_request(vec![variant_item(&shirt, 0)]);
    let drop = schedule(&creator, request.clone()).await;
    let wish = v1::Product {
        title: "Jumper".into(),
        price: item(1, 1).unit_price,
        variants: vec![shirt.variants[1].clone()],
        ..shirt.clone()
    };
    update(&creator, &wish, &["title", "price", "variants"])
        .await
        .unwrap();
    let archived = archive(&creator, &shirt.product_id).await.unwrap();
    let seen = eventually(async || {
        let seen = get_drop(&creator, &drop).await;
        (seen.products[0].etag == archived.etag).then_some(seen)
    })
    .await;
    assert_eq!(seen.items, drop.items);
    assert_eq!(seen.products[0].title, "Jumper");
    // The variant is gone from the product, and sold here all the same.
    assert_eq!(seen.products[0].variants, []);

    let again = schedule(&creator, request).await;
    assert_eq!(again.drop_id, drop.drop_id, "a repeat is answered");
    let late = drop_request(vec![variant_item(&shirt, 1)]);
    let error = creator.schedule_drop(late).await.unwrap_err();
    assert_eq!(error.reason_text(), Some("PRODUCT_ARCHIVED"));
    assert_eq!(error.metadata()["productId"], shirt.product_id);
    server.stop().await;
}

#[tokio::test]
async fn an_item_names_a_variant_of_the_callers_product() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let shirt = create_product(&creator, product_request()).await;
    let foreign = create_product(&other, product_request()).await;
    let mut unknown = shirt.clone();
    unknown.product_id = request_id();
    for (product, expected) in [(&foreign, "NOT_OWNER"), (&unknown, "PRODUCT_NOT_FOUND")] {
        let request = drop_request(vec![variant_item(&shirt, 0), variant_item(product, 0)]);
        let error = creator.schedule_drop(request.clone()).await.unwrap_err();
        assert_eq!(error.reason_text(), Some(expected));
        assert_eq!(error.metadata()["productId"], product.product_id);
        // A refused call claims nothing: its id is free for what is right.
        let right = v1::ScheduleDropRequest {
            items: vec![variant_item(&shirt, 0)],
            ..request
        };
        schedule(&creator, right).await;
    }
    let bad = |change: fn(&mut v1::ScheduleDropItem)| {
        let mut item = variant_item(&shirt, 0);
        change(&mut item);
        item
    };
    let request = drop_request(vec![
        bad(|it| it.variant_id = String::new()),
        bad(|it| it.product_id = String::new()),
        bad(|it| it.product_id = "x".into()),
        bad(|it| it.title = "\u{7}".into()),
        bad(|it| (it.product_id, it.variant_id) = Default::default()),
    ]);
    let expected = [
        "items[0].variant_id",
        "items[1].product_id",
        "items[2].product_id",
        "items[3].title",
        "items[4].title",
        "items[4].unit_price",
    ];
    assert_eq!(fields(creator.schedule_drop(request).await), expected);

    let mut wrong = drop_request(vec![
        bad(|it| it.variant_id = request_id()),
        variant_item(&shirt, 0),
    ]);
    wrong.ends_at = crate::harness::after(std::time::Duration::from_secs(40 * 86_400));
    let found = fields(creator.schedule_drop(wrong).await);
    assert_eq!(found, ["ends_at", "items[0].variant_id"]);
    let dollars = v1::ScheduleDropItem {
        unit_price: Some(v1::Money {
            currency_code: "USD".into(),
            amount_minor: 1,
        }),
        ..item(0, 1)
    };
    let two_currencies = drop_request(vec![dollars, variant_item(&shirt, 0)]);
    let found = fields(creator.schedule_drop(two_currencies).await);
    assert_eq!(found, ["items[1].unit_price"]);

    // The same wish without the product is another one.
    let request = drop_request(vec![item(1_999, 5)]);
    schedule(&creator, request.clone()).await;
    let mut with_product = request;
    with_product.items[0].product_id = shirt.product_id.clone();
    with_product.items[0].variant_id = shirt.variants[0].variant_id.clone();
    let answer = creator.schedule_drop(with_product).await;
    assert_eq!(reason(answer), "REQUEST_ID_REUSED");
    server.stop().await;
}
