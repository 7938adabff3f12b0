//! Edges (partition = follower, creator), the two lists (partition = owner, bucket; clustering = `followed_at`, the other one) and their
//! buckets (partition = owner, side; clustering = number).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{FOLLOW_BUCKETS, FOLLOW_EDGES, FOLLOWERS, FOLLOWING, Failure, RowTable},
    versioned::decode,
};
use crate::{
    domain::AccountId,
    store::{
        Cas, FollowStore, Order, PageRequest, Put, Result,
        follows::{
            BUCKETS_MAX, FollowBucket, FollowEdge, FollowList, FollowPlace, FollowSide, FollowState,
        },
    },
};

pub(super) fn edge_key(follower_id: AccountId, creator_id: AccountId) -> Vec<u8> {
    [&follower_id.as_bytes()[..], creator_id.as_bytes()].concat()
}

pub(super) fn bucket_key(bucket: &FollowBucket) -> Vec<u8> {
    [
        &buckets_of(bucket.list)[..],
        &key::ordered_i32(bucket.number),
    ]
    .concat()
}

fn buckets_of(list: FollowList) -> Vec<u8> {
    let side = match list.side {
        FollowSide::Followers => 1,
        FollowSide::Following => 2,
    };
    [&list.owner_id.as_bytes()[..], &[side]].concat()
}

const fn table_of(list: FollowList) -> RowTable {
    match list.side {
        FollowSide::Followers => FOLLOWERS,
        FollowSide::Following => FOLLOWING,
    }
}

fn partition(list: FollowList, bucket: i32) -> Vec<u8> {
    [&list.owner_id.as_bytes()[..], &key::ordered_i32(bucket)].concat()
}

fn clustering(place: &FollowPlace) -> [u8; 24] {
    key::time_and_id(place.followed_at, place.account_id.as_bytes())
}

fn decode_place(mut key: &[u8]) -> std::result::Result<FollowPlace, Failure> {
    let _partition: [u8; 20] = key::take(&mut key)?;
    Ok(FollowPlace {
        followed_at: key::take_time(&mut key)?,
        account_id: AccountId::new(key::take_id(&mut key)?),
    })
}

#[async_trait]
impl FollowStore for EmbeddedStore {
    async fn get_follow(
        &self,
        follower_id: AccountId,
        creator_id: AccountId,
    ) -> Result<Option<FollowEdge>> {
        self.get_row(FOLLOW_EDGES, &edge_key(follower_id, creator_id))
    }

    async fn get_follows(
        &self,
        follower_id: AccountId,
        creator_ids: &[AccountId],
    ) -> Result<Vec<Option<FollowEdge>>> {
        let creator_ids = creator_ids.to_vec();
        self.scan(move |snapshot| {
            let get = |id: &AccountId| {
                let key = edge_key(follower_id, *id);
                snapshot.get(FOLLOW_EDGES, &key, decode)
            };
            creator_ids.iter().map(get).collect()
        })
        .await
    }

    async fn update_follow(&self, edge: &FollowEdge) -> Result<Cas<FollowEdge>> {
        let key = edge_key(edge.follower_id, edge.creator_id);
        if edge.version != 1 {
            return self.replace_row(FOLLOW_EDGES, &key, edge).await;
        }
        Ok(match self.insert_row(FOLLOW_EDGES, &key, edge).await? {
            Put::Exists(found) if found.op_id != edge.op_id => Cas::Stale(Some(found)),
            Put::Done | Put::Exists(_) => Cas::Done,
        })
    }

    async fn put_follow_rows(&self, edge: &FollowEdge) -> Result<()> {
        let edge = edge.clone();
        self.write(move |rows| {
            let stored = rows.get(FOLLOW_EDGES, &edge_key(edge.follower_id, edge.creator_id))?;
            let stored: Option<FollowEdge> = stored.map(|row| decode(&row)).transpose()?;
            // Whoever stored that follows it up. So a row that was deleted needs to leave nothing behind.
            if stored.is_some_and(|stored| stored.version > edge.version) {
                return Ok(());
            }
            for (list, bucket, place) in edge.places() {
                let key = [&partition(list, bucket)[..], &clustering(&place)].concat();
                let version = key::ordered_i64(edge.version);
                match edge.state {
                    FollowState::Following => {
                        rows.put_newest(table_of(list), &key, &version, &[])?;
                    }
                    FollowState::Unfollowed => rows.delete(table_of(list), &key)?,
                }
            }
            Ok(())
        })
        .await
    }

    async fn list_follow_rows(
        &self,
        list: FollowList,
        bucket: i32,
        page: PageRequest<FollowPlace>,
    ) -> Result<Vec<FollowPlace>> {
        let after = page.after.as_ref().map(clustering);
        let after = after.as_ref().map(|it| &it[..]);
        let range = key::range(&partition(list, bucket), after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(table_of(list), range, page.order, page.limit, |key, _| {
                decode_place(key).map(Some)
            })
        })
        .await
    }

    async fn list_follow_buckets(&self, list: FollowList) -> Result<Vec<FollowBucket>> {
        let range = key::range(&buckets_of(list), None, Order::Descending);
        self.read(|snapshot| {
            snapshot.page(
                FOLLOW_BUCKETS,
                range,
                Order::Descending,
                BUCKETS_MAX,
                |_, row| decode(row).map(Some),
            )
        })
    }

    async fn update_follow_bucket(&self, bucket: &FollowBucket) -> Result<Cas<FollowBucket>> {
        let key = bucket_key(bucket);
        if bucket.version != 1 {
            return self.replace_row(FOLLOW_BUCKETS, &key, bucket).await;
        }
        Ok(match self.insert_row(FOLLOW_BUCKETS, &key, bucket).await? {
            Put::Exists(found) if found.op_id != bucket.op_id => Cas::Stale(Some(found)),
            Put::Done | Put::Exists(_) => Cas::Done,
        })
    }
}
