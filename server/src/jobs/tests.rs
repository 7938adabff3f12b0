//! Drops open and close by themselves, in time, and what was missed is made up for.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests pick the kinds that they are about"
)]

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Timer, sweeper::sweep};
use crate::{
    domain::{ProcessId, Timestamp},
    env::SharedEnv,
    ledger::{
        Event,
        testing::{EPOCH, Process, SimEnv, World, drop_id, row, terms},
        verify,
    },
    store::{
        DropStore as _, LedgerStore as _, OpenLedger, ProjectionStore as _,
        drops::{DropTime, DropTimeKey},
        faulty::{FaultPlan, Odds},
        projections::{DropState, DropStatus},
    },
};

fn start(process: &Process) -> (Timer, CancellationToken) {
    let env: SharedEnv = Arc::<SimEnv>::clone(&process.env);
    let (timer, stop) = (Timer::new(env), CancellationToken::new());
    let work = timer.clone().run(
        process.shared_store(),
        process.ledgers.clone(),
        stop.clone(),
    );
    tokio::spawn(work);
    (timer, stop)
}

/// A drop that opens at `opens_at`, in both tables.
async fn scheduled(world: &World, n: u128, opens_at: Timestamp) {
    let terms = terms(&[(5, 500, 0)], opens_at);
    world.add(n, &terms).await;
    let key = DropTimeKey {
        opens_at,
        drop_id: drop_id(n),
    };
    let ends_at = terms.ends_at;
    let time = DropTime { key, ends_at };
    world.store.put_drop_time(time, EPOCH).await.unwrap();
}

/// When each of a drop's life changes was recorded.
async fn life(world: &World, n: u128) -> [Option<Timestamp>; 4] {
    let mut life = [None; 4];
    verify::verify(&*world.store, drop_id(n), |record, entries| {
        for entry in entries {
            let at = match entry.event {
                Event::TermsFrozen { .. } => 0,
                Event::WentLive => 1,
                Event::Closed { .. } => 2,
                Event::Sealed => 3,
                _ => continue,
            };
            assert_eq!(life[at].replace(record.recorded_at), None);
        }
    })
    .await
    .unwrap();
    life
}

fn is_on_time(at: Option<Timestamp>, due: Timestamp) -> bool {
    at.is_some_and(|at| at >= due && at <= due + Duration::from_millis(50))
}

async fn assert_punctual(world: &World, n: u128, opens_at: Timestamp) {
    let ends_at = opens_at + Duration::from_secs(3_600);
    let life = life(world, n).await;
    let due = [
        opens_at - Duration::from_secs(600),
        opens_at,
        ends_at,
        ends_at,
    ];
    for (at, due) in life.into_iter().zip(due) {
        assert!(is_on_time(at, due), "{at:?} instead of {due}");
    }
}

/// Known from the table alone, as another process's drop is.
#[tokio::test(start_paused = true)]
async fn a_drop_in_the_table_lives_on_time() {
    let world = World::new(1);
    let opens_at = EPOCH + Duration::from_micros(3_000_000_123);
    scheduled(&world, 1, opens_at).await;
    let process = world.alone(FaultPlan::default());
    let (_timer, stop) = start(&process);
    tokio::time::sleep(Duration::from_secs(3_000 + 3_600 + 60)).await;
    assert_punctual(&world, 1, opens_at).await;
    stop.cancel();
}

/// Armed by the call that made it, without a look at the table.
#[tokio::test(start_paused = true)]
async fn an_armed_drop_lives_on_time() {
    let world = World::new(1);
    let process = world.alone(FaultPlan::default());
    let (timer, stop) = start(&process);
    tokio::time::sleep(Duration::from_secs(7)).await;
    let opens_at = EPOCH + Duration::from_millis(900_500);
    let terms = terms(&[(5, 500, 0)], opens_at);
    world.add(1, &terms).await;
    timer.arm(&row(1, &terms));
    tokio::time::sleep(Duration::from_secs(900 + 3_600 + 60)).await;
    assert_punctual(&world, 1, opens_at).await;
    stop.cancel();
}

/// Less than ten minutes ahead: frozen at once.
#[tokio::test(start_paused = true)]
async fn a_drop_soon_is_frozen_at_once() {
    let world = World::new(1);
    let process = world.alone(FaultPlan::default());
    let (timer, stop) = start(&process);
    let opens_at = EPOCH + Duration::from_secs(100);
    let terms = terms(&[(5, 500, 0)], opens_at);
    world.add(1, &terms).await;
    timer.arm(&row(1, &terms));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(is_on_time(life(&world, 1).await[0], EPOCH));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(is_on_time(life(&world, 1).await[1], opens_at));
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_made_up_for_at_the_start() {
    let world = World::new(1);
    let (live, over) = (
        EPOCH + Duration::from_secs(10),
        EPOCH + Duration::from_secs(5),
    );
    for n in 1..=20 {
        scheduled(&world, n, if n % 2 == 0 { live } else { over }).await;
    }
    // Nobody was there: one half sells since long, the other is over.
    tokio::time::sleep(Duration::from_secs(3_607)).await;
    let process = world.alone(FaultPlan::default());
    let (_timer, stop) = start(&process);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 1..=20 {
        let [frozen, live, closed, sealed] = life(&world, n).await;
        assert!(frozen.is_some() && live.is_some(), "drop {n}");
        let is_over = n % 2 == 1;
        assert_eq!(
            (closed.is_some(), sealed.is_some()),
            (is_over, is_over),
            "drop {n}"
        );
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    for n in 1..=20 {
        assert!(life(&world, n).await[3].is_some(), "drop {n}");
    }
    stop.cancel();
}

/// Of a month of drops most are sealed: a start must not read them all.
#[tokio::test(start_paused = true)]
async fn sealed_drops_are_not_opened_at_the_start() {
    let world = World::new(1);
    for n in 1..=3 {
        scheduled(&world, n, EPOCH).await;
        let status = DropStatus {
            drop_id: drop_id(n),
            seq: 3,
            recorded_at: EPOCH,
            state: DropState::Ended,
            is_sealed: n == 1,
            is_sold_out: false,
            items: Vec::new(),
        };
        // Of the third nothing is known.
        if n < 3 {
            world.store.put_drop_status(&status).await.unwrap();
        }
    }
    let process = world.alone(FaultPlan::default());
    let (_timer, stop) = start(&process);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let is_open = [1, 2, 3].map(|n| process.ledgers.is_open(drop_id(n)));
    assert_eq!(is_open, [false, true, true]);
    stop.cancel();
}

/// One that hangs, or is large, does not hold up the others.
#[tokio::test(start_paused = true)]
async fn ledgers_of_the_dead_are_taken_over_side_by_side() {
    let world = World::new(1);
    let store = &world.store;
    for n in 1..=40 {
        world.add(n, &terms(&[(5, 500, 0)], EPOCH)).await;
        let open = OpenLedger {
            ledger_id: drop_id(n),
            process_id: ProcessId::new(uuid::Uuid::from_u128(0xdead)),
        };
        store.mark_open(open).await.unwrap();
    }
    // Each call of the store takes a second; a ledger takes several.
    let slow = FaultPlan::uniform(
        Odds {
            delay: 1.0,
            ..Odds::default()
        },
        Duration::from_secs(1),
    );
    let process = world.alone(slow);
    let begun = tokio::time::Instant::now();
    let adopted = sweep(&process.shared_store(), &process.ledgers).await;
    assert_eq!(adopted.unwrap(), 40);
    let one_by_one = Duration::from_secs(40 * 3);
    assert!(begun.elapsed() < one_by_one, "{:?}", begun.elapsed());
}

/// A drop that closed while its ledger was out of memory.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_and_does_not_lose() {
    use crate::store::faulty::{Fault, Method};
    let world = World::new(1);
    let opens_at = EPOCH + Duration::from_secs(700);
    scheduled(&world, 1, opens_at).await;
    let process = world.alone(FaultPlan::default());
    process.store.force(Method::ListDropTimes, Fault::Refuse);
    process.store.force(Method::GetDrop, Fault::Refuse);
    process.store.force(Method::UpdateDrop, Fault::HideOutcome);
    process.store.force(Method::ReadFrom, Fault::Lose);
    process.store.force(Method::MarkOpen, Fault::Refuse);
    process.store.force(Method::Append, Fault::Refuse);
    let (_timer, stop) = start(&process);
    tokio::time::sleep(Duration::from_secs(110)).await;
    let [frozen, ..] = life(&world, 1).await;
    assert!(frozen.is_some_and(|at| at < EPOCH + Duration::from_secs(110)));
    assert_eq!(process.store.forced_left(), 0);
    tokio::time::sleep(Duration::from_secs(700)).await;
    assert!(is_on_time(life(&world, 1).await[1], opens_at));
    stop.cancel();
}
