//! Products on a store that misbehaves; pages that are bounded in bytes; what stands beside drops when it can't be read.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        RequestId,
        drop::{Drop, Item},
        product::ItemProduct,
    },
    service::{
        drop_embeds,
        product_lists::{self, ProductPlace},
        product_update::{self, UpdateProduct},
        testing::{ROUGH, context, context_with, kind},
    },
    store::{
        Order, PageRequest, accounts::Creator, conformance::samples, faulty::FaultPlan,
        faulty::Odds,
    },
};

async fn creator(ctx: &Context) -> AccountId {
    let creator = Creator {
        creator_id: AccountId::new(Uuid::now_v7()),
        ..samples::creator()
    };
    while ctx.store.insert_creator(&creator).await.is_err() {}
    creator.creator_id
}

fn wish() -> CreateProduct {
    let euros = |amount_minor| Money {
        currency: "EUR".parse().unwrap(),
        amount_minor,
    };
    let variant = |title: &str| WishedVariant {
        variant_id: None,
        title: title.to_owned(),
        sku: String::new(),
        options: Vec::new(),
        price: None,
    };
    CreateProduct {
        request_id: RequestId::new(Uuid::now_v7()),
        title: "Shirt".to_owned(),
        description: String::new(),
        tags: vec!["shirt".to_owned()],
        attributes: Vec::new(),
        price: euros(1_999),
        variants: vec![variant("M"), variant("L")],
        image_ids: Vec::new(),
    }
}

fn rename(product_id: ProductId, title: String) -> UpdateProduct {
    UpdateProduct {
        product_id,
        etag: String::new(),
        title: Some(title),
        description: None,
        tags: None,
        attributes: None,
        price: None,
        variants: None,
        image_ids: None,
    }
}

/// Asks until the store answers.
async fn answered<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert_eq!(kind(&error), "UNAVAILABLE"),
        }
    }
}

#[tokio::test]
async fn a_call_that_is_repeated_makes_one_product() {
    for seed in 0..20 {
        let (ctx, _) = context_with(ROUGH, seed);
        let (creator_id, wish) = (creator(&ctx).await, wish());
        let calls = (0..8).map(|_| answered(async || create(&ctx, creator_id, wish.clone()).await));
        let made = futures::future::join_all(calls).await;
        let first = &made[0];
        assert!(made.iter().all(|product| product == first), "seed {seed}");
        // What the calls left undone is done by the relay.
        while ctx.outbox.finish(entity(first.product_id)).await.is_err() {}
        let page = || PageRequest {
            after: None,
            limit: 10,
            order: Order::Descending,
        };
        let place = (first.created_at, first.product_id);
        let listed =
            answered(async || Ok(ctx.store.list_creator_products(creator_id, page()).await?));
        assert_eq!(listed.await, [place], "seed {seed}");
    }
}

#[tokio::test]
async fn every_answered_update_was_made_and_none_twice() {
    for seed in 0..20 {
        let (ctx, _) = context_with(ROUGH, seed);
        let creator_id = creator(&ctx).await;
        let wish = wish();
        let made = answered(async || create(&ctx, creator_id, wish.clone()).await).await;
        let update = |number: u32| {
            let wish = rename(made.product_id, format!("Title {number}"));
            let ctx = &ctx;
            async move {
                let updated = product_update::update(ctx, creator_id, wish).await;
                updated.map(|product| product.version)
            }
        };
        let answers = futures::future::join_all((0..8).map(update)).await;
        let versions: Vec<_> = answers.into_iter().flatten().collect();
        let distinct: BTreeSet<_> = versions.iter().collect();
        assert_eq!(distinct.len(), versions.len(), "seed {seed}");
        let found = answered(async || get(&ctx, made.product_id).await).await;
        assert!(versions.iter().all(|version| *version <= found.version));
        assert!((2..=9).contains(&found.version), "seed {seed}");
        assert_eq!(found.variants, made.variants);
    }
}

#[tokio::test]
async fn a_page_of_large_products_is_short_and_the_next_goes_on() {
    let (ctx, _) = context();
    let creator_id = creator(&ctx).await;
    let mut made = BTreeSet::new();
    for _ in 0..5 {
        let mut wish = wish();
        wish.description = "x".repeat(400_000);
        let product = create(&ctx, creator_id, wish).await.unwrap();
        ctx.outbox.finish(entity(product.product_id)).await.unwrap();
        made.insert(product.product_id);
    }
    let (mut after, mut pages): (Option<ProductPlace>, Vec<usize>) = (None, Vec::new());
    let mut found = BTreeSet::new();
    loop {
        let status = ProductStatus::Active;
        let page = product_lists::of_creator(&ctx, None, creator_id, status, after, 50);
        let page = page.await.unwrap();
        pages.push(page.products.len());
        found.extend(page.products.iter().map(|product| product.product_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (made, vec![3, 2]));
}

#[tokio::test]
async fn what_stands_beside_drops_is_kept_and_left_out_if_it_cannot_be_read() {
    let (ctx, _) = context();
    let creator_id = creator(&ctx).await;
    let product = create(&ctx, creator_id, wish()).await.unwrap();
    let item = Item {
        product: Some(ItemProduct {
            product_id: product.product_id,
            variant_id: product.variants[0].variant_id,
        }),
        ..samples::drop().items[0].clone()
    };
    let drop = Drop {
        creator_id,
        items: vec![item.clone(), item],
        ..samples::drop()
    };
    let found = drop_embeds::beside(&ctx, &[&drop, &drop]).await;
    assert_eq!(*found.products[&product.product_id], product);
    assert_eq!(found.creators[&creator_id].creator_id, creator_id);

    let never = Odds {
        refuse: 1.0,
        ..Odds::default()
    };
    let (broken, _) = context_with(FaultPlan::uniform(never, Duration::ZERO), 1);
    let nothing = drop_embeds::beside(&broken, &[&drop]).await;
    assert!(nothing.products.is_empty() && nothing.creators.is_empty());
    let kept = Context {
        drop_embeds: ctx.drop_embeds.clone(),
        ..broken
    };
    let found = drop_embeds::beside(&kept, &[&drop]).await;
    assert_eq!(*found.products[&product.product_id], product);
}
