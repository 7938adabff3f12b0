//! Storage of who follows whom (`follow_edges`), of the two lists derived from that (`followers`, `following`), and of the slices of time
//! that the lists are divided into (`follow_buckets`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cas, PageRequest, Result};
use crate::domain::{AccountId, Timestamp};

/// Most buckets of a list: at their size the whole of mankind would fit. The last one takes all that comes.
pub const BUCKETS_MAX: usize = 1_000;

/// Whether an edge holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FollowState {
    /// It does.
    Following,
    /// It did.
    Unfollowed,
}

/// One account follows a creator, or did. There is no row before the first time.
///
/// Its time and its buckets are those of the first time, for good: so it has one place in each list whatever comes, changes of it can be
/// written in any order, and nobody gets to the top of a list, or litters it, by coming and going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowEdge {
    /// Who follows.
    pub follower_id: AccountId,
    /// Who is followed.
    pub creator_id: AccountId,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// Whether it holds.
    pub state: FollowState,
    /// When it first held.
    pub followed_at: Timestamp,
    /// Its bucket among the creator's followers.
    pub followers_bucket: i32,
    /// Its bucket among those whom the follower follows.
    pub following_bucket: i32,
}

impl FollowEdge {
    /// Where it is listed: list, bucket, place.
    #[must_use]
    pub fn places(&self) -> [(FollowList, i32, FollowPlace); 2] {
        let (follower_id, creator_id) = (self.follower_id, self.creator_id);
        let followed_at = self.followed_at;
        let place = |account_id| FollowPlace {
            followed_at,
            account_id,
        };
        [
            (
                FollowList::followers_of(creator_id),
                self.followers_bucket,
                place(follower_id),
            ),
            (
                FollowList::followed_by(follower_id),
                self.following_bucket,
                place(creator_id),
            ),
        ]
    }
}

/// Which of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FollowSide {
    /// Who follows the owner.
    Followers,
    /// Whom the owner follows.
    Following,
}

/// A list, in all its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FollowList {
    /// Whose list.
    pub owner_id: AccountId,
    /// Which one.
    pub side: FollowSide,
}

impl FollowList {
    /// Who follows a creator.
    #[must_use]
    pub const fn followers_of(owner_id: AccountId) -> Self {
        let side = FollowSide::Followers;
        Self { owner_id, side }
    }

    /// Whom somebody follows.
    #[must_use]
    pub const fn followed_by(owner_id: AccountId) -> Self {
        let side = FollowSide::Following;
        Self { owner_id, side }
    }
}

/// A row of a list: its key within a bucket is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FollowPlace {
    /// When it began.
    pub followed_at: Timestamp,
    /// The other one: who follows, or who is followed.
    pub account_id: AccountId,
}

/// A slice of a list: the rows from its time up to the next one's. The first, number 0, has all that is older, and no row until it is first
/// counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowBucket {
    /// Of which list.
    pub list: FollowList,
    /// Counts the list's buckets, from 0.
    pub number: i32,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// Rows of this time and later are in it, or in a later one.
    pub active_from: Timestamp,
    /// Estimates its size: one of so many rows leaves a mark.
    pub marks: i32,
}

/// Edges and buckets: rows changed by compare-and-set on `version`. Lists: derived from the edges.
#[async_trait]
pub trait FollowStore: Send + Sync {
    /// Reads an edge (linearizable).
    async fn get_follow(
        &self,
        follower_id: AccountId,
        creator_id: AccountId,
    ) -> Result<Option<FollowEdge>>;

    /// Reads edges of one follower, in the order of `creator_ids`: each change that was answered is seen.
    async fn get_follows(
        &self,
        follower_id: AccountId,
        creator_ids: &[AccountId],
    ) -> Result<Vec<Option<FollowEdge>>>;

    /// Replaces an edge's row if its version is `edge.version - 1`; version 1 puts a new row. A row whose `op_id` is ours counts as done.
    async fn update_follow(&self, edge: &FollowEdge) -> Result<Cas<FollowEdge>>;

    /// Puts a stored edge into both lists, or takes it out, as this version of it says. What a later version, stored meanwhile, has done to
    /// them stays. Repeating is harmless.
    async fn put_follow_rows(&self, edge: &FollowEdge) -> Result<()>;

    /// Pages through one bucket of a list: full, unless the bucket ends.
    async fn list_follow_rows(
        &self,
        list: FollowList,
        bucket: i32,
        page: PageRequest<FollowPlace>,
    ) -> Result<Vec<FollowPlace>>;

    /// Reads a list's buckets, the newest first, at most [`BUCKETS_MAX`]: each change that was answered is seen.
    async fn list_follow_buckets(&self, list: FollowList) -> Result<Vec<FollowBucket>>;

    /// Replaces a bucket's row if its version is `bucket.version - 1`; version 1 puts a new row. A row whose `op_id` is ours counts as done.
    async fn update_follow_bucket(&self, bucket: &FollowBucket) -> Result<Cas<FollowBucket>>;
}
