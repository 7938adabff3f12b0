//! Lists of follows: who follows a creator, and whom somebody follows, the newest first. A page reads one bucket, two at a border, however
//! long the list is. Rows are written after the answer to the follow, so a list may lag.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::{Context, Error, Result, follow_buckets::number_at};
use crate::{
    domain::{AccountId, Timestamp, reason::Reason},
    store::{
        Order, PageRequest,
        accounts::Creator,
        follows::{FollowBucket, FollowList, FollowPlace},
    },
};

/// Buckets that one page looks through: more than a few are only read where almost everybody has left.
const BUCKETS_A_PAGE: usize = 8;
/// Rows of people read at once.
const PEOPLE_AT_ONCE: usize = 16;

/// A page of a list.
#[derive(Debug)]
pub struct FollowsPage<T> {
    /// The newest first; may be fewer than wanted, even none.
    pub follows: Vec<T>,
    /// After which place it goes on; `None` = there are no more.
    pub next: Option<FollowPlace>,
}

/// Somebody who follows.
#[derive(Debug)]
pub struct Follower {
    /// Who.
    pub account_id: AccountId,
    /// What others see.
    pub display_name: String,
    /// Since when.
    pub followed_at: Timestamp,
}

/// Somebody who is followed.
#[derive(Debug)]
pub struct Followed {
    /// Who.
    pub creator: Creator,
    /// Since when.
    pub followed_at: Timestamp,
}

/// Who follows the caller.
///
/// # Errors
/// `NOT_OWNER` unless the caller is the creator; `CREATOR_NOT_FOUND` if the caller is none.
pub async fn followers(
    ctx: &Context,
    caller: AccountId,
    creator_id: AccountId,
    after: Option<FollowPlace>,
    size: usize,
) -> Result<FollowsPage<Follower>> {
    if caller != creator_id {
        return Err(Error::Refused {
            reason: Reason::NotOwner,
            message: "only the creator sees who follows: ask for your own followers".to_owned(),
            metadata: vec![("creatorId", creator_id.to_string())],
        });
    }
    if ctx.creator(creator_id).await?.is_none() {
        return Err(Error::not_found(
            Reason::CreatorNotFound,
            "creator",
            creator_id,
        ));
    }
    let list = FollowList::followers_of(creator_id);
    let (places, next) = places(ctx, list, after, size).await?;
    let follower = |place: FollowPlace| async move {
        let account = ctx.account(place.account_id).await?;
        Ok::<_, Error>(account.map(|account| Follower {
            account_id: place.account_id,
            display_name: account.display_name,
            followed_at: place.followed_at,
        }))
    };
    let found = stream::iter(places).map(follower).buffered(PEOPLE_AT_ONCE);
    let found: Vec<_> = found.try_collect().await?;
    Ok(FollowsPage {
        follows: found.into_iter().flatten().collect(),
        next,
    })
}

/// Whom the caller follows.
///
/// # Errors
/// If the store fails.
pub async fn following(
    ctx: &Context,
    caller: AccountId,
    after: Option<FollowPlace>,
    size: usize,
) -> Result<FollowsPage<Followed>> {
    let list = FollowList::followed_by(caller);
    let (places, next) = places(ctx, list, after, size).await?;
    let followed = |place: FollowPlace| async move {
        let creator = ctx.creator(place.account_id).await?;
        Ok::<_, Error>(creator.map(|creator| Followed {
            creator,
            followed_at: place.followed_at,
        }))
    };
    let found = stream::iter(places).map(followed).buffered(PEOPLE_AT_ONCE);
    let found: Vec<_> = found.try_collect().await?;
    Ok(FollowsPage {
        follows: found.into_iter().flatten().collect(),
        next,
    })
}

/// Up to `size` rows of a list, and after which place it goes on.
async fn places(
    ctx: &Context,
    list: FollowList,
    mut after: Option<FollowPlace>,
    size: usize,
) -> Result<(Vec<FollowPlace>, Option<FollowPlace>)> {
    let buckets = ctx.store.list_follow_buckets(list).await?;
    let mut number = match after {
        Some(place) => number_at(&buckets, place.followed_at),
        None => buckets.first().map_or(0, |newest| newest.number),
    };
    let mut found = Vec::with_capacity(size);
    for _ in 0..BUCKETS_A_PAGE {
        let wanted = size - found.len();
        let page = PageRequest {
            after,
            limit: wanted,
            order: Order::Descending,
        };
        let rows = ctx.store.list_follow_rows(list, number, page).await?;
        let is_full = rows.len() >= wanted;
        after = rows.last().copied().or(after);
        found.extend(rows);
        if is_full {
            break;
        }
        let Some(border) = before(&buckets, number) else {
            return Ok((found, None));
        };
        after = Some(border);
        number = number_at(&buckets, border.followed_at);
    }
    Ok((found, after))
}

/// The place before all rows of the bucket before this one; `None` for the first.
fn before(buckets: &[FollowBucket], number: i32) -> Option<FollowPlace> {
    let bucket = buckets.iter().find(|bucket| bucket.number == number)?;
    (number > 0).then_some(FollowPlace {
        followed_at: bucket.active_from - Duration::from_micros(1),
        // No account has this id: it is no UUIDv7.
        account_id: AccountId::new(Uuid::max()),
    })
}
