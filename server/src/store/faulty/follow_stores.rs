//! The storage trait of follows, each method through [`Faulty::call`].

use async_trait::async_trait;

use super::{Faulty, Method};
use crate::{
    domain::AccountId,
    store::{
        Cas, FollowStore, PageRequest, Result,
        follows::{FollowBucket, FollowEdge, FollowList, FollowPlace},
    },
};

#[async_trait]
impl<S: FollowStore + ?Sized> FollowStore for Faulty<S> {
    async fn get_follow(
        &self,
        follower_id: AccountId,
        creator_id: AccountId,
    ) -> Result<Option<FollowEdge>> {
        self.call(Method::GetFollow, || {
            self.inner.get_follow(follower_id, creator_id)
        })
        .await
    }

    async fn get_follows(
        &self,
        follower_id: AccountId,
        creator_ids: &[AccountId],
    ) -> Result<Vec<Option<FollowEdge>>> {
        self.call(Method::GetFollows, || {
            self.inner.get_follows(follower_id, creator_ids)
        })
        .await
    }

    async fn update_follow(&self, edge: &FollowEdge) -> Result<Cas<FollowEdge>> {
        self.call(Method::UpdateFollow, || self.inner.update_follow(edge))
            .await
    }

    async fn put_follow_rows(&self, edge: &FollowEdge) -> Result<()> {
        self.call(Method::PutFollowRows, || self.inner.put_follow_rows(edge))
            .await
    }

    async fn list_follow_rows(
        &self,
        list: FollowList,
        bucket: i32,
        page: PageRequest<FollowPlace>,
    ) -> Result<Vec<FollowPlace>> {
        self.call(Method::ListFollowRows, || {
            self.inner.list_follow_rows(list, bucket, page.clone())
        })
        .await
    }

    async fn list_follow_buckets(&self, list: FollowList) -> Result<Vec<FollowBucket>> {
        self.call(Method::ListFollowBuckets, || {
            self.inner.list_follow_buckets(list)
        })
        .await
    }

    async fn update_follow_bucket(&self, bucket: &FollowBucket) -> Result<Cas<FollowBucket>> {
        self.call(Method::UpdateFollowBucket, || {
            self.inner.update_follow_bucket(bucket)
        })
        .await
    }
}
