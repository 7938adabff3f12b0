//! The slices of time that lists of follows are divided into, so that no partition of the database gets too large.
//!
//! Where a row belongs is a matter of its time alone. A bucket begins so long after it was made that by then nobody places rows by a
//! list of buckets without it. How full the newest is, is estimated: one row in so many, by chance, leaves a mark.

use std::time::Duration;

use super::Context;
use crate::{
    domain::Timestamp,
    store::{
        Cas, Result,
        follows::{BUCKETS_MAX, FollowBucket, FollowEdge, FollowList},
    },
};

/// Marks of a full bucket: they tell its size to about a tenth.
const MARKS: u32 = 100;
/// Of them, so many make it nearly full.
const NEARLY_FULL: u32 = 90;
/// Others may count the same bucket at the same time. What is not counted then only makes it somewhat larger.
const TRIES_MAX: u32 = 3;

/// How lists are divided.
#[derive(Debug, Clone, Copy)]
pub struct BucketRule {
    /// Rows of a bucket, about.
    pub rows: u32,
    /// How long before its beginning a bucket is made. Longer than clocks are apart, and than a request lasts.
    pub ahead: Duration,
}

impl Default for BucketRule {
    fn default() -> Self {
        Self {
            // A few MiB: read, repaired and compacted in a moment.
            rows: 100_000,
            ahead: Duration::from_secs(60),
        }
    }
}

impl BucketRule {
    /// One row in so many leaves a mark.
    pub(super) const fn rows_per_mark(self) -> u32 {
        let rows = self.rows / MARKS;
        if rows == 0 { 1 } else { rows }
    }

    fn is_nearly_full(self, bucket: &FollowBucket) -> bool {
        let rows = i64::from(bucket.marks) * i64::from(self.rows_per_mark());
        rows * i64::from(MARKS) >= i64::from(self.rows) * i64::from(NEARLY_FULL)
    }
}

/// The bucket that a row of this time is in. `buckets` are all of its list, the newest first.
pub(super) fn number_at(buckets: &[FollowBucket], at: Timestamp) -> i32 {
    let found = buckets.iter().find(|bucket| bucket.active_from <= at);
    found.map_or(0, |bucket| bucket.number)
}

/// The bucket for a new row. `at` must have been read before this is called. Makes the next bucket if the newest is nearly full.
pub(super) async fn place(ctx: &Context, list: FollowList, at: Timestamp) -> Result<i32> {
    let buckets = ctx.store.list_follow_buckets(list).await?;
    let number = number_at(&buckets, at);
    let Some(newest) = buckets.first() else {
        return Ok(number);
    };
    if buckets.len() >= BUCKETS_MAX || !ctx.follow_buckets.is_nearly_full(newest) {
        return Ok(number);
    }
    let next = FollowBucket {
        list,
        number: newest.number + 1,
        version: 1,
        op_id: ctx.env.uuid(),
        // After the one before, whatever the clocks say.
        active_from: (ctx.env.now() + ctx.follow_buckets.ahead)
            .max(newest.active_from + Duration::from_micros(1)),
        marks: 0,
    };
    // Whoever died while making it may have left it half made. So it is not enough to look: this attempt brings it to its end, and finds
    // since when it counts.
    let next = match ctx.store.update_follow_bucket(&next).await? {
        Cas::Stale(Some(made)) => made,
        Cas::Done | Cas::Stale(None) => next,
    };
    Ok(if next.active_from <= at {
        next.number
    } else {
        number
    })
}

/// Counts a new edge in its buckets, if it is one of those that count.
pub(super) async fn count(ctx: &Context, edge: &FollowEdge) {
    let chance = edge.op_id.as_u128() % u128::from(ctx.follow_buckets.rows_per_mark());
    if chance != 0 {
        return;
    }
    for (list, number, _) in edge.places() {
        if let Err(error) = mark(ctx, list, number).await {
            tracing::debug!(?list, number, %error, "a follow is not counted");
        }
    }
}

async fn mark(ctx: &Context, list: FollowList, number: i32) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let buckets = ctx.store.list_follow_buckets(list).await?;
        let found = buckets.into_iter().find(|bucket| bucket.number == number);
        let op_id = ctx.env.uuid();
        let marked = match found {
            Some(found) => FollowBucket {
                version: found.version + 1,
                op_id,
                marks: found.marks.saturating_add(1),
                ..found
            },
            // Only the first one has no row.
            None => FollowBucket {
                list,
                number,
                version: 1,
                op_id,
                active_from: Timestamp::from_micros(0),
                marks: 1,
            },
        };
        match ctx.store.update_follow_bucket(&marked).await? {
            Cas::Done => break,
            Cas::Stale(_) => {}
        }
    }
    Ok(())
}
