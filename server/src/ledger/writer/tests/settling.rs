//! What becomes of one append, and of those who wait for it.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    domain::order::OrderState,
    ledger::{
        Answer, Command, Event, Refusal, codec,
        record::{self, Author, Salts},
        registry::LedgerError,
        testing::{
            EPOCH, Process, World, cancel_drop, drop_id, end_drop, order_id, place, place_again,
            terms,
        },
        verify,
        writer::QUEUE_MAX,
    },
    store::{
        Append, DropStore as _, LedgerRecord, LedgerStore as _,
        faulty::{Fault, FaultPlan, Method, Odds},
    },
};

/// Appends take up to this long; which of them how long, the seed says.
fn slow(delay_max: Duration) -> FaultPlan {
    FaultPlan {
        append: Odds {
            delay: 1.0,
            ..Odds::default()
        },
        delay_max,
        ..FaultPlan::default()
    }
}

async fn world() -> World {
    World::with(1, &terms(&[(5, 500, 0), (100, 0, 0)], EPOCH)).await
}

fn state_of(answer: Result<Answer, LedgerError>) -> OrderState {
    match answer {
        Ok(Answer::Order(view)) => view.order.state,
        other => panic!("{other:?}"),
    }
}

fn is_unavailable(answer: &Result<Answer, LedgerError>) -> bool {
    matches!(answer, Err(LedgerError::Unavailable(_)))
}

async fn held_orders(world: &World) -> Vec<crate::domain::OrderId> {
    let entries = world.entries().await;
    let held = entries.iter().filter_map(|(_, entry)| match &entry.event {
        Event::Held { order_id, .. } => Some(*order_id),
        _ => None,
    });
    held.collect()
}

#[tokio::test(start_paused = true)]
async fn an_unknown_append_that_landed_is_ours() {
    for fault in [Fault::HideOutcome, Fault::Lose, Fault::Duplicate] {
        let world = world().await;
        let process = world.alone(FaultPlan::default());
        process.call(Command::GetDrop).await.unwrap();
        process.store.force(Method::Append, fault);
        let answer = process.call(place(1, 1, &[(0, 2)])).await;
        assert_eq!(state_of(answer), OrderState::Held);
        assert_eq!(process.store.forced_left(), 0);
        assert_eq!(held_orders(&world).await, [order_id(1)]);
        let tries = process.store.appends();
        if fault != Fault::Duplicate {
            assert_eq!(tries[1], tries[2], "the same bytes into the same slot");
        }
    }
}

/// After an unknown try, "no" to the next one says nothing about the first.
#[tokio::test(start_paused = true)]
async fn a_refusal_after_an_unknown_append_settles_nothing() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    process.call(Command::GetDrop).await.unwrap();
    process.store.force(Method::Append, Fault::HideOutcome);
    process.store.force(Method::Append, Fault::Refuse);
    let answer = process.call(place(1, 1, &[(0, 2)])).await;
    assert_eq!(state_of(answer), OrderState::Held);
    assert_eq!(process.store.forced_left(), 0);
}

/// A record of ours is not folded as another's: a refused retry hears why, not that its id is void.
#[tokio::test(start_paused = true)]
async fn a_record_of_ours_is_answered_as_it_was_decided() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    process.call(Command::GetDrop).await.unwrap();
    process.store.force(Method::Append, Fault::HideOutcome);
    let answer = process.call(place_again(1, 1, 1, &[(0, 6)], 1)).await;
    assert!(
        matches!(answer, Ok(Answer::Refused(Refusal::SoldOut { .. }))),
        "{answer:?}"
    );
    let again = process.call(place_again(1, 2, 1, &[(0, 6)], 2)).await;
    assert!(
        matches!(again, Ok(Answer::Refused(Refusal::RequestIdVoid))),
        "{again:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_append_is_not_done_and_its_units_stay() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    process.call(Command::GetDrop).await.unwrap();
    process.store.force(Method::Append, Fault::Refuse);
    let first = process.call(place(1, 1, &[(0, 5)])).await;
    assert!(is_unavailable(&first), "{first:?}");
    assert_eq!(held_orders(&world).await, []);
    // All five are there for the next one, whatever was decided before.
    let answer = process.call(place(2, 2, &[(0, 5)])).await;
    assert_eq!(state_of(answer), OrderState::Held);
    let tries = process.store.appends();
    assert_ne!(tries[1].batch_id, tries[2].batch_id);
}

#[tokio::test(start_paused = true)]
async fn who_runs_out_of_time_is_told_so_and_a_retry_finds_the_order() {
    let world = world().await;
    let process = world.alone(FaultPlan {
        delay_max: Duration::from_secs(20),
        ..FaultPlan::default()
    });
    process.call(Command::GetDrop).await.unwrap();
    for _ in 0..8 {
        process.store.force(Method::Append, Fault::Lose);
    }
    process.store.force(Method::Append, Fault::HideOutcome);
    let started = tokio::time::Instant::now();
    let first = process
        .call_within(place(1, 1, &[(0, 2)]), Duration::from_secs(1))
        .await;
    assert!(is_unavailable(&first), "{first:?}");
    assert!(started.elapsed() <= Duration::from_secs(1), "told too late");
    let again = process.call(place_again(1, 2, 1, &[(0, 2)], 1)).await;
    let Ok(Answer::Order(view)) = again else {
        panic!("{again:?}");
    };
    assert_eq!(view.order.order_id, order_id(1));
    assert_eq!(held_orders(&world).await, [order_id(1)]);
}

/// The other commands in the queue do not wait longer than they said either.
#[tokio::test(start_paused = true)]
async fn who_waits_behind_an_unknown_append_is_told_in_time() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    process.call(Command::GetDrop).await.unwrap();
    for _ in 0..10 {
        process.store.force(Method::Append, Fault::Lose);
    }
    let behind = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = tokio::time::Instant::now();
        let answer = process
            .call_within(place(2, 2, &[(0, 1)]), Duration::from_secs(1))
            .await;
        (answer, started.elapsed())
    };
    let (first, (second, took)) = tokio::join!(process.call(place(1, 1, &[(0, 1)])), behind);
    assert_eq!(state_of(first), OrderState::Held);
    assert!(is_unavailable(&second), "{second:?}");
    assert!(took <= Duration::from_millis(1_001), "{took:?}");
    assert_eq!(held_orders(&world).await, [order_id(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_command_nobody_waits_for_is_not_done() {
    let world = world().await;
    let process = world.alone(slow(Duration::from_secs(2)));
    process.call(Command::GetDrop).await.unwrap();
    let gone = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let call = process.call(place(2, 2, &[(0, 1)]));
        assert!(
            tokio::time::timeout(Duration::from_millis(1), call)
                .await
                .is_err()
        );
    };
    let late = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        process
            .call_within(place(3, 3, &[(0, 1)]), Duration::from_millis(1))
            .await
    };
    let (first, (), late) = tokio::join!(process.call(place(1, 1, &[(0, 1)])), gone, late);
    assert_eq!(state_of(first), OrderState::Held);
    assert!(is_unavailable(&late), "{late:?}");
    process.call(Command::GetDrop).await.unwrap();
    assert_eq!(held_orders(&world).await, [order_id(1)]);
}

/// Told that the outcome is unknown, and then the slot went to another process: there is nobody left to do it for.
#[tokio::test(start_paused = true)]
async fn a_lost_slot_does_not_revive_commands_that_were_given_up() {
    let world = world().await;
    let (one, other) = (
        world.process(1, FaultPlan::default(), 0),
        world.process(2, FaultPlan::default(), 0),
    );
    one.call(Command::GetDrop).await.unwrap();
    other.call(Command::GetDrop).await.unwrap();
    for _ in 0..8 {
        one.store.force(Method::Append, Fault::Lose);
    }
    let first = one
        .call_within(place(1, 1, &[(0, 1)]), Duration::from_millis(500))
        .await;
    assert!(is_unavailable(&first), "{first:?}");
    assert!(one.store.forced_left() > 0, "still settling");
    let second = other.call(place(2, 2, &[(0, 1)])).await;
    assert_eq!(state_of(second), OrderState::Held);
    tokio::time::sleep(Duration::from_secs(20)).await;
    one.call(Command::GetDrop).await.unwrap();
    assert_eq!(held_orders(&world).await, [order_id(2)]);
}

/// The last unit, asked for at two processes at once.
#[tokio::test(start_paused = true)]
async fn the_loser_of_a_slot_decides_again() {
    let world = World::with(1, &terms(&[(1, 500, 0)], EPOCH)).await;
    let (one, other) = (
        world.process(1, slow(Duration::from_millis(20)), 0),
        world.process(2, slow(Duration::from_millis(20)), 0),
    );
    one.call(Command::GetDrop).await.unwrap();
    other.call(Command::GetDrop).await.unwrap();
    let (a, b) = tokio::join!(
        one.call(place(1, 1, &[(0, 1)])),
        other.call(place(2, 2, &[(0, 1)]))
    );
    let is_sold_out = |answer: &Result<Answer, LedgerError>| {
        matches!(
            answer,
            Ok(Answer::Refused(Refusal::SoldOut {
                available: 0,
                held: 1,
                ..
            }))
        )
    };
    assert_eq!(
        usize::from(is_sold_out(&a)) + usize::from(is_sold_out(&b)),
        1,
        "{a:?} {b:?}"
    );
    assert_eq!(held_orders(&world).await.len(), 1);
}

/// What another process did shows in the answer, also when there is nothing left to write.
#[tokio::test(start_paused = true)]
async fn the_loser_of_a_slot_answers_with_what_won_it() {
    let world = world().await;
    let (one, other) = (
        world.process(1, slow(Duration::from_millis(20)), 0),
        world.process(2, slow(Duration::from_millis(20)), 0),
    );
    one.call(Command::GetDrop).await.unwrap();
    other.call(Command::GetDrop).await.unwrap();
    let (a, b) = tokio::join!(one.call(end_drop()), other.call(end_drop()));
    for answer in [a, b] {
        let Ok(Answer::Drop(view)) = answer else {
            panic!("{answer:?}");
        };
        assert!(view.phase.is_over(), "{view:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_read_from_the_head() {
    let world = World::with(1, &terms(&[(1, 500, 0)], EPOCH)).await;
    let (one, other) = (
        world.process(1, FaultPlan::default(), 0),
        world.process(2, FaultPlan::default(), 0),
    );
    assert_eq!(
        state_of(other.call(place(1, 1, &[(0, 1)])).await),
        OrderState::Held
    );
    one.call(Command::GetDrop).await.unwrap();
    let back = crate::ledger::testing::cancel_order(1, order_id(1));
    assert_eq!(state_of(other.call(back).await), OrderState::Cancelled);
    // By the fold of this process the unit is still held.
    assert_eq!(
        state_of(one.call(place(2, 2, &[(0, 1)])).await),
        OrderState::Held
    );
    let found = one.call(Command::GetOrder {
        caller_id: crate::ledger::testing::buyer_id(1),
        order_id: order_id(1),
    });
    assert_eq!(state_of(found.await), OrderState::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_sheds() {
    let world = world().await;
    let process = world.alone(FaultPlan::default());
    process.call(Command::GetDrop).await.unwrap();
    for _ in 0..4 {
        process.store.force(Method::Append, Fault::Lose);
    }
    let calls = (0..QUEUE_MAX + 10).map(|n| {
        let process = &process;
        async move {
            if n > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                process.call(Command::GetDrop).await
            } else {
                process.call(place(1, 1, &[(0, 1)])).await
            }
        }
    });
    let answers = futures::future::join_all(calls).await;
    let shed = answers
        .iter()
        .filter(|answer| matches!(answer, Err(LedgerError::Overloaded)))
        .count();
    assert_eq!(shed, 9);
    assert_eq!(
        answers.iter().filter(|answer| answer.is_ok()).count(),
        QUEUE_MAX + 1
    );
}

/// A sound record of one more `EndDrop`, as another process would write it, changed by `change` and hashed again.
async fn planted(world: &World, change: impl FnOnce(&mut LedgerRecord)) {
    let mut state = verify::verify(&*world.store, drop_id(1), |_, _| ())
        .await
        .unwrap()
        .state;
    let secret = world
        .store
        .get_drop(drop_id(1))
        .await
        .unwrap()
        .unwrap()
        .secret
        .unwrap();
    let start = state.next_position(EPOCH);
    let (mut at, mut entries) = (start, Vec::new());
    state.begin();
    state.execute(&end_drop(), &mut at, &mut entries).unwrap();
    let encoded: Vec<_> = entries.iter().map(codec::encode).collect();
    let author = Author {
        writer_id: Uuid::from_u128(1),
        batch_id: Uuid::from_u128(2),
    };
    let salts = Salts::new(&secret);
    let leaves = record::leaves(&salts, start.seq, &encoded);
    let count = u32::try_from(encoded.len()).unwrap();
    let mut stored = record::build(&state, &salts, author, start, &entries, encoded);
    change(&mut stored);
    let counts = record::counts_hash(&record::encode_counts(&state, entries.iter()));
    let header = record::header(&stored, count);
    stored.hash = record::record_hash(&stored.prev_hash, &header, &leaves, &counts);
    assert_eq!(world.store.append(&stored).await.unwrap(), Append::Appended);
}

async fn refuses_to_write(process: &Process, first: Command) {
    let answer = process.call(first).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    let tries = process.store.appends().len();
    for command in [place(8, 8, &[(0, 1)]), Command::GetDrop, cancel_drop(9)] {
        let answer = process.call(command).await;
        assert!(is_unavailable(&answer), "{answer:?}");
    }
    assert_eq!(
        process.store.appends().len(),
        tries,
        "a halted ledger is not written"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_can_not_be_folded_is_never_written_again() {
    let changes: [fn(&mut LedgerRecord); 2] = [|it| it.fold_version = 2, |it| it.available += 1];
    for change in changes {
        for first in [place(1, 1, &[(0, 1)]), Command::GetDrop] {
            let world = world().await;
            let process = world.process(1, FaultPlan::default(), 0);
            process.call(Command::GetDrop).await.unwrap();
            planted(&world, change).await;
            let before = world.log().await;
            refuses_to_write(&process, first).await;
            // A process that meets it when it opens the ledger does not start to write either.
            let other = world.process(2, FaultPlan::default(), 0);
            refuses_to_write(&other, Command::GetDrop).await;
            assert_eq!(world.log().await, before);
        }
    }
}

/// The clock went back, or another process's is ahead: time in the log does not.
#[tokio::test(start_paused = true)]
async fn ledger_time_never_runs_backwards() {
    let world = world().await;
    let (fast, slow) = (
        world.process(1, FaultPlan::default(), 300_000),
        world.process(2, FaultPlan::default(), -300_000),
    );
    fast.call(place(1, 1, &[(0, 1)])).await.unwrap();
    slow.call(place(2, 2, &[(0, 1)])).await.unwrap();
    let log = world.log().await;
    assert!(log.is_sorted_by_key(|record| record.recorded_at));
    assert_eq!(
        log.first().unwrap().recorded_at,
        log.last().unwrap().recorded_at
    );
}
