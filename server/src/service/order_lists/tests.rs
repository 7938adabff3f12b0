//! Lists over rows that a test wrote.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::{
    domain::drop::Drop,
    domain::{Timestamp, order::OrderState},
    service::testing::{self, signed_up},
    store::{
        orders::{LedgerPlace, OrderRef},
        projections::{DropState, DropStatus},
    },
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn row(buyer_id: AccountId, drop_id: DropId, created_at: Timestamp) -> OrderRow {
    let place = LedgerPlace { seq: 2, index: 0 };
    OrderRow {
        order_id: OrderId::new(Uuid::now_v7()),
        drop_id,
        buyer_id,
        creator_id: buyer_id,
        lines: Vec::new(),
        currency: "EUR".parse().unwrap(),
        total_minor: 100,
        state: OrderState::Held,
        hold_expires_at: created_at,
        created_at,
        updated_at: created_at,
        updated: place,
        proof: place,
        attempts: 0,
        action_url: None,
        payment_error: None,
    }
}

async fn account(ctx: &Context, name: &str) -> AccountId {
    signed_up(ctx, name).await.profile.account.account_id
}

/// A drop that has not opened.
async fn drop_of(ctx: &Context, creator_id: AccountId) -> DropId {
    let (drop_id, now) = (DropId::new(Uuid::now_v7()), ctx.env.now());
    let drop = Drop {
        drop_id,
        creator_id,
        version: 1,
        op_id: Uuid::now_v7(),
        title: "A drop".to_owned(),
        description: String::new(),
        currency: "EUR".parse().unwrap(),
        items: Vec::new(),
        limit_per_buyer: 0,
        opens_at: now + DAY,
        ends_at: now + DAY * 2,
        hold: DAY,
        low_stock_threshold: 0,
        created_at: now,
        changed_at: now,
        cancelled: false,
        secret: None,
    };
    ctx.store.insert_drop(&drop).await.unwrap();
    drop_id
}

async fn put(ctx: &Context, row: &OrderRow, segment: u64) {
    let key = OrderKey {
        created_at: row.created_at,
        order_id: row.order_id,
    };
    let listed = OrderRef {
        key,
        buyer_id: row.buyer_id,
        drop_id: row.drop_id,
        segment,
    };
    ctx.store
        .put_orders(std::slice::from_ref(row))
        .await
        .unwrap();
    ctx.store.put_order_refs(&[listed]).await.unwrap();
}

/// All pages of the caller's orders, and how many there were.
async fn all_of_buyer(ctx: &Context, caller: AccountId, size: usize) -> (Vec<OrderId>, usize) {
    let (mut ids, mut pages, mut from) = (Vec::new(), 0, None);
    loop {
        let page = of_buyer(ctx, caller, from, size).await.unwrap();
        assert!(page.orders.len() <= size);
        ids.extend(page.orders.iter().map(|row| row.order_id));
        pages += 1;
        match page.next {
            Some(next) => from = Some(next),
            None => return (ids, pages),
        }
    }
}

#[tokio::test]
async fn a_buyer_pages_through_months_and_years() {
    let (ctx, env) = testing::context();
    let ann = account(&ctx, "ann").await;
    let (bob, drop_id) = (account(&ctx, "bob").await, DropId::new(Uuid::now_v7()));
    assert_eq!(all_of_buyer(&ctx, ann, 10).await.0, []);

    let mut placed = Vec::new();
    // Three orders a month, of which each tenth month has none, for four years.
    for day in 0..4 * 365 {
        env.advance(DAY);
        if day % 10 == 0 && day / 30 % 10 != 9 {
            let row = row(ann, drop_id, ctx.env.now());
            put(&ctx, &row, 0).await;
            placed.insert(0, row.order_id);
        }
    }
    put(&ctx, &row(bob, drop_id, ctx.env.now()), 0).await;
    for size in [1, 7, 200] {
        let (ids, pages) = all_of_buyer(&ctx, ann, size).await;
        assert_eq!(ids, placed, "{size}");
        assert!(pages <= placed.len() / size + 4, "{pages} pages of {size}");
    }

    // Ten years of silence are ten years of empty months, in pages of two years.
    env.advance(DAY * 3_652);
    let (ids, pages) = all_of_buyer(&ctx, ann, 200).await;
    assert_eq!(ids, placed);
    assert!((6..=9).contains(&pages), "{pages}");
}

#[tokio::test]
async fn a_creator_pages_through_segments_and_nobody_else_does() {
    let (ctx, _) = testing::context();
    let (ann, bob) = (account(&ctx, "ann").await, account(&ctx, "bob").await);
    let drop_id = drop_of(&ctx, ann).await;
    let page = of_drop(&ctx, ann, drop_id, None, 10).await.unwrap();
    assert!(page.orders.is_empty() && page.next.is_none());

    let mut placed = Vec::new();
    for segment in [0, 0, 0, 1, 100, 200, 200] {
        let row = row(bob, drop_id, ctx.env.now());
        put(&ctx, &row, segment).await;
        placed.insert(0, row.order_id);
    }
    let status = DropStatus {
        drop_id,
        seq: 200 * 1_024 + 5,
        recorded_at: ctx.env.now(),
        state: DropState::Live,
        is_sealed: false,
        is_sold_out: false,
        items: Vec::new(),
    };
    ctx.store.put_drop_status(&status).await.unwrap();
    for size in [1, 2, 50] {
        let (mut ids, mut pages, mut from) = (Vec::new(), 0, None);
        loop {
            let page = of_drop(&ctx, ann, drop_id, from, size).await.unwrap();
            ids.extend(page.orders.iter().map(|row| row.order_id));
            pages += 1;
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(ids, placed, "{size}");
        assert!(pages <= placed.len() / size + 5, "{pages} pages of {size}");
    }
    let refused = of_drop(&ctx, bob, drop_id, None, 10).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Refused {
                reason: Reason::NotOwner,
                ..
            }
        ),
        "{refused:?}"
    );
}
