//! Group commit: one record for all who wait, and never too much in one.

use std::time::Duration;

use futures::future::join_all;

use crate::{
    domain::order::OrderState,
    ledger::{
        Answer, Command, Event,
        entry::CloseReason,
        record::BODY_BYTES_MAX,
        state::Phase,
        testing::{EPOCH, World, cancel_drop, order_id, place, terms},
    },
    store::faulty::{FaultPlan, Odds},
};

const SLOW: FaultPlan = FaultPlan {
    append: Odds {
        refuse: 0.0,
        lose: 0.0,
        hide_outcome: 0.0,
        duplicate: 0.0,
        late: 0.0,
        delay: 1.0,
    },
    write: NONE,
    read: NONE,
    delay_max: Duration::from_millis(100),
};
const NONE: Odds = Odds {
    refuse: 0.0,
    lose: 0.0,
    hide_outcome: 0.0,
    duplicate: 0.0,
    late: 0.0,
    delay: 0.0,
};

#[tokio::test(start_paused = true)]
async fn who_waits_together_is_stored_together() {
    let world = World::with(1, &terms(&[(200, 500, 0)], EPOCH)).await;
    let process = world.alone(SLOW);
    process.call(Command::GetDrop).await.unwrap();
    let before = world.log().await.len();
    let calls = (0..100).map(|n| {
        let process = &process;
        async move { process.call(place(n, n as u128, &[(0, 1)])).await }
    });
    for answer in join_all(calls).await {
        assert!(matches!(answer, Ok(Answer::Order(_))), "{answer:?}");
    }
    assert!(world.log().await.len() - before <= 2);
}

/// Orders as large as they get, at price and for free, low-stock notices, expiry and the end: no record outgrows its bound.
#[tokio::test(start_paused = true)]
async fn no_record_is_too_large() {
    for price in [0, 500] {
        let mut offer = terms(&[(60_000, price, 0); 100], EPOCH);
        offer.low_stock_threshold = 30_000;
        let world = World::with(1, &offer).await;
        let process = world.alone(SLOW);
        process.call(Command::GetDrop).await.unwrap();
        let lines: Vec<_> = (0..100).map(|item| (item, 1_000)).collect();
        let calls = (0..60).map(|n| process.call(place(n, n as u128, &lines)));
        for answer in join_all(calls).await {
            assert!(matches!(answer, Ok(Answer::Order(_))), "{answer:?}");
        }
        tokio::time::sleep(Duration::from_secs(40)).await;
        let calls = (60..100).map(|n| process.call(place(n, n as u128, &lines)));
        join_all(calls).await;
        process.call(cancel_drop(1)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let log = world.log().await;
        let largest = log.iter().map(|record| record.body.len()).max().unwrap();
        assert!(largest <= BODY_BYTES_MAX, "{largest} bytes");
        assert!(largest > BODY_BYTES_MAX / 2, "{largest} bytes: not filled");
        let entries = world.entries().await;
        assert!(
            entries
                .iter()
                .any(|(_, entry)| entry.event == Event::Sealed)
        );
    }
}

/// A record costs the store about the same however many orders it has, so a drop of few items fills them.
#[tokio::test(start_paused = true)]
async fn a_hot_drop_fills_its_records() {
    for price in [0, 500] {
        let world = World::with(1, &terms(&[(9_999, price, 0); 3], EPOCH)).await;
        let process = world.alone(SLOW);
        process.call(Command::GetDrop).await.unwrap();
        let calls = (0..2_000).map(|n| {
            let process = &process;
            async move { process.call(place(n, n as u128, &[(n % 3, 1)])).await }
        });
        for answer in join_all(calls).await {
            assert!(matches!(answer, Ok(Answer::Order(_))), "{answer:?}");
        }
        let log = world.log().await;
        let largest = log.iter().map(|record| record.body.len()).max().unwrap();
        let range = BODY_BYTES_MAX / 8 * 7..=BODY_BYTES_MAX;
        assert!(range.contains(&largest), "{largest} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_drop_works_off_all_it_owes() {
    let world = World::with(1, &terms(&[(9_999, 500, 0), (9_999, 0, 0)], EPOCH)).await;
    let process = world.alone(FaultPlan::default());
    let calls = (0..2_500).map(|n| {
        let process = &process;
        // The last 500 are free, and so sold at once.
        let item = usize::from(n >= 2_000);
        async move {
            process
                .call(place(n, n as u128, &[(item, 1)]))
                .await
                .unwrap()
        }
    });
    join_all(calls).await;
    let before = world.log().await.len();
    process.call(cancel_drop(1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let log = world.log().await;
    assert!(log.len() - before > 2, "{} records", log.len() - before);
    assert!(log.iter().all(|record| record.body.len() <= BODY_BYTES_MAX));
    let last = log.last().unwrap();
    assert_eq!((last.held, last.sold, last.available), (0, 500, 19_498));
    let entries = world.entries().await;
    let count =
        |wanted: fn(&Event) -> bool| entries.iter().filter(|it| wanted(&it.1.event)).count();
    assert_eq!(
        count(|event| matches!(event, Event::Released { .. })),
        2_000
    );
    assert_eq!(
        count(|event| matches!(event, Event::RefundStarted { .. })),
        500
    );
    assert_eq!(count(|event| matches!(event, Event::Refunded { .. })), 500);
    let Ok(Answer::Drop(view)) = process.call(Command::GetDrop).await else {
        panic!();
    };
    assert_eq!(view.phase, Phase::Sealed(CloseReason::Cancelled));
    for (n, state) in [(7, OrderState::Cancelled), (2_100, OrderState::Refunded)] {
        let found = process.call(Command::GetOrder {
            caller_id: crate::ledger::testing::creator_id(),
            order_id: order_id(n),
        });
        let Ok(Answer::Order(view)) = found.await else {
            panic!();
        };
        assert_eq!(view.order.state, state);
    }
}
