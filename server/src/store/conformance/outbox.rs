//! Intents and announcements.

use std::time::Duration;

use uuid::Uuid;

use super::{
    pages::{self, first_100},
    samples::{id, id_in_shard, some_hour},
};
use crate::{
    domain::{AccountId, Timestamp},
    store::{
        SharedStore,
        outbox::{Entity, EntityKind, Intent, IntentKey},
    },
};

const HOUR: Duration = Duration::from_secs(3_600);
const MICRO: Duration = Duration::from_micros(1);

fn intent(kind: EntityKind, shard: u8, created_at: Timestamp) -> Intent {
    let id = id_in_shard(shard);
    Intent {
        entity: Entity { kind, id },
        op_id: super::samples::id(),
        created_at,
    }
}

/// An hour's intents are listed by time and operation, up and down, once however often they are put.
pub async fn intents_page_both_ways(store: &SharedStore) {
    let start = some_hour();
    let edge = EntityKind::FollowEdge(AccountId::new(id()));
    let kinds = [
        EntityKind::Account,
        EntityKind::Creator,
        EntityKind::Drop,
        EntityKind::Product,
        edge,
    ];
    let mut intents: Vec<_> = (0..7)
        .zip(kinds.into_iter().cycle())
        .map(|(i, kind)| intent(kind, 5, start + Duration::from_secs(i / 2)))
        .collect();
    intents.sort_by_key(Intent::key);
    for intent in intents.iter().rev().chain(&intents) {
        store.put_intent(intent).await.unwrap();
    }
    let between = IntentKey {
        created_at: start,
        op_id: Uuid::max(),
    };
    pages::go_both_ways(&intents, between, Intent::key, async |page| {
        store.list_intents(5, start.hour(), page).await
    })
    .await;
}

/// The first and last instant of a UTC hour belong to it, and a shard has its own entities only. Hours before 1970 are hours.
pub async fn shards_and_hours_are_apart(store: &SharedStore) {
    let zero = Timestamp::from_micros(0);
    let ago = zero - some_hour().since(zero);
    for start in [some_hour(), ago] {
        let of = |shard, created_at| intent(EntityKind::Drop, shard, created_at);
        let inside = [of(0, start), of(0, start + HOUR - MICRO)];
        let (before, after) = (of(0, start - MICRO), of(0, start + HOUR));
        let other = of(15, start);
        for intent in [before, inside[0], inside[1], after, other] {
            store.put_intent(&intent).await.unwrap();
        }
        for (shard, hours, expected) in [
            (0, -1, &[before][..]),
            (0, 0, &inside),
            (0, 1, &[after]),
            (0, 2, &[]),
            (15, 0, &[other]),
            (1, 0, &[]),
        ] {
            let listed = store.list_intents(shard, start.hour() + hours, first_100());
            assert_eq!(
                listed.await.unwrap(),
                expected,
                "shard {shard}, {hours} hours on"
            );
        }
    }
}

/// An intent is gone once it is removed; removing one that is not there is harmless.
pub async fn intents_are_removed(store: &SharedStore) {
    let start = some_hour();
    let [first, second] = [(); 2].map(|()| intent(EntityKind::Account, 7, start));
    for intent in [first, second] {
        store.put_intent(&intent).await.unwrap();
    }
    for left in [&[second][..], &[second]] {
        store.remove_intent(&first).await.unwrap();
        let listed = store.list_intents(7, start.hour(), first_100()).await;
        assert_eq!(listed.unwrap(), left);
    }
    store.remove_intent(&second).await.unwrap();
    let listed = store.list_intents(7, start.hour(), first_100()).await;
    assert_eq!(listed.unwrap(), []);
}

/// Whatever the order of arrival, the greatest version stays, of each row for itself.
pub async fn the_greatest_version_stays_announced(store: &SharedStore) {
    let entity_id = id();
    let of = |kind| Entity {
        kind,
        id: entity_id,
    };
    for (entity, versions) in [
        (of(EntityKind::Account), [1, 2, 300]),
        (of(EntityKind::Creator), [301, 2, 1]),
        (of(EntityKind::Drop), [2, 302, 1]),
    ] {
        assert_eq!(store.get_announced(entity).await.unwrap(), 0);
        for version in versions {
            store.put_announced(entity, version).await.unwrap();
        }
    }
    for (kind, greatest) in [
        (EntityKind::Account, 300),
        (EntityKind::Creator, 301),
        (EntityKind::Drop, 302),
    ] {
        assert_eq!(store.get_announced(of(kind)).await.unwrap(), greatest);
    }
    let other = Entity {
        kind: EntityKind::Drop,
        id: id(),
    };
    assert_eq!(store.get_announced(other).await.unwrap(), 0);
}
