//! Who follows whom, the lists derived from it, and their buckets.

use std::time::Duration;

use uuid::Uuid;

use super::{
    pages::{self, first_100},
    samples::{NOW, follow_bucket, follow_edge, id},
};
use crate::{
    domain::AccountId,
    store::{
        Cas, Order, PageRequest, SharedStore,
        follows::{FollowBucket, FollowEdge, FollowList, FollowPlace, FollowSide, FollowState},
    },
};

/// The next version of an edge, with the other state.
fn next(edge: &FollowEdge) -> FollowEdge {
    FollowEdge {
        version: edge.version + 1,
        op_id: id(),
        state: match edge.state {
            FollowState::Following => FollowState::Unfollowed,
            FollowState::Unfollowed => FollowState::Following,
        },
        ..edge.clone()
    }
}

async fn store_edge(store: &SharedStore, edge: &FollowEdge) {
    assert_eq!(store.update_follow(edge).await.unwrap(), Cas::Done);
}

/// In how many of its two places an edge is listed.
async fn listings(store: &SharedStore, edge: &FollowEdge) -> usize {
    let mut found = 0;
    for (list, bucket, place) in edge.places() {
        let rows = store.list_follow_rows(list, bucket, first_100()).await;
        found += rows.unwrap().iter().filter(|row| **row == place).count();
    }
    found
}

/// Version 1 puts a row; only the next version replaces it; the same change again counts as done and changes nothing.
pub async fn edges_change_by_version(store: &SharedStore) {
    let first = follow_edge();
    let (follower_id, creator_id) = (first.follower_id, first.creator_id);
    let second = next(&first);
    let get = || async { store.get_follow(follower_id, creator_id).await.unwrap() };
    assert_eq!(get().await, None);
    let early = store.update_follow(&second).await.unwrap();
    assert_eq!(early, Cas::Stale(None));
    for edge in [&first, &first, &second, &second] {
        store_edge(store, edge).await;
        assert_eq!(get().await.as_ref(), Some(edge));
    }
    for version in [1, 2, 4] {
        let (op_id, stale) = (id(), second.clone());
        let stale = FollowEdge {
            version,
            op_id,
            ..stale
        };
        let refused = store.update_follow(&stale).await.unwrap();
        assert_eq!(refused, Cas::Stale(Some(second.clone())), "{version}");
    }
    assert_eq!(get().await, Some(second));
    let reversed = store.get_follow(creator_id, follower_id).await;
    assert_eq!(reversed.unwrap(), None);
}

/// Of many changes of one version exactly one is made; the others all see it. The first one's too.
pub async fn racing_edges_have_one_winner(store: &SharedStore) {
    let first = follow_edge();
    for version in [1, 2] {
        let racers = (0..16).map(|_| {
            let edge = FollowEdge {
                version,
                op_id: id(),
                ..first.clone()
            };
            let store = store.clone();
            tokio::spawn(async move { (store.update_follow(&edge).await.unwrap(), edge) })
        });
        let (mut winners, mut seen) = (Vec::new(), Vec::new());
        for outcome in futures::future::join_all(racers).await {
            match outcome.unwrap() {
                (Cas::Done, edge) => winners.push(edge),
                (Cas::Stale(found), _) => seen.push(found.unwrap()),
            }
        }
        assert_eq!(winners.len(), 1, "version {version}");
        assert!(seen.iter().all(|found| *found == winners[0]));
    }
}

/// Many are asked for at once: each answer is in its question's place.
pub async fn edges_are_read_in_the_order_asked(store: &SharedStore) {
    let follower_id = AccountId::new(id());
    let edges: Vec<_> = (0..70)
        .map(|_| FollowEdge {
            follower_id,
            ..follow_edge()
        })
        .collect();
    for edge in &edges {
        store_edge(store, edge).await;
    }
    let unknown = AccountId::new(id());
    let mut asked: Vec<_> = edges.iter().rev().map(|edge| edge.creator_id).collect();
    asked.insert(3, unknown);
    asked.push(asked[0]);
    let found = store.get_follows(follower_id, &asked).await.unwrap();
    let mut expected: Vec<_> = edges.iter().rev().cloned().map(Some).collect();
    expected.insert(3, None);
    expected.push(expected[0].clone());
    assert_eq!(found, expected);
    assert_eq!(
        store.get_follows(unknown, &asked[..1]).await.unwrap(),
        [None]
    );
    assert_eq!(store.get_follows(follower_id, &[]).await.unwrap(), []);
}

/// An edge is in both lists while it holds, and in none when it does not, however often and in whatever order its versions are written.
pub async fn the_latest_version_stays_listed(store: &SharedStore) {
    let first = follow_edge();
    let (second, third) = (next(&first), next(&next(&first)));
    let orders: [&[&FollowEdge]; 4] = [
        &[&first, &second],
        &[&second, &first, &first],
        &[&third, &second, &first],
        &[&second, &third, &first, &second],
    ];
    for (number, order) in orders.into_iter().enumerate() {
        let pair = (AccountId::new(id()), AccountId::new(id()));
        let of_pair = |edge: &FollowEdge| FollowEdge {
            follower_id: pair.0,
            creator_id: pair.1,
            ..edge.clone()
        };
        let newest = order.iter().max_by_key(|edge| edge.version).unwrap();
        for edge in [&first, &second, &third] {
            if edge.version <= newest.version {
                store_edge(store, &of_pair(edge)).await;
            }
        }
        for edge in order {
            store.put_follow_rows(&of_pair(edge)).await.unwrap();
        }
        let expected = if newest.state == FollowState::Following {
            2
        } else {
            0
        };
        let found = listings(store, &of_pair(newest)).await;
        assert_eq!(found, expected, "order {number}");
    }
}

/// A bucket's rows are listed by time and id, up and down.
pub async fn follow_rows_page_both_ways(store: &SharedStore) {
    let creator_id = AccountId::new(id());
    let mut rows = Vec::new();
    for number in 0..7 {
        let edge = FollowEdge {
            creator_id,
            followed_at: NOW + Duration::from_micros(number / 2),
            ..follow_edge()
        };
        store_edge(store, &edge).await;
        for _ in 0..2 {
            store.put_follow_rows(&edge).await.unwrap();
        }
        let [(_, bucket, place), _] = edge.places();
        assert_eq!(bucket, follow_edge().followers_bucket);
        rows.push(place);
    }
    rows.sort();
    let between = FollowPlace {
        followed_at: NOW,
        account_id: AccountId::new(Uuid::max()),
    };
    let list = FollowList::followers_of(creator_id);
    let bucket = follow_edge().followers_bucket;
    pages::go_both_ways(
        &rows,
        between,
        |row| *row,
        async |page| store.list_follow_rows(list, bucket, page).await,
    )
    .await;
}

/// Followers and followed, owners and buckets have lists of their own.
pub async fn follow_lists_are_apart(store: &SharedStore) {
    let edge = follow_edge();
    store_edge(store, &edge).await;
    store.put_follow_rows(&edge).await.unwrap();
    let [(followers, bucket, follower), (following, other, followed)] = edge.places();
    assert_eq!(follower.account_id, edge.follower_id);
    assert_eq!(followed.account_id, edge.creator_id);
    assert_ne!(bucket, other);
    let nobody = AccountId::new(id());
    for (list, bucket, expected) in [
        (followers, bucket, &[follower][..]),
        (following, other, &[followed]),
        (followers, other, &[]),
        (following, bucket, &[]),
        (FollowList::followers_of(edge.follower_id), bucket, &[]),
        (FollowList::followed_by(edge.creator_id), other, &[]),
        (FollowList::followers_of(nobody), bucket, &[]),
    ] {
        let rows = store.list_follow_rows(list, bucket, first_100()).await;
        assert_eq!(rows.unwrap(), expected, "{list:?}, {bucket}");
    }
    let last = PageRequest {
        after: Some(follower),
        limit: 1,
        order: Order::Descending,
    };
    let rest = store.list_follow_rows(followers, bucket, last).await;
    assert_eq!(rest.unwrap(), []);
}

/// Buckets are put and changed by version, each for itself, and listed the newest first.
pub async fn follow_buckets_change_by_version(store: &SharedStore) {
    let first = follow_bucket();
    let list = first.list;
    assert_eq!(store.list_follow_buckets(list).await.unwrap(), []);
    let second = FollowBucket {
        version: 2,
        op_id: id(),
        marks: 2,
        ..first.clone()
    };
    let early = store.update_follow_bucket(&second).await.unwrap();
    assert_eq!(early, Cas::Stale(None));
    for bucket in [&first, &first, &second, &second] {
        let done = store.update_follow_bucket(bucket).await.unwrap();
        assert_eq!(done, Cas::Done);
    }
    for version in [1, 2, 4] {
        let stale = FollowBucket {
            version,
            op_id: id(),
            ..first.clone()
        };
        let refused = store.update_follow_bucket(&stale).await.unwrap();
        assert_eq!(refused, Cas::Stale(Some(second.clone())), "{version}");
    }
    let later = [9, 10].map(|number| FollowBucket {
        number,
        op_id: id(),
        ..first.clone()
    });
    for bucket in &later {
        let done = store.update_follow_bucket(bucket).await.unwrap();
        assert_eq!(done, Cas::Done);
    }
    let [nine, ten] = later;
    let listed = store.list_follow_buckets(list).await.unwrap();
    assert_eq!(listed, [ten, nine, second]);
    let other = FollowList {
        side: FollowSide::Following,
        ..list
    };
    assert_ne!(other, list);
    assert_eq!(store.list_follow_buckets(other).await.unwrap(), []);
}
