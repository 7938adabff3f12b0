//! Processes that share a store know of each other.

use std::time::Duration;

use super::samples::{NOW, id};
use crate::{
    domain::ProcessId,
    store::{
        SharedStore,
        processes::{Heartbeat, ProcessSeen},
    },
};

/// A store may be slow to answer, and its clock coarse.
const TOLERANCE: Duration = Duration::from_secs(3);

async fn find(store: &SharedStore, process_id: ProcessId) -> Option<ProcessSeen> {
    let seen = store.list_processes().await.unwrap();
    let mut found = seen.into_iter().filter(|it| it.process_id == process_id);
    let one = found.next();
    assert_eq!(found.next(), None, "a process is listed once");
    one
}

/// A process is known from its first heartbeat until it leaves; its clock is told as it was in the last one.
pub async fn processes_are_known_until_they_leave(store: &SharedStore) {
    let [process_id, other] = [(); 2].map(|()| ProcessId::new(id()));
    let beat = |process_id, address: &str, clock| Heartbeat {
        process_id,
        address: address.to_owned(),
        clock,
    };
    store.beat(&beat(other, "other", NOW)).await.unwrap();
    assert_eq!(find(store, process_id).await, None);
    store.beat(&beat(process_id, "one", NOW)).await.unwrap();
    let first = find(store, process_id).await.unwrap();
    assert_eq!(first.address, "one");
    assert!(first.age < TOLERANCE, "{first:?}");
    assert!(first.is_alive(), "{first:?}");

    let later = NOW + Duration::from_secs(1_000);
    store.beat(&beat(process_id, "two", later)).await.unwrap();
    let second = find(store, process_id).await.unwrap();
    assert_eq!(second.address, "two");
    let moved = Duration::from_micros((second.ahead_micros - first.ahead_micros).unsigned_abs());
    assert!(
        moved.abs_diff(later.since(NOW)) < TOLERANCE,
        "{first:?} {second:?}"
    );

    store.leave(process_id).await.unwrap();
    assert_eq!(find(store, process_id).await, None);
    assert!(find(store, other).await.is_some());
    store.leave(other).await.unwrap();
}

/// A heartbeat ages, and a process without one is dead in the end.
pub async fn a_silent_process_is_dead(store: &SharedStore) {
    let process_id = ProcessId::new(id());
    let heartbeat = Heartbeat {
        process_id,
        address: String::new(),
        clock: NOW,
    };
    store.beat(&heartbeat).await.unwrap();
    let first = find(store, process_id).await.unwrap();
    let waited = Duration::from_secs(6);
    tokio::time::sleep(waited).await;
    let seen = find(store, process_id).await.unwrap();
    assert!(!seen.is_alive(), "{seen:?}");
    assert!(
        seen.age.saturating_sub(first.age).abs_diff(waited) < TOLERANCE,
        "{first:?} {seen:?}"
    );
    store.leave(process_id).await.unwrap();
}

/// Some node's clock can be read, and it is a clock.
pub async fn clocks_go_on(store: &SharedStore) {
    let first = store.read_clocks().await.unwrap();
    let span = Duration::from_millis(50);
    tokio::time::sleep(span).await;
    let second = store.read_clocks().await.unwrap();
    let passed = second[0].time.since(first[0].time);
    assert!(
        passed >= span / 2 && passed < TOLERANCE,
        "{first:?} {second:?}"
    );
}
