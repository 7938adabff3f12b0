//! The index may be behind: what is shown is what the rows say.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::{
    domain::{drop::Drop, product::Variant},
    search::{Change, SearchHandle, TantivyIndex},
    service::testing::context,
    store::{conformance::samples, projections::DropStatus},
};

/// A context whose index is not kept: it stays at what is put into it here.
fn searched() -> Context {
    let (ctx, _) = context();
    let index = Arc::new(TantivyIndex::open(None).unwrap());
    Context {
        search: SearchHandle::new(index),
        ..ctx
    }
}

async fn put(ctx: &Context, documents: Vec<Document>) {
    let changes = documents.into_iter().map(|it| Change::Put(Box::new(it)));
    let index = ctx.search.index().unwrap();
    index.write(changes.collect(), None).await.unwrap();
    ctx.search.set_whole(true);
}

fn any_product() -> ProductSearch {
    ProductSearch {
        words: None,
        creator_id: None,
        tag: None,
        prices: None,
        status: ProductStatus::Active,
    }
}

fn any_drop() -> DropSearch {
    DropSearch {
        words: None,
        creator_id: None,
        prices: None,
        state: None,
        is_buyable: false,
    }
}

async fn found(ctx: &Context, search: &ProductSearch) -> Vec<Uuid> {
    let page = products(ctx, None, search, None, 10).await.unwrap();
    assert_eq!(page.next, None);
    let ids = page.found.iter().map(|it| it.product_id.uuid());
    ids.collect()
}

#[tokio::test]
async fn products_that_fit_no_more_are_not_shown() {
    let ctx = searched();
    let product = samples::product();
    put(&ctx, vec![Document::of_product(&product)]).await;
    assert!(found(&ctx, &any_product()).await.is_empty(), "no row");
    ctx.store.insert_product(&product).await.unwrap();
    let id = product.product_id.uuid();
    let (tag, price) = (product.tags[0].clone(), product.price_minor);
    let tagged = ProductSearch {
        tag: Some(tag),
        ..any_product()
    };
    let priced = ProductSearch {
        prices: Some(PriceRange {
            currency: product.currency,
            from: price,
            to: price,
        }),
        ..any_product()
    };
    let searches = [any_product(), tagged, priced];
    for search in &searches {
        assert_eq!(found(&ctx, search).await, [id], "{search:?}");
    }
    let variants = product.variants.iter().map(|it| Variant {
        price_minor: None,
        ..it.clone()
    });
    let mut changed = Product {
        version: 2,
        op_id: Uuid::now_v7(),
        tags: Vec::new(),
        price_minor: price + 1,
        variants: variants.collect(),
        ..product
    };
    ctx.store.update_product(&changed).await.unwrap();
    let shown = async |search| found(&ctx, search).await.len();
    let [any, tagged, priced] = &searches;
    assert_eq!(shown(any).await, 1);
    assert_eq!(shown(tagged).await, 0);
    assert_eq!(shown(priced).await, 0);
    changed.version = 3;
    changed.op_id = Uuid::now_v7();
    changed.status = ProductStatus::Archived;
    ctx.store.update_product(&changed).await.unwrap();
    assert_eq!(shown(any).await, 0);
}

#[tokio::test]
async fn drops_that_fit_no_more_are_not_shown() {
    let ctx = searched();
    let drop = Drop {
        cancelled: false,
        ..samples::drop()
    };
    ctx.store.insert_drop(&drop).await.unwrap();
    let status = |seq, state, is_sold_out| DropStatus {
        drop_id: drop.drop_id,
        seq,
        state,
        is_sold_out,
        ..samples::drop_status()
    };
    let live = status(1, DropState::Live, false);
    put(&ctx, vec![Document::of_drop(&drop, Some(&live))]).await;
    let buyable = DropSearch {
        is_buyable: true,
        ..any_drop()
    };
    let only_live = DropSearch {
        state: Some(DropState::Live),
        ..any_drop()
    };
    for (status, expected) in [
        (live, [1, 1, 1]),
        (status(2, DropState::Live, true), [1, 1, 0]),
        (status(3, DropState::Ended, false), [1, 0, 0]),
        (status(4, DropState::Cancelled, false), [0, 0, 0]),
    ] {
        ctx.store.put_drop_status(&status).await.unwrap();
        for (search, expected) in [&any_drop(), &only_live, &buyable]
            .into_iter()
            .zip(expected)
        {
            let page = drops(&ctx, search, None, 10).await.unwrap();
            assert_eq!(page.found.len(), expected, "{search:?} {status:?}");
        }
    }
}

/// However much has to be looked at: rows that fit no more make pages short, and none is left out.
#[tokio::test]
async fn pages_are_bounded_and_go_on() {
    let ctx = searched();
    let mut documents = Vec::new();
    for number in 0..ROWS_MAX + 100 {
        let product = Product {
            description: "x".repeat(5_000),
            ..samples::product()
        };
        // Only every fourth is still there.
        if number % 4 == 0 {
            ctx.store.insert_product(&product).await.unwrap();
        }
        documents.push(Document::of_product(&product));
    }
    let there = documents.len().div_ceil(4);
    put(&ctx, documents).await;
    let (mut pages, mut count, mut after) = (0, 0, None);
    loop {
        let page = products(&ctx, None, &any_product(), after, 200)
            .await
            .unwrap();
        let bytes: usize = page.found.iter().map(Product::weight).sum();
        assert!(page.found.len() <= 200 && bytes < BYTES_MAX + 10_000);
        pages += 1;
        count += page.found.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(count, there);
    assert!(pages > 1);
}

#[tokio::test]
async fn an_index_that_is_not_whole_is_not_asked() {
    let ctx = searched();
    let refused = products(&ctx, None, &any_product(), None, 1).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })));
    put(&ctx, Vec::new()).await;
    assert!(products(&ctx, None, &any_product(), None, 1).await.is_ok());
    ctx.search.set_whole(false);
    let refused = drops(&ctx, &any_drop(), None, 1).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })));
}
