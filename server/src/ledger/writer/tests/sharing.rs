//! A ledger that other processes write too: what they wrote is told, and who may not write does not.

use std::time::Duration;

use crate::{
    domain::order::OrderState,
    ledger::{
        Answer,
        registry::LedgerError,
        testing::{EPOCH, World, drop_id, order_id, place, terms},
    },
    store::faulty::FaultPlan,
};

async fn world() -> World {
    World::with(1, &terms(&[(5, 500, 0), (100, 0, 0)], EPOCH)).await
}

#[tokio::test(start_paused = true)]
async fn what_others_wrote_is_told_without_a_command() {
    let world = world().await;
    let [one, other] = [1, 2].map(|n| world.process(n, FaultPlan::default(), 0));
    one.call(place(1, 1, &[(0, 2)])).await.unwrap();
    let opened = other.ledgers.ledger(drop_id(1)).await.unwrap();
    let mut watch = opened.watch_order(order_id(2));
    one.call(place(2, 2, &[(0, 1)])).await.unwrap();
    let changed = tokio::time::timeout(Duration::from_secs(2), watch.next()).await;
    let changed = changed.expect("told within two seconds").unwrap();
    assert_eq!(changed.state, OrderState::Held);
    assert_eq!(
        opened.view.borrow().seq,
        world.log().await.last().unwrap().seq
    );
}

/// A shared ledger that nobody looks at leaves memory all the same.
#[tokio::test(start_paused = true)]
async fn following_keeps_no_ledger_in_memory() {
    let world = world().await;
    let process = world.process(1, FaultPlan::default(), 0);
    process.call(place(1, 1, &[(1, 1)])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(process.ledgers.open_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_may_not_write_writes_nothing() {
    let world = world().await;
    let process = world.process(1, FaultPlan::default(), 0);
    let held = process.call(place(1, 1, &[(0, 2)])).await.unwrap();
    assert!(matches!(held, Answer::Order(_)), "{held:?}");
    let before = world.log().await;
    process.ledgers.allow_writing(false);
    let refused = process.call(place(2, 2, &[(0, 1)])).await;
    assert!(
        matches!(refused, Err(LedgerError::Unavailable(_))),
        "{refused:?}"
    );
    // The hold runs out, and is not released.
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.log().await, before);

    process.ledgers.allow_writing(true);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(world.log().await.last().unwrap().held, 0);
    process.call(place(3, 3, &[(0, 5)])).await.unwrap();
}
