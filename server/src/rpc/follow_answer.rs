//! Follows as the contract shows them.

use livedrop_proto::v1;

use super::{account_answer, fields::to_time, page_token, seal::Seal};
use crate::{
    auth::Keys,
    domain::AccountId,
    service::follow_lists::{Followed, Follower, FollowsPage},
    store::follows::{FollowEdge, FollowPlace, FollowState},
};

/// Whether the caller follows, by the edge to the creator.
pub(super) fn status(creator_id: AccountId, edge: Option<&FollowEdge>) -> v1::FollowStatus {
    let holding = edge.filter(|edge| edge.state == FollowState::Following);
    v1::FollowStatus {
        creator_id: creator_id.to_string(),
        is_following: holding.is_some(),
        followed_at: holding.map(|edge| to_time(edge.followed_at)),
    }
}

/// The answer to `CheckFollows`.
pub(super) fn statuses(
    creator_ids: &[AccountId],
    edges: &[Option<FollowEdge>],
) -> v1::CheckFollowsResponse {
    let pairs = creator_ids.iter().zip(edges);
    v1::CheckFollowsResponse {
        statuses: pairs.map(|(id, edge)| status(*id, edge.as_ref())).collect(),
    }
}

/// A page of a creator's followers.
pub(super) fn followers(
    keys: &Keys,
    caller: AccountId,
    creator_id: AccountId,
    page: FollowsPage<Follower>,
) -> v1::ListFollowersResponse {
    let seal = page_token::followers_seal(keys, caller, creator_id);
    let follower = |it: Follower| v1::Follower {
        account_id: it.account_id.to_string(),
        display_name: it.display_name,
        followed_at: Some(to_time(it.followed_at)),
    };
    v1::ListFollowersResponse {
        followers: page.follows.into_iter().map(follower).collect(),
        next_page_token: token(&seal, page.next),
    }
}

/// A page of the creators that the caller follows.
pub(super) fn following(
    keys: &Keys,
    caller: AccountId,
    page: FollowsPage<Followed>,
) -> v1::ListFollowingResponse {
    let seal = page_token::following_seal(keys, caller);
    let followed = |it: Followed| v1::FollowedCreator {
        creator: Some(account_answer::creator(it.creator)),
        followed_at: Some(to_time(it.followed_at)),
    };
    v1::ListFollowingResponse {
        following: page.follows.into_iter().map(followed).collect(),
        next_page_token: token(&seal, page.next),
    }
}

fn token(seal: &Seal<'_>, next: Option<FollowPlace>) -> String {
    let token = next.map(|place| page_token::follows_token(seal, place));
    token.unwrap_or_default()
}
