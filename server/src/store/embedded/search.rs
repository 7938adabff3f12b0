//! What search has to look at again: partition = the hour, clustering = time, entity.

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    outbox::{decode_entity, encode_entity},
    rows::SEARCH_CHANGES,
};
use crate::store::{
    PageRequest, Result,
    search::{CHANGE_TTL, SearchChange, SearchChangeKey, SearchChangeStore},
};

/// Rows past their time that each new one takes away: more than the one that it adds.
const SWEEP_ROWS_MAX: usize = 4;

fn clustering(key: &SearchChangeKey) -> [u8; 24] {
    key::time_and_id(key.noted_at, key.id.as_bytes())
}

#[async_trait]
impl SearchChangeStore for EmbeddedStore {
    async fn put_search_change(&self, change: &SearchChange) -> Result<()> {
        let hour = key::ordered_i64(change.noted_at.hour());
        let key = [&hour[..], &clustering(&change.key())].concat();
        let row = encode_entity(change.entity);
        let end = key::ordered_i64((self.env.now() - CHANGE_TTL).hour());
        self.write(move |rows| {
            for dead in rows.keys_before(SEARCH_CHANGES, &end, SWEEP_ROWS_MAX)? {
                rows.delete(SEARCH_CHANGES, &dead)?;
            }
            rows.put(SEARCH_CHANGES, &key, &[&row])
        })
        .await
    }

    async fn list_search_changes(
        &self,
        hour: i64,
        page: PageRequest<SearchChangeKey>,
    ) -> Result<Vec<SearchChange>> {
        let after = page.after.as_ref().map(clustering);
        let after = after.as_ref().map(|it| &it[..]);
        let range = key::range(&key::ordered_i64(hour), after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(
                SEARCH_CHANGES,
                range,
                page.order,
                page.limit,
                |mut key, row| {
                    let _hour: [u8; 8] = key::take(&mut key)?;
                    Ok(Some(SearchChange {
                        noted_at: key::take_time(&mut key)?,
                        entity: decode_entity(row)?,
                    }))
                },
            )
        })
        .await
    }
}
