//! How a ledger comes into memory, leaves it, and is found again after a crash.

use std::time::Duration;

use crate::{
    domain::{
        drop::{Drop, LedgerSecret},
        order::OrderState,
    },
    jobs::sweeper::sweep,
    ledger::{
        Answer, Command, Event,
        entry::ReleaseReason,
        registry::LedgerError,
        testing::{EPOCH, Process, World, cancel_order, drop_id, order_id, place, terms},
    },
    store::{
        Cas, DropStore as _, LedgerStore as _, OpenLedger,
        faulty::{Fault, FaultPlan, Method, Odds},
    },
};

/// Far beyond the time for which a ledger waits in memory.
const IDLE: Duration = Duration::from_secs(200);

async fn world() -> World {
    World::with(1, &terms(&[(5, 500, 0), (100, 0, 0)], EPOCH)).await
}

async fn open_rows(world: &World) -> Vec<OpenLedger> {
    let rows = world.store.list_open(drop_id(1).shard(), None, 99).await;
    rows.unwrap()
}

fn assert_order(answer: &Result<Answer, LedgerError>, state: OrderState) {
    match answer {
        Ok(Answer::Order(view)) => assert_eq!(view.order.state, state),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_ledger_leaves_memory_and_comes_back() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    assert_order(
        &process.call(place(1, 1, &[(1, 1)])).await,
        OrderState::Paid,
    );
    assert_eq!(process.ledgers.open_count(), 1);
    tokio::time::sleep(IDLE).await;
    assert_eq!(process.ledgers.open_count(), 0);
    assert_eq!(open_rows(&world).await, []);
    let again = process
        .call(Command::GetOrder {
            caller_id: crate::ledger::testing::buyer_id(1),
            order_id: order_id(1),
        })
        .await;
    assert_order(&again, OrderState::Paid);
    assert_order(
        &process.call(place(2, 2, &[(1, 1)])).await,
        OrderState::Paid,
    );
    world.entries().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_hold_keeps_the_ledger_and_its_note() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    assert_order(
        &process.call(place(1, 1, &[(0, 1)])).await,
        OrderState::Held,
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(open_rows(&world).await.len(), 1);
    process.ledgers.shutdown().await;
    assert_eq!(open_rows(&world).await.len(), 1, "a hold is open");

    let next = world.process(2, FaultPlan::default(), 0);
    assert_order(
        &next.call(cancel_order(1, order_id(1))).await,
        OrderState::Cancelled,
    );
    next.ledgers.shutdown().await;
    let left: Vec<_> = open_rows(&world).await;
    assert_eq!(left.len(), 1, "each process takes back its own note only");
    assert_eq!(left[0].process_id, process.ledgers.process_id());
}

#[tokio::test(start_paused = true)]
async fn the_note_stands_before_the_first_record() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    for _ in 0..3 {
        process.store.force(Method::MarkOpen, Fault::Lose);
    }
    let first = process.call(place(1, 1, &[(0, 1)])).await;
    assert!(
        matches!(first, Err(LedgerError::Unavailable(_))),
        "{first:?}"
    );
    assert_eq!(process.store.appends(), [], "nothing before the note");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_order(
        &process.call(place(1, 2, &[(0, 1)])).await,
        OrderState::Held,
    );
    assert_eq!(open_rows(&world).await.len(), 1);
}

/// A ledger leaves memory while new commands come in: the note of the one that follows must not be taken back with the old one's.
#[tokio::test(start_paused = true)]
async fn leaving_does_not_take_the_note_of_the_one_that_follows() {
    let mut offer = terms(&[(5, 500, 0), (100, 0, 0)], EPOCH);
    offer.ends_at = EPOCH + Duration::from_secs(86_400);
    let plan = FaultPlan {
        write: Odds {
            delay: 1.0,
            ..Odds::default()
        },
        delay_max: Duration::from_millis(400),
        ..FaultPlan::default()
    };
    for seed in 0..60 {
        let world = World::with(seed, &offer).await;
        let process = world.alone(plan);
        assert_order(
            &process.call(place(1, 1, &[(1, 1)])).await,
            OrderState::Paid,
        );
        // Around the moment at which it leaves.
        tokio::time::sleep(Duration::from_millis(59_980 + 5 * seed)).await;
        assert_order(
            &process.call(place(2, 2, &[(0, 1)])).await,
            OrderState::Held,
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        let rows = open_rows(&world).await.len();
        assert_eq!(
            rows, 1,
            "seed {seed}: the hold would be forgotten after a crash"
        );
        tokio::time::sleep(IDLE).await;
        assert_eq!(open_rows(&world).await, []);
        assert_eq!(process.ledgers.open_count(), 0);
    }
}

/// A hold may last longer than an idle ledger stays.
#[tokio::test(start_paused = true)]
async fn a_long_hold_keeps_the_ledger_in_memory() {
    let mut offer = terms(&[(5, 500, 0)], EPOCH);
    offer.hold_micros = 1_800_000_000;
    offer.ends_at = EPOCH + Duration::from_secs(86_400);
    let world = World::with(1, &offer).await;
    let process = world.alone(FaultPlan::default());
    assert_order(
        &process.call(place(1, 1, &[(0, 2)])).await,
        OrderState::Held,
    );
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    assert_eq!(process.ledgers.open_count(), 1);
    tokio::time::sleep(Duration::from_millis(802_010)).await;
    assert_eq!(world.log().await.last().unwrap().held, 0);
}

/// One ledger, one writer, even if the first tries to open it fail while others wait for them.
#[tokio::test(start_paused = true)]
async fn a_failed_opening_does_not_start_a_second_writer() {
    let world = world().await;
    let plan = FaultPlan {
        read: Odds {
            delay: 1.0,
            ..Odds::default()
        },
        delay_max: Duration::from_millis(100),
        ..FaultPlan::default()
    };
    let process = world.alone(plan);
    process.store.force(Method::ReadFrom, Fault::Refuse);
    let calls = (0..30_u64).map(|n| {
        let process = &process;
        async move {
            tokio::time::sleep(Duration::from_millis(10 * n)).await;
            process.ledgers.ledger(drop_id(1)).await
        }
    });
    let opened: Vec<_> = futures::future::join_all(calls).await;
    let first = opened.iter().find_map(|it| it.as_ref().ok()).unwrap();
    for ledger in opened.iter().flatten() {
        assert!(
            std::sync::Arc::ptr_eq(ledger, first),
            "two writers of one ledger"
        );
    }
    assert_eq!(opened.iter().filter(|it| it.is_err()).count(), 1);
}

/// Calls that are given up while a ledger opens leave nothing behind.
#[tokio::test(start_paused = true)]
async fn calls_given_up_leave_no_trace() {
    let world = world().await;
    let plan = FaultPlan {
        read: Odds {
            delay: 1.0,
            ..Odds::default()
        },
        delay_max: Duration::from_secs(100),
        ..FaultPlan::default()
    };
    let process = world.alone(plan);
    for n in 0..50 {
        let open = process.ledgers.ledger(drop_id(1_000 + n));
        let _ = tokio::time::timeout(Duration::from_millis(1), open).await;
    }
    assert_eq!(process.ledgers.open_count(), 0);
}

fn crash(process: Process) {
    process.env.kill();
}

#[tokio::test(start_paused = true)]
async fn holds_of_a_dead_process_run_out_without_any_client() {
    let world = world().await;
    let dead = world.alone(FaultPlan::default());
    assert_order(&dead.call(place(1, 1, &[(0, 2)])).await, OrderState::Held);
    crash(dead);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(world.log().await.last().unwrap().held, 2);

    let next = world.process(2, FaultPlan::default(), 0);
    let store = next.shared_store();
    // A failing store stops one sweep, not the next one.
    next.store.force(Method::ReadFrom, Fault::Refuse);
    assert_eq!(sweep(&store, &next.ledgers).await.unwrap(), 0);
    assert_eq!(sweep(&store, &next.ledgers).await.unwrap(), 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.log().await.last().unwrap().held, 0);
    let entries = world.entries().await;
    let released = Event::Released {
        order_id: order_id(1),
        reason: ReleaseReason::Expired,
    };
    assert_eq!(
        entries
            .iter()
            .filter(|(_, it)| it.event == released)
            .count(),
        1
    );
    tokio::time::sleep(IDLE).await;
    assert_eq!(open_rows(&world).await, []);
    assert_eq!(sweep(&store, &next.ledgers).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hold_runs_out_by_itself() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    assert_order(
        &process.call(place(1, 1, &[(0, 2)])).await,
        OrderState::Held,
    );
    tokio::time::sleep(Duration::from_millis(31_990)).await;
    assert_eq!(
        world.log().await.last().unwrap().held,
        2,
        "two seconds of grace"
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(world.log().await.last().unwrap().held, 0);
}

#[tokio::test(start_paused = true)]
async fn a_drop_that_is_not_due_has_no_ledger() {
    let opens_at = EPOCH + Duration::from_secs(1_000);
    let world = World::with(1, &terms(&[(5, 500, 0)], opens_at)).await;
    let process = world.alone(FaultPlan::default());
    let early = process.call(place(1, 1, &[(0, 1)])).await;
    assert!(matches!(early, Err(LedgerError::NotFrozen(_))), "{early:?}");
    assert_eq!(process.ledgers.open_count(), 0);
    tokio::time::sleep(Duration::from_secs(400)).await;
    let frozen = process.call(place(1, 1, &[(0, 1)])).await;
    assert!(matches!(frozen, Ok(Answer::Refused(_))), "{frozen:?}");
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_read_stays_in_memory() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    let first = process.ledgers.ledger(drop_id(1)).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let again = process.ledgers.ledger(drop_id(1)).await.unwrap();
        assert!(std::sync::Arc::ptr_eq(&first, &again));
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_the_fold_refuses_fails_alone() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    // No caller can send such lines: rpc refuses them.
    let (good, bad, other) = tokio::join!(
        process.call(place(1, 1, &[(1, 1)])),
        process.call(place(2, 2, &[(1, -1)])),
        process.call(place(3, 3, &[(1, 2)])),
    );
    assert_order(&good, OrderState::Paid);
    assert!(matches!(bad, Err(LedgerError::Unavailable(_))), "{bad:?}");
    assert_order(&other, OrderState::Paid);
    world.entries().await;
}

#[tokio::test(start_paused = true)]
async fn a_row_with_another_secret_is_not_written_for() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    process.call(place(1, 1, &[(1, 1)])).await.unwrap();
    let row = world.store.get_drop(drop_id(1)).await.unwrap().unwrap();
    let forged = Drop {
        version: row.version + 1,
        op_id: uuid::Uuid::from_u128(7),
        secret: Some(LedgerSecret([7; 32])),
        ..row
    };
    assert_eq!(world.store.update_drop(&forged).await.unwrap(), Cas::Done);
    let next = world.alone(FaultPlan::default());
    let answer = next.call(place(2, 2, &[(1, 1)])).await;
    assert!(
        matches!(answer, Err(LedgerError::Unavailable(_))),
        "{answer:?}"
    );
}
