//! How many follow a creator. A short list is counted when asked. A long one answers with what was counted last, and until then with an
//! estimate by the marks that one row in a thousand leaves; it is counted in the background, at most every few minutes.

use std::{fmt, sync::Arc, time::Duration};

use moka::sync::Cache;
use tokio::sync::Semaphore;

use super::{Context, Result};
use crate::{
    domain::{AccountId, Timestamp},
    store::{
        Order, PageRequest, SharedStore, StoreError,
        follows::{FollowBucket, FollowList, FollowPlace},
    },
};

/// A list with no more rows is counted at once.
const SHORT: usize = 1_000;
/// How long a short count is good: a page that everybody looks at must not count for each.
const SHORT_FOR: Duration = Duration::from_secs(2);
/// How long a long count is good.
const LONG_FOR: Duration = Duration::from_secs(300);
/// Creators whose counts are kept.
const KEPT_MAX: u64 = 100_000;
/// Lists that are counted in the background at the same time.
const COUNTED_AT_ONCE: usize = 1;

/// What was counted.
#[derive(Debug, Clone, Copy)]
struct Count {
    followers: i64,
    good_until: Timestamp,
}

/// The counts of a process.
#[derive(Clone)]
pub struct FollowerCounts {
    counts: Cache<AccountId, Count>,
    seats: Arc<Semaphore>,
}

impl Default for FollowerCounts {
    fn default() -> Self {
        Self {
            counts: Cache::new(KEPT_MAX),
            seats: Arc::new(Semaphore::new(COUNTED_AT_ONCE)),
        }
    }
}

impl fmt::Debug for FollowerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowerCounts").finish_non_exhaustive()
    }
}

impl FollowerCounts {
    /// How many follow a creator, as far as is known.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn get(&self, ctx: &Context, creator_id: AccountId) -> Result<i64> {
        let now = ctx.env.now();
        let known = self.counts.get(&creator_id);
        if let Some(count) = known
            && now < count.good_until
        {
            return Ok(count.followers);
        }
        // Looking whether it has become short is left to the next count.
        if let Some(count) = known
            && count.followers > SHORT as i64
        {
            self.count_later(ctx, creator_id);
            return Ok(count.followers);
        }
        let list = FollowList::followers_of(creator_id);
        let buckets = ctx.store.list_follow_buckets(list).await?;
        if let Some(followers) = short(&ctx.store, list, &buckets).await? {
            self.keep(creator_id, followers, now + SHORT_FOR);
            return Ok(followers);
        }
        self.count_later(ctx, creator_id);
        let marks: i64 = buckets.iter().map(|bucket| i64::from(bucket.marks)).sum();
        let estimate = marks * i64::from(ctx.follow_buckets.rows_per_mark());
        Ok(estimate.max(SHORT as i64))
    }

    fn keep(&self, creator_id: AccountId, followers: i64, good_until: Timestamp) {
        let count = Count {
            followers,
            good_until,
        };
        self.counts.insert(creator_id, count);
    }

    /// Counts unless others are being counted: then a later call asks again.
    fn count_later(&self, ctx: &Context, creator_id: AccountId) {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            return;
        };
        let (counts, env, store) = (self.clone(), ctx.env.clone(), ctx.store.clone());
        let task = async move {
            let _seat = seat;
            match long(&store, FollowList::followers_of(creator_id)).await {
                Ok(followers) => counts.keep(creator_id, followers, env.now() + LONG_FOR),
                Err(error) => tracing::debug!(%error, "followers not counted"),
            }
        };
        ctx.env.spawn("follower count", Box::pin(task));
    }
}

/// The length of a list that has one bucket and few rows.
async fn short(
    store: &SharedStore,
    list: FollowList,
    buckets: &[FollowBucket],
) -> std::result::Result<Option<i64>, StoreError> {
    if buckets.len() > 1 {
        return Ok(None);
    }
    let page = PageRequest {
        after: None,
        limit: SHORT + 1,
        order: Order::Ascending,
    };
    let number = buckets.first().map_or(0, |bucket| bucket.number);
    let found = store.list_follow_rows(list, number, page).await?.len();
    Ok((found <= SHORT).then_some(found as i64))
}

/// The length of any list, page by page.
async fn long(store: &SharedStore, list: FollowList) -> std::result::Result<i64, StoreError> {
    let buckets = store.list_follow_buckets(list).await?;
    // The first bucket has no row before it is marked.
    let mut numbers: Vec<i32> = buckets.iter().map(|bucket| bucket.number).collect();
    if !numbers.contains(&0) {
        numbers.push(0);
    }
    let mut followers = 0;
    for number in numbers {
        let mut after: Option<FollowPlace> = None;
        loop {
            let page = PageRequest {
                after,
                limit: SHORT,
                order: Order::Ascending,
            };
            let rows = store.list_follow_rows(list, number, page).await?;
            followers += rows.len() as i64;
            after = rows.last().copied();
            if after.is_none() {
                break;
            }
        }
    }
    Ok(followers)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{service::testing::context, store::conformance::samples::follow_edge};

    #[tokio::test]
    async fn a_long_list_is_estimated_and_then_counted() {
        let (ctx, _) = context();
        let creator_id = AccountId::new(Uuid::now_v7());
        for _ in 0..SHORT + 5 {
            let mut edge = follow_edge();
            (edge.creator_id, edge.followers_bucket) = (creator_id, 0);
            ctx.store.put_follow_rows(&edge).await.unwrap();
        }
        let count = || ctx.follower_counts.get(&ctx, creator_id);
        // Nobody has left a mark here.
        assert_eq!(count().await.unwrap(), SHORT as i64);
        let counted = async {
            while count().await.unwrap() != SHORT as i64 + 5 {
                tokio::task::yield_now().await;
            }
        };
        let counted = tokio::time::timeout(Duration::from_secs(20), counted).await;
        counted.expect("counted");
    }
}
