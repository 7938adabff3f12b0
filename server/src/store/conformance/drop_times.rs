//! The list of when drops open.

use std::time::Duration;

use super::{
    pages::{self, first_100},
    samples::{id, id_in_shard},
};
use crate::{
    domain::{DropId, Timestamp},
    store::{
        SharedStore,
        drops::{DropTime, DropTimeKey},
    },
};

const DAY: Duration = Duration::from_secs(86_400);

/// The start of a day that nobody else is likely to use.
fn some_day() -> Timestamp {
    let number = u32::try_from(id().as_u128() % 30_000_000).unwrap();
    Timestamp::from_micros(0) + DAY * number
}

fn row(opens_at: Timestamp, shard: u8) -> DropTime {
    let drop_id = DropId::new(id_in_shard(shard));
    DropTime {
        key: DropTimeKey { opens_at, drop_id },
        ends_at: opens_at + DAY,
    }
}

/// Puts rows in an order unlike that of their keys.
async fn put_all(store: &SharedStore, rows: &[DropTime]) {
    for row in rows.iter().rev() {
        store.put_drop_time(*row, row.key.opens_at).await.unwrap();
    }
}

async fn list(store: &SharedStore, day: i32, shard: u8) -> Vec<DropTime> {
    let page = first_100();
    store.list_drop_times(day, shard, page).await.unwrap()
}

/// A day's drops are listed by time and id, up and down.
pub async fn pages_go_both_ways(store: &SharedStore) {
    let start = some_day();
    let mut rows: Vec<_> = (0..7)
        .map(|i| row(start + Duration::from_secs(i / 2), 5))
        .collect();
    rows.sort_by_key(|row| row.key);
    put_all(store, &rows).await;
    let between = DropTimeKey {
        drop_id: DropId::new(uuid::Uuid::max()),
        opens_at: start,
    };
    pages::go_both_ways(
        &rows,
        between,
        |row| row.key,
        async |page| store.list_drop_times(start.day(), 5, page).await,
    )
    .await;
}

/// The first and last instant of a day belong to it, and a shard sees its own drops only.
pub async fn partitions_are_apart(store: &SharedStore) {
    let start = some_day();
    let last = start + DAY - Duration::from_micros(1);
    let (of_day, of_next) = ([row(start, 0), row(last, 0)], [row(start + DAY, 0)]);
    let of_shard = [row(start, 15)];
    for rows in [&of_day[..], &of_next, &of_shard] {
        put_all(store, rows).await;
    }
    for (days, shard, rows) in [
        (0, 0, &of_day[..]),
        (1, 0, &of_next),
        (0, 15, &of_shard),
        (0, 1, &[]),
        (-1, 0, &[]),
    ] {
        let listed = list(store, start.day() + days, shard).await;
        assert_eq!(listed, rows, "{days} days on, shard {shard}");
    }
}

/// Whatever the order of arrival, the row with the latest time stays; of two with one time the larger.
pub async fn the_latest_write_stays(store: &SharedStore) {
    let start = some_day();
    let (second, day) = (Duration::from_secs(1), start.day());
    for (times, winner) in [
        ([1, 2, 3], 2),
        ([3, 2, 1], 0),
        ([2, 3, 1], 1),
        ([1, 3, 2], 1),
        ([1, 2, 2], 2),
        ([2, 2, 1], 1),
    ] {
        let first = row(start, 9);
        let rows = [1, 2, 3].map(|hours| DropTime {
            ends_at: start + DAY * hours,
            ..first
        });
        for (row, time) in rows.iter().zip(times) {
            store
                .put_drop_time(*row, start + second * time)
                .await
                .unwrap();
        }
        let listed = list(store, day, 9).await;
        assert!(
            listed.contains(&rows[winner]),
            "written at {times:?}: {listed:?}"
        );
        assert_eq!(listed.iter().filter(|row| row.key == first.key).count(), 1);
    }
    // Equal times once more, the larger first.
    let (larger, time) = (row(start, 9), start + second);
    store.put_drop_time(larger, time).await.unwrap();
    store
        .put_drop_time(
            DropTime {
                ends_at: start,
                ..larger
            },
            time,
        )
        .await
        .unwrap();
    assert!(list(store, day, 9).await.contains(&larger));
}
