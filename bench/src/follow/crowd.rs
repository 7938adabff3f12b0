//! People who follow. They are put into the store as the service would leave them: to sign up so many would take an hour of hashing.

use std::time::Duration;

use anyhow::Context as _;
use futures::{TryStreamExt as _, stream};
use livedrop_server::{
    domain::{AccountId, Timestamp},
    env::{Env as _, SystemEnv},
    service::BucketRule,
    store::{
        Cas, Put, SharedStore,
        accounts::Account,
        follows::{FollowBucket, FollowEdge, FollowList, FollowState},
    },
};
use uuid::Uuid;

/// Writes under way.
const AT_ONCE: usize = 256;

/// Accounts.
pub(super) struct Crowd(Vec<AccountId>);

impl Crowd {
    /// Makes so many.
    pub(super) async fn gather(store: &SharedStore, count: u32) -> anyhow::Result<Self> {
        let ids: Vec<_> = (0..count).map(|_| AccountId::new(Uuid::now_v7())).collect();
        stream::iter(ids.iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |id| put_account(store, *id))
            .await?;
        Ok(Self(ids))
    }

    /// Has the first `count` follow a creator, a millisecond apart.
    pub(super) async fn follow(
        &self,
        store: &SharedStore,
        creator_id: &str,
        count: u32,
    ) -> anyhow::Result<()> {
        let creator_id: AccountId = creator_id.parse().context("a creator's id")?;
        let step = Duration::from_millis(1);
        let first_at = SystemEnv.now() - step * count;
        let of_bucket = BucketRule::default().rows;
        for number in 0..=(count.saturating_sub(1)) / of_bucket {
            let active_from = match number {
                0 => Timestamp::from_micros(0),
                _ => first_at + step * (number * of_bucket),
            };
            put_bucket(store, creator_id, i32::try_from(number)?, active_from).await?;
        }
        let ids = self.0.iter().take(count as usize);
        stream::iter(ids.zip(0..).map(Ok))
            .try_for_each_concurrent(AT_ONCE, |(id, number)| async move {
                let edge = FollowEdge {
                    follower_id: *id,
                    creator_id,
                    version: 1,
                    op_id: Uuid::now_v7(),
                    state: FollowState::Following,
                    followed_at: first_at + step * number,
                    followers_bucket: i32::try_from(number / of_bucket)?,
                    following_bucket: 0,
                };
                let put = store.update_follow(&edge).await?;
                anyhow::ensure!(put == Cas::Done, "{put:?}");
                Ok(store.put_follow_rows(&edge).await?)
            })
            .await
    }
}

async fn put_account(store: &SharedStore, account_id: AccountId) -> anyhow::Result<()> {
    let account = Account {
        account_id,
        version: 1,
        op_id: Uuid::now_v7(),
        email: format!("{account_id}@example.com"),
        display_name: "One of many".to_owned(),
        // Nobody has this password; an account without a hash is a deleted one.
        password_hash: "none".to_owned(),
        created_at: SystemEnv.now(),
    };
    let put = store.insert_account(&account).await?;
    anyhow::ensure!(put == Put::Done, "{put:?}");
    Ok(())
}

async fn put_bucket(
    store: &SharedStore,
    creator_id: AccountId,
    number: i32,
    active_from: Timestamp,
) -> anyhow::Result<()> {
    let bucket = FollowBucket {
        list: FollowList::followers_of(creator_id),
        number,
        version: 1,
        op_id: Uuid::now_v7(),
        active_from,
        marks: 1,
    };
    let put = store.update_follow_bucket(&bucket).await?;
    anyhow::ensure!(put == Cas::Done, "{put:?}");
    Ok(())
}
