//! Changes of rows that fail, meet others, or come too late.

use super::*;
use crate::{
    ledger::testing::{PATIENCE, creator_id, drop_id, row, terms},
    service::testing::{self, CROWDED, ROUGH},
    store::{Order, PageRequest},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A drop that opens in a day.
async fn with_drop(ctx: &Context) -> Drop {
    let drop = row(
        1,
        &terms(&[(5, 500, 0)], ctx.env.now() + Duration::from_secs(86_400)),
    );
    while ctx.store.insert_drop(&drop).await.is_err() {}
    drop
}

fn nothing() -> UpdateDrop {
    UpdateDrop {
        drop_id: drop_id(1),
        etag: None,
        title: None,
        description: None,
        items: None,
        limit_per_buyer: None,
        opens_at: None,
        ends_at: None,
        hold: None,
        low_stock_threshold: None,
    }
}

/// Asks until there is an answer, as clients do.
async fn made(ctx: &Context, wish: UpdateDrop) {
    for _ in 0..1_000 {
        match update(ctx, creator_id(), wish.clone(), PATIENCE).await {
            Ok(_) => return,
            Err(error) => assert_eq!(testing::kind(&error), "UNAVAILABLE", "{error:?}"),
        }
    }
    panic!("never answered");
}

async fn stored(ctx: &Context) -> Drop {
    loop {
        if let Ok(found) = ctx.store.get_drop(drop_id(1)).await {
            return found.unwrap();
        }
    }
}

#[tokio::test]
async fn each_change_is_made_once_whatever_the_store_does() {
    for seed in 0..5 {
        let plan = if seed == 0 { CROWDED } else { ROUGH };
        let (ctx, _) = testing::context_with(plan, seed);
        with_drop(&ctx).await;
        let titles = async {
            for n in 0..10 {
                let wish = UpdateDrop {
                    title: Some(format!("Title {n}")),
                    ..nothing()
                };
                made(&ctx, wish).await;
                assert_eq!(stored(&ctx).await.title, format!("Title {n}"));
            }
        };
        let thresholds = async {
            for n in 1..=10 {
                let wish = UpdateDrop {
                    low_stock_threshold: Some(n),
                    ..nothing()
                };
                made(&ctx, wish).await;
                assert_eq!(stored(&ctx).await.low_stock_threshold, n);
            }
        };
        tokio::join!(titles, thresholds);
        let row = stored(&ctx).await;
        assert_eq!((row.version, row.etag()), (21, "21".to_owned()), "{seed}");
    }
}

#[tokio::test]
async fn of_two_changes_of_one_time_the_list_has_the_one_that_was_made() {
    let (ctx, env) = testing::context();
    let before = with_drop(&ctx).await;
    let opens_at = before.opens_at + HOUR;
    let wish = UpdateDrop {
        opens_at: Some(opens_at),
        ends_at: Some(opens_at + HOUR),
        ..nothing()
    };
    made(&ctx, wish).await;
    let made = stored(&ctx).await;
    let listed = async || {
        let page = PageRequest {
            after: None,
            limit: 10,
            order: Order::Ascending,
        };
        let (day, shard) = (opens_at.day(), made.drop_id.shard());
        let rows = ctx.store.list_drop_times(day, shard, page).await.unwrap();
        let row = rows.into_iter().find(|row| row.key.opens_at == opens_at);
        row.map(|row| row.ends_at)
    };
    // What follows a change is done in the background, and may come after another's first step.
    while ctx
        .store
        .get_announced(drops::entity(made.drop_id))
        .await
        .unwrap()
        < made.version
    {
        tokio::task::yield_now().await;
    }
    // Another has read the row before, and comes later.
    env.advance(HOUR);
    let late = Drop {
        opens_at,
        ends_at: opens_at + 2 * HOUR,
        version: before.version + 1,
        op_id: ctx.env.uuid(),
        changed_at: ctx.env.now(),
        ..before.clone()
    };
    assert_eq!(
        write(&ctx, &before, &late).await.unwrap(),
        Cas::Stale(Some(made.clone()))
    );
    assert_eq!(listed().await, Some(made.ends_at));
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_make_a_change_older() {
    let (ctx, _) = testing::context();
    let mut drop = row(1, &terms(&[(5, 500, 0)], ctx.env.now() + 24 * HOUR));
    drop.changed_at = ctx.env.now() + HOUR;
    ctx.store.insert_drop(&drop).await.unwrap();
    let wish = UpdateDrop {
        title: Some("Another".to_owned()),
        ..nothing()
    };
    made(&ctx, wish).await;
    assert!(stored(&ctx).await.changed_at > drop.changed_at);
}
