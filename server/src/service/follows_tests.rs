//! Follows and unfollows of one pair at once, on a store that misbehaves; lists whose buckets are full.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use uuid::Uuid;

use super::*;
use crate::{
    jobs::relay,
    service::{
        BucketRule,
        follow_lists::{self, FollowsPage},
        testing::{CROWDED, ROUGH, TestEnv, context, context_with, kind, signed_up},
    },
    store::{Order, PageRequest, accounts::Creator, faulty::FaultPlan, follows::FollowPlace},
};

/// A pair that never met.
async fn pair(ctx: &Context) -> (AccountId, AccountId) {
    (AccountId::new(Uuid::now_v7()), creator(ctx).await)
}

async fn creator(ctx: &Context) -> AccountId {
    let creator = Creator {
        creator_id: AccountId::new(Uuid::now_v7()),
        version: 1,
        op_id: Uuid::now_v7(),
        handle: "somebody".to_owned(),
        display_name: "Somebody".to_owned(),
        bio: String::new(),
        created_at: ctx.env.now(),
    };
    while ctx.store.insert_creator(&creator).await.is_err() {}
    creator.creator_id
}

/// Asks until the store answers.
async fn answered<T, E>(mut ask: impl AsyncFnMut() -> std::result::Result<T, E>) -> T {
    loop {
        if let Ok(answer) = ask().await {
            return answer;
        }
    }
}

/// In how many of its two lists an edge is.
async fn listings(ctx: &Context, edge: &FollowEdge) -> usize {
    let mut found = 0;
    for (list, bucket, place) in edge.places() {
        let page = || PageRequest {
            after: None,
            limit: 100,
            order: Order::Descending,
        };
        let rows = answered(async || ctx.store.list_follow_rows(list, bucket, page()).await).await;
        found += rows.iter().filter(|row| **row == place).count();
    }
    found
}

/// A thousand calls at once; what the edge then says is what both lists say, without any help if the store is sound.
async fn a_thousand_at_once(plan: FaultPlan, seed: u64) {
    let (ctx, env): (Context, Arc<TestEnv>) = context_with(plan, seed);
    let (follower_id, creator_id) = pair(&ctx).await;
    let calls = (0..1_000).map(|number| {
        let ctx = ctx.clone();
        tokio::spawn(async move {
            match number % 2 {
                0 => follow(&ctx, follower_id, creator_id).await.map(drop),
                _ => unfollow(&ctx, follower_id, creator_id).await,
            }
        })
    });
    let answers = futures::future::join_all(calls).await;
    let refused: Vec<_> = answers
        .into_iter()
        .filter_map(|it| it.unwrap().err())
        .collect();
    assert!(refused.iter().all(|error| kind(error) == "UNAVAILABLE"));
    if plan == CROWDED {
        assert_eq!(refused.len(), 0, "seed {seed}");
    }
    env.advance(Duration::from_secs(10));
    let relay = tokio::spawn(relay::run(ctx.outbox.clone(), Default::default()));
    let get = async || ctx.store.get_follow(follower_id, creator_id).await;
    loop {
        let edge = answered(get).await.unwrap();
        let expected = match edge.state {
            FollowState::Following => 2,
            FollowState::Unfollowed => 0,
        };
        if listings(&ctx, &edge).await == expected {
            break;
        }
        tokio::task::yield_now().await;
    }
    relay.abort();
    // Both ways once more, for the end may have been either.
    for wanted in [FollowState::Following, FollowState::Unfollowed] {
        answered(async || match wanted {
            FollowState::Following => follow(&ctx, follower_id, creator_id).await.map(drop),
            FollowState::Unfollowed => unfollow(&ctx, follower_id, creator_id).await,
        })
        .await;
        assert_eq!(answered(get).await.unwrap().state, wanted);
    }
}

#[tokio::test]
async fn a_thousand_calls_of_one_pair_end_right() {
    for seed in 0..4 {
        a_thousand_at_once(CROWDED, seed).await;
    }
}

#[tokio::test]
async fn a_thousand_calls_on_a_rough_store_end_right() {
    for seed in 0..4 {
        a_thousand_at_once(ROUGH, seed).await;
    }
}

#[tokio::test]
async fn who_comes_back_has_the_old_place() {
    let (ctx, env) = context();
    let (follower_id, creator_id) = pair(&ctx).await;
    let first = follow(&ctx, follower_id, creator_id).await.unwrap();
    env.advance(Duration::from_secs(5));
    let again = follow(&ctx, follower_id, creator_id).await.unwrap();
    assert_eq!(again, first, "nothing has changed");
    unfollow(&ctx, follower_id, creator_id).await.unwrap();
    unfollow(&ctx, follower_id, creator_id).await.unwrap();
    let back = follow(&ctx, follower_id, creator_id).await.unwrap();
    assert_eq!(back.version, 3);
    assert_eq!(back.places(), first.places());
}

/// The places of all pages.
async fn all_of(ctx: &Context, creator_id: AccountId, size: usize) -> Vec<FollowPlace> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = follow_lists::followers(ctx, creator_id, creator_id, after, size).await;
        let FollowsPage { follows, next } = page.unwrap();
        assert!(follows.len() <= size);
        all.extend(follows.into_iter().map(|it| FollowPlace {
            followed_at: it.followed_at,
            account_id: it.account_id,
        }));
        after = next;
        if after.is_none() {
            return all;
        }
    }
}

/// Buckets of ten rows, made ten seconds ahead, with two follows a second: the next one is used from then on, and pages of any size have
/// everybody once, the newest first.
#[tokio::test]
async fn lists_go_on_over_the_borders_of_buckets() {
    let (mut ctx, env) = context();
    ctx.follow_buckets = BucketRule {
        rows: 10,
        ahead: Duration::from_secs(10),
    };
    let creator_id = creator(&ctx).await;
    let mut expected = Vec::new();
    for number in 0..100 {
        let follower = signed_up(&ctx, &format!("f{number}")).await;
        let follower_id = follower.profile.account.account_id;
        let edge = follow(&ctx, follower_id, creator_id).await.unwrap();
        let [(_, _, place), _] = edge.places();
        expected.insert(0, place);
        ctx.store.put_follow_rows(&edge).await.unwrap();
        env.advance(Duration::from_millis(500));
    }
    let list = FollowList::followers_of(creator_id);
    let buckets = ctx.store.list_follow_buckets(list).await.unwrap();
    // Nine rows are marked; with the tenth the next bucket is made, and nineteen more come before it begins.
    assert_eq!(buckets.len(), 5, "{buckets:?}");
    let begins: Vec<_> = buckets.iter().map(|bucket| bucket.active_from).collect();
    assert!(begins.is_sorted_by(|newer, older| newer > older));
    let mut rows = Vec::new();
    for bucket in &buckets {
        let page = PageRequest {
            after: None,
            limit: 1_000,
            order: Order::Descending,
        };
        let of_bucket = ctx.store.list_follow_rows(list, bucket.number, page).await;
        rows.push(of_bucket.unwrap().len());
    }
    assert_eq!(rows, [0, 13, 29, 29, 29], "{buckets:?}");
    for size in [1, 7, 29, 50, 200] {
        assert_eq!(all_of(&ctx, creator_id, size).await, expected, "{size}");
    }
    // Whoever has left is gone, also where nearly all of a bucket has.
    for place in expected.drain(10..75).collect::<Vec<_>>() {
        unfollow(&ctx, place.account_id, creator_id).await.unwrap();
        let edge = ctx.store.get_follow(place.account_id, creator_id).await;
        let edge = edge.unwrap().unwrap();
        ctx.store.put_follow_rows(&edge).await.unwrap();
    }
    for size in [1, 7, 200] {
        assert_eq!(all_of(&ctx, creator_id, size).await, expected, "{size}");
    }
}

/// Where everybody has left, a page looks through so many buckets, and the next goes on.
#[tokio::test]
async fn a_long_row_of_empty_buckets_is_passed_page_by_page() {
    let (mut ctx, env) = context();
    ctx.follow_buckets = BucketRule {
        rows: 1,
        ahead: Duration::ZERO,
    };
    let creator_id = creator(&ctx).await;
    let mut edges = Vec::new();
    for number in 0..30 {
        let follower = signed_up(&ctx, &format!("f{number}")).await;
        let follower_id = follower.profile.account.account_id;
        edges.push(follow(&ctx, follower_id, creator_id).await.unwrap());
        env.advance(Duration::from_secs(1));
    }
    let used: BTreeSet<_> = edges.iter().map(|edge| edge.followers_bucket).collect();
    assert!(used.len() >= 15, "{used:?}");
    let last = edges.pop().unwrap();
    let first = edges.remove(0);
    for edge in &edges {
        unfollow(&ctx, edge.follower_id, creator_id).await.unwrap();
        let edge = ctx.store.get_follow(edge.follower_id, creator_id).await;
        let edge = edge.unwrap().unwrap();
        ctx.store.put_follow_rows(&edge).await.unwrap();
    }
    for edge in [&first, &last] {
        ctx.store.put_follow_rows(edge).await.unwrap();
    }
    let found = all_of(&ctx, creator_id, 10).await;
    let ids: Vec<_> = found.iter().map(|place| place.account_id).collect();
    assert_eq!(ids, [last.follower_id, first.follower_id]);
}
