//! Drops by their creator, and all of them.

use std::{collections::BTreeMap, time::Duration};

use uuid::Uuid;

use super::{
    pages::{self, first_100},
    samples::{NOW, drop, id},
};
use crate::{
    domain::{AccountId, DropId, drop::Drop},
    store::{Order, Put, SharedStore},
};

/// A creator's drops are listed by time and id, up and down, once however often they are put.
pub async fn creator_drops_page_both_ways(store: &SharedStore) {
    let creator_id = AccountId::new(id());
    let mut rows: Vec<_> = (0..7)
        .map(|i| (NOW + Duration::from_micros(i / 2), DropId::new(id())))
        .collect();
    rows.sort();
    for (created_at, drop_id) in rows.iter().rev().chain(&rows) {
        store
            .put_creator_drop(creator_id, *created_at, *drop_id)
            .await
            .unwrap();
    }
    let between = (NOW, DropId::new(Uuid::max()));
    pages::go_both_ways(
        &rows,
        between,
        |row| *row,
        async |page| store.list_creator_drops(creator_id, page).await,
    )
    .await;
}

/// A creator's list has nobody else's drops.
pub async fn creators_drops_are_apart(store: &SharedStore) {
    let rows = [(); 2].map(|()| (AccountId::new(id()), (NOW, DropId::new(id()))));
    for (creator_id, (created_at, drop_id)) in rows {
        store
            .put_creator_drop(creator_id, created_at, drop_id)
            .await
            .unwrap();
    }
    for (creator_id, row) in rows {
        let listed = store.list_creator_drops(creator_id, first_100()).await;
        assert_eq!(listed.unwrap(), [row]);
    }
    let nobody = AccountId::new(id());
    let listed = store.list_creator_drops(nobody, first_100()).await;
    assert_eq!(listed.unwrap(), []);
}

/// A scan comes by every drop once, whatever its pages.
pub async fn a_scan_has_every_drop_once(store: &SharedStore) {
    let drops: Vec<_> = (0..7).map(|_| drop()).collect();
    for drop in &drops {
        assert_eq!(store.insert_drop(drop).await.unwrap(), Put::Done);
    }
    for limit in [3, 100] {
        let scanned = pages::read_all(
            limit,
            Order::Ascending,
            |drop: &Drop| drop.drop_id,
            async |page| store.scan_drops(page.after, page.limit).await,
        )
        .await;
        let by_id: BTreeMap<_, _> = scanned.iter().map(|drop| (drop.drop_id, drop)).collect();
        assert_eq!(by_id.len(), scanned.len(), "limit {limit}");
        for drop in &drops {
            assert_eq!(by_id.get(&drop.drop_id), Some(&drop), "limit {limit}");
        }
    }
}
