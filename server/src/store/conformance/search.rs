//! What search has to look at again.

use std::time::Duration;

use uuid::Uuid;

use super::{
    pages,
    samples::{id, some_hour},
};
use crate::store::{
    SharedStore,
    outbox::{Entity, EntityKind},
    search::{SearchChange, SearchChangeKey},
};

/// An hour's changes are listed by time and entity, up and down, once however often they are put; those of other hours are not.
pub async fn changes_page_both_ways(store: &SharedStore) {
    let start = some_hour();
    let kinds = [EntityKind::Creator, EntityKind::Drop, EntityKind::Product];
    let change = |(after, kind)| SearchChange {
        noted_at: start + Duration::from_secs(after),
        entity: Entity { kind, id: id() },
    };
    let all = [0, 0, 1, 1, 2, 3_599, 3_600];
    let mut changes: Vec<_> = all
        .into_iter()
        .zip(kinds.into_iter().cycle())
        .map(change)
        .collect();
    changes.sort_by_key(SearchChange::key);
    for change in changes.iter().rev().chain(&changes) {
        store.put_search_change(change).await.unwrap();
    }
    changes.pop();
    let between = SearchChangeKey {
        noted_at: start,
        id: Uuid::max(),
    };
    pages::go_both_ways(&changes, between, SearchChange::key, async |page| {
        store.list_search_changes(start.hour(), page).await
    })
    .await;
}
