//! Following creators. The edge between the two is the truth; the lists that it is in are written after the answer.

use super::{Context, Error, Result, follow_buckets};
use crate::{
    domain::{AccountId, reason::Reason},
    store::{
        Cas, StoreError,
        follows::{FollowEdge, FollowList, FollowState},
        outbox::{Entity, EntityKind},
    },
};

/// Races that a call loses before it gives up. A race is lost to another call of the same pair, so somebody got on.
const TRIES_MAX: u32 = 16;

/// Has the caller follow a creator.
///
/// # Errors
/// `SELF_FOLLOW`, `CREATOR_NOT_FOUND`.
pub async fn follow(
    ctx: &Context,
    follower_id: AccountId,
    creator_id: AccountId,
) -> Result<FollowEdge> {
    if follower_id == creator_id {
        return Err(self_follow(creator_id));
    }
    must_exist(ctx, creator_id).await?;
    let mut found = ctx.store.get_follow(follower_id, creator_id).await?;
    for _ in 0..TRIES_MAX {
        let edge = match found {
            Some(edge) if edge.state == FollowState::Following => return Ok(edge),
            Some(edge) => next(ctx, edge, FollowState::Following),
            None => first(ctx, follower_id, creator_id).await?,
        };
        match change(ctx, &edge).await? {
            Cas::Done if edge.version == 1 => {
                follow_buckets::count(ctx, &edge).await;
                return Ok(edge);
            }
            Cas::Done => return Ok(edge),
            Cas::Stale(other) => found = other,
        }
    }
    Err(Error::outrun("follow"))
}

/// Has the caller follow a creator no more.
///
/// # Errors
/// `SELF_FOLLOW`; `CREATOR_NOT_FOUND` if the caller never followed such a one.
pub async fn unfollow(ctx: &Context, follower_id: AccountId, creator_id: AccountId) -> Result<()> {
    if follower_id == creator_id {
        return Err(self_follow(creator_id));
    }
    let mut found = ctx.store.get_follow(follower_id, creator_id).await?;
    for _ in 0..TRIES_MAX {
        let edge = match found {
            Some(edge) if edge.state == FollowState::Following => {
                next(ctx, edge, FollowState::Unfollowed)
            }
            Some(_) => return Ok(()),
            None => return must_exist(ctx, creator_id).await,
        };
        match change(ctx, &edge).await? {
            Cas::Done => return Ok(()),
            Cas::Stale(other) => found = other,
        }
    }
    Err(Error::outrun("follow"))
}

/// Whether somebody follows a creator.
///
/// # Errors
/// If the store fails.
pub async fn is_following(
    ctx: &Context,
    follower_id: AccountId,
    creator_id: AccountId,
) -> Result<bool> {
    let edge = ctx.store.get_follow(follower_id, creator_id).await?;
    Ok(edge.is_some_and(|edge| edge.state == FollowState::Following))
}

/// The edges from the caller to these creators, in their order.
///
/// # Errors
/// If the store fails.
pub async fn check(
    ctx: &Context,
    follower_id: AccountId,
    creator_ids: &[AccountId],
) -> Result<Vec<Option<FollowEdge>>> {
    Ok(ctx.store.get_follows(follower_id, creator_ids).await?)
}

async fn must_exist(ctx: &Context, creator_id: AccountId) -> Result<()> {
    match ctx.creator(creator_id).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found(
            Reason::CreatorNotFound,
            "creator",
            creator_id,
        )),
    }
}

/// The first version of an edge: its time and its buckets are for good.
async fn first(
    ctx: &Context,
    follower_id: AccountId,
    creator_id: AccountId,
) -> std::result::Result<FollowEdge, StoreError> {
    let followed_at = ctx.env.now();
    let lists = [
        FollowList::followers_of(creator_id),
        FollowList::followed_by(follower_id),
    ];
    let [followers, following] = lists.map(|list| follow_buckets::place(ctx, list, followed_at));
    let (followers_bucket, following_bucket) =
        futures::future::try_join(followers, following).await?;
    Ok(FollowEdge {
        follower_id,
        creator_id,
        version: 1,
        op_id: ctx.env.uuid(),
        state: FollowState::Following,
        followed_at,
        followers_bucket,
        following_bucket,
    })
}

fn next(ctx: &Context, edge: FollowEdge, state: FollowState) -> FollowEdge {
    FollowEdge {
        version: edge.version + 1,
        op_id: ctx.env.uuid(),
        state,
        ..edge
    }
}

async fn change(
    ctx: &Context,
    edge: &FollowEdge,
) -> std::result::Result<Cas<FollowEdge>, StoreError> {
    let entity = Entity {
        kind: EntityKind::FollowEdge(edge.creator_id),
        id: edge.follower_id.uuid(),
    };
    let update = ctx.store.update_follow(edge);
    ctx.outbox.change(entity, edge.op_id, update).await
}

fn self_follow(creator_id: AccountId) -> Error {
    Error::Refused {
        reason: Reason::SelfFollow,
        message: "nobody follows themselves: choose another creator".to_owned(),
        metadata: vec![("creatorId", creator_id.to_string())],
    }
}

#[cfg(test)]
#[path = "follows_tests.rs"]
mod tests;
