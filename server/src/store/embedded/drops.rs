//! Drops (partition = id), when they open (partition = day, shard; clustering = `opens_at`, id) and whose they are (partition = creator;
//! clustering = `created_at`, id).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{DROPS, DROPS_BY_CREATOR, DROPS_BY_TIME, Failure},
    versioned,
};
use crate::{
    domain::{AccountId, DropId, Timestamp, drop::Drop},
    store::{
        Cas, DropStore, Order, PageRequest, Put, Result,
        drops::{DropTime, DropTimeKey},
    },
};

fn partition(day: i32, shard: u8) -> Vec<u8> {
    [&key::ordered_i32(day)[..], &[shard]].concat()
}

/// A stored row is the time of writing, then `ends_at`, both in byte order: what is left of ties is then the later `ends_at`.
fn decode(mut key: &[u8], mut row: &[u8]) -> std::result::Result<DropTime, Failure> {
    let _partition: [u8; 5] = key::take(&mut key)?;
    let opens_at = key::take_time(&mut key)?;
    let drop_id = DropId::new(key::take_id(&mut key)?);
    let _written_at = key::take_time(&mut row)?;
    let ends_at = key::take_time(&mut row)?;
    Ok(DropTime {
        key: DropTimeKey { opens_at, drop_id },
        ends_at,
    })
}

fn clustering(key: &DropTimeKey) -> [u8; 24] {
    key::time_and_id(key.opens_at, key.drop_id.as_bytes())
}

fn decode_creator_drop(mut key: &[u8]) -> std::result::Result<(Timestamp, DropId), Failure> {
    let _creator_id = key::take_id(&mut key)?;
    let created_at = key::take_time(&mut key)?;
    Ok((created_at, DropId::new(key::take_id(&mut key)?)))
}

#[async_trait]
impl DropStore for EmbeddedStore {
    async fn insert_drop(&self, drop: &Drop) -> Result<Put<Drop>> {
        self.insert_row(DROPS, drop.drop_id.as_bytes(), drop).await
    }

    async fn get_drop(&self, drop_id: DropId) -> Result<Option<Drop>> {
        self.get_row(DROPS, drop_id.as_bytes())
    }

    async fn update_drop(&self, drop: &Drop) -> Result<Cas<Drop>> {
        self.replace_row(DROPS, drop.drop_id.as_bytes(), drop).await
    }

    async fn put_drop_time(&self, row: DropTime, written_at: Timestamp) -> Result<()> {
        let DropTime { key, ends_at } = row;
        let partition = partition(key.opens_at.day(), key.drop_id.shard());
        let encoded = [&partition[..], &clustering(&key)].concat();
        let (written_at, ends_at) = (
            key::ordered_i64(written_at.micros()),
            key::ordered_i64(ends_at.micros()),
        );
        self.write(move |rows| rows.put_newest(DROPS_BY_TIME, &encoded, &written_at, &ends_at))
            .await
    }

    async fn list_drop_times(
        &self,
        day: i32,
        shard: u8,
        page: PageRequest<DropTimeKey>,
    ) -> Result<Vec<DropTime>> {
        let after = page.after.as_ref().map(clustering);
        let range = key::range(
            &partition(day, shard),
            after.as_ref().map(|it| &it[..]),
            page.order,
        );
        self.scan(move |snapshot| {
            snapshot.page(DROPS_BY_TIME, range, page.order, page.limit, |key, row| {
                decode(key, row).map(Some)
            })
        })
        .await
    }

    async fn put_creator_drop(
        &self,
        creator_id: AccountId,
        created_at: Timestamp,
        drop_id: DropId,
    ) -> Result<()> {
        let clustering = key::time_and_id(created_at, drop_id.as_bytes());
        let key = [&creator_id.as_bytes()[..], &clustering].concat();
        self.write(move |rows| rows.put_if_absent(DROPS_BY_CREATOR, &key, &[]).map(drop))
            .await
    }

    async fn list_creator_drops(
        &self,
        creator_id: AccountId,
        page: PageRequest<(Timestamp, DropId)>,
    ) -> Result<Vec<(Timestamp, DropId)>> {
        let after = page
            .after
            .map(|(created_at, drop_id)| key::time_and_id(created_at, drop_id.as_bytes()));
        let after = after.as_ref().map(|it| &it[..]);
        let range = key::range(creator_id.as_bytes(), after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(DROPS_BY_CREATOR, range, page.order, page.limit, |key, _| {
                decode_creator_drop(key).map(Some)
            })
        })
        .await
    }

    async fn scan_drops(&self, after: Option<DropId>, limit: usize) -> Result<Vec<Drop>> {
        let after = after.as_ref().map(|it| &it.as_bytes()[..]);
        let range = key::range(&[], after, Order::Ascending);
        self.scan(move |snapshot| {
            snapshot.page(DROPS, range, Order::Ascending, limit, |_, row| {
                versioned::decode(row).map(Some)
            })
        })
        .await
    }
}
