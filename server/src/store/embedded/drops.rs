//! Drops (partition = id) and when they open (partition = day, shard; clustering = `opens_at`, id).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{DROPS, DROPS_BY_TIME, Failure},
};
use crate::{
    domain::{DropId, Timestamp, drop::Drop},
    store::{
        Cas, DropStore, PageRequest, Put, Result,
        drops::{DropTime, DropTimeKey},
    },
};

fn partition(day: i32, shard: u8) -> Vec<u8> {
    [&key::ordered_i32(day)[..], &[shard]].concat()
}

fn clustering(key: &DropTimeKey) -> Vec<u8> {
    [
        &key::ordered_i64(key.opens_at.micros())[..],
        key.drop_id.as_bytes(),
    ]
    .concat()
}

/// A stored row is the time of writing, then `ends_at`, both in byte order: what is left of ties is then the later `ends_at`.
fn decode(mut key: &[u8], mut row: &[u8]) -> std::result::Result<DropTime, Failure> {
    let _partition: [u8; 5] = key::take(&mut key)?;
    let opens_at = Timestamp::from_micros(key::from_ordered_i64(key::take(&mut key)?));
    let drop_id = DropId::new(uuid::Uuid::from_bytes(key::take(&mut key)?));
    let _written_at: [u8; 8] = key::take(&mut row)?;
    let ends_at = Timestamp::from_micros(key::from_ordered_i64(key::take(&mut row)?));
    Ok(DropTime {
        key: DropTimeKey { opens_at, drop_id },
        ends_at,
    })
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
        let encoded = [partition, clustering(&key)].concat();
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
        let range = key::range(&partition(day, shard), after.as_deref(), page.order);
        self.scan(move |snapshot| {
            snapshot.page(DROPS_BY_TIME, range, page.order, page.limit, |key, row| {
                decode(key, row).map(Some)
            })
        })
        .await
    }
}
