//! Extremes that the edge of the system keeps out: the core says no, it does not panic.

use std::time::Duration;

use crate::{
    domain::{Timestamp, drop::LedgerSecret},
    ledger::{
        Command, Entry, Event, Line, Outcome, Refusal, StockState, Terms,
        entry::{CloseReason, ReleaseReason},
        state::{FoldError, Position},
        testing::{
            EPOCH, SECOND, buyer_id, cancel_drop, cancel_order, drop_id, item_id, order_id, place,
            place_again, restock, terms,
        },
    },
};

fn open_state(terms: &Terms) -> StockState {
    let mut state = StockState::new(drop_id(1));
    let (mut at, mut entries) = (state.next_position(EPOCH), Vec::new());
    state
        .freeze(terms, &LedgerSecret([1; 32]), &mut at, &mut entries)
        .unwrap();
    state.advance(&mut at, 99, &mut entries).unwrap();
    state.commit([1; 32], EPOCH);
    state
}

fn at(state: &StockState, now: Timestamp) -> Position {
    state.next_position(now)
}

#[test]
fn deciding_survives_the_largest_numbers() {
    let terms = terms(&[(i64::MAX, i64::MAX, i32::MAX), (1, 1, 0)], EPOCH);
    let state = open_state(&terms);
    for quantity in [i32::MIN, -1, 0, 1, i32::MAX] {
        for now in [i64::MIN, 0, EPOCH.micros(), i64::MAX] {
            let now = Timestamp::from_micros(now);
            let command = place_again(1, 1, 1, &[(0, quantity), (1, quantity)], i32::MAX);
            assert_eq!(state.decide(&command, now), state.decide(&command, now));
        }
    }
    for units in [i64::MIN, -1, 0, 1, i64::MAX] {
        let _ = state.decide(&restock(1, 0, units), Timestamp::MAX);
    }
}

/// A count that no longer fits is refused by the fold, whoever wrote it.
#[test]
fn folding_survives_the_largest_numbers() {
    let mut state = open_state(&terms(&[(5, 100, 0), (5, 100, 0)], EPOCH));
    for (first, second) in [(0, 1), (1, 0), (0, 0)] {
        state.begin();
        let (mut at, mut entries) = (at(&state, EPOCH), Vec::new());
        let mut add =
            |n, item| state.execute(&restock(n, item, i64::MAX - 9), &mut at, &mut entries);
        let outcomes = [add(1, first), add(2, second)];
        let is_one = first == second;
        assert_eq!(outcomes.iter().any(Result::is_err), is_one, "{outcomes:?}");
        assert!(is_one || state.totals() == (i64::MAX, 0, 0));
        state.rollback();
    }
}

#[test]
fn terms_that_do_not_add_up_are_refused() {
    for items in [&[(-1, 1, 0)][..], &[]] {
        let mut state = StockState::new(drop_id(1));
        state.begin();
        let (mut at, mut entries) = (at(&state, EPOCH), Vec::new());
        let frozen = state.freeze(
            &terms(items, EPOCH),
            &LedgerSecret([1; 32]),
            &mut at,
            &mut entries,
        );
        assert!(frozen.is_err(), "{items:?}");
    }
}

fn entry(event: Event) -> Entry {
    Entry {
        event,
        moves: Vec::new(),
        call: None,
    }
}

fn refuses(state: &mut StockState, event: Event, now: Timestamp) {
    let mut entry = entry(event);
    entry.moves = state.moves_of(&entry.event).unwrap_or_default();
    state.begin();
    let folded = state.apply(&entry, state.next_position(now));
    state.rollback();
    assert!(
        matches!(
            folded,
            Err(FoldError::Illegal { .. } | FoldError::Counts(_))
        ),
        "{entry:?}"
    );
}

fn held(n: u128, buyer: usize, lines: &[(usize, i32)]) -> Event {
    let lines: Vec<_> = lines
        .iter()
        .map(|&(item, quantity)| Line {
            item_id: item_id(item),
            quantity,
        })
        .collect();
    Event::Held {
        order_id: order_id(n),
        buyer_id: buyer_id(buyer),
        total_minor: lines.iter().map(|it| 100 * i64::from(it.quantity)).sum(),
        lines,
        expires_at: EPOCH,
    }
}

/// What no process of this version writes is not folded either: such a log is damaged, or newer.
#[test]
fn the_fold_refuses_what_the_rules_forbid() {
    let (order_id, reason) = (order_id(1), ReleaseReason::Expired);
    let late = EPOCH + Duration::from_secs(4_000);
    let mut state = open_state(&terms(&[(5, 100, 0)], EPOCH));
    for lines in [
        &[][..],
        &[(0, 0)],
        &[(0, -1)],
        &[(0, 1), (0, 1)],
        &[(0, 6)],
        &[(9, 1)],
    ] {
        refuses(&mut state, held(1, 1, lines), EPOCH);
    }
    refuses(&mut state, held(1, 1, &[(0, 1)]), late);
    for wrong in [0, 99, -100] {
        let mut cheap = held(1, 1, &[(0, 1)]);
        if let Event::Held { total_minor, .. } = &mut cheap {
            *total_minor = wrong;
        }
        refuses(&mut state, cheap, EPOCH);
    }
    refuses(&mut state, Event::Released { order_id, reason }, EPOCH);
    refuses(&mut state, Event::WentLive, EPOCH);
    refuses(&mut state, Event::Sealed, EPOCH);
    refuses(&mut state, Event::SoldOut, EPOCH);
    refuses(
        &mut state,
        Event::LowStock {
            item_id: item_id(0),
        },
        EPOCH,
    );
    let reason = CloseReason::Ended;
    refuses(&mut state, Event::Closed { reason }, EPOCH);

    let (mut position, mut entries) = (at(&state, EPOCH), Vec::new());
    let command = place(1, 1, &[(0, 1)]);
    state
        .execute(&command, &mut position, &mut entries)
        .unwrap();
    state.commit([2; 32], EPOCH);
    refuses(&mut state, held(2, 1, &[(0, 1)]), EPOCH);
    let early = EPOCH + Duration::from_micros((32 * SECOND - 1).unsigned_abs());
    let reason = ReleaseReason::Expired;
    refuses(&mut state, Event::Released { order_id, reason }, early);
    let reason = ReleaseReason::DropCancelled;
    refuses(&mut state, Event::Released { order_id, reason }, EPOCH);
    // It costs something, and nothing was captured.
    refuses(
        &mut state,
        Event::Sold {
            order_id,
            attempt: 0,
        },
        EPOCH,
    );

    let mut step = |command: Option<Command>, n: u8| {
        let (mut position, mut entries) = (at(&state, EPOCH), Vec::new());
        if let Some(command) = command {
            state
                .execute(&command, &mut position, &mut entries)
                .unwrap();
        }
        state.advance(&mut position, 99, &mut entries).unwrap();
        state.commit([n; 32], EPOCH);
    };
    step(Some(cancel_drop(9)), 3);
    step(None, 4);
    refuses(&mut state, Event::SoldOut, EPOCH);
    refuses(
        &mut state,
        Event::LowStock {
            item_id: item_id(0),
        },
        EPOCH,
    );
    refuses(&mut state, held(3, 3, &[(0, 1)]), EPOCH);
    let mut refused = entry(Event::Refused {
        reason: "SOLD_OUT".to_owned(),
    });
    refused.call = Some(crate::ledger::testing::call(
        buyer_id(1),
        crate::ledger::Method::PlaceOrder,
        None,
        0,
    ));
    state.begin();
    assert!(state.apply(&refused, at(&state, EPOCH)).is_err());
}

fn run(state: &mut StockState, command: &Command, now: Timestamp) -> Outcome {
    let (mut position, mut entries) = (at(state, now), Vec::new());
    state.begin();
    state.advance(&mut position, 99, &mut entries).unwrap();
    let outcome = state.execute(command, &mut position, &mut entries).unwrap();
    state.commit([9; 32], now);
    outcome
}

/// Five holds given up, by cancelling or by letting them run out, and no more.
#[test]
fn nobody_gives_up_more_than_five_holds() {
    let mut state = open_state(&terms(&[(5, 100, 0)], EPOCH));
    let mut now = EPOCH;
    for n in 1..=5 {
        let held = run(&mut state, &place(1, n, &[(0, 1)]), now);
        assert_eq!(held, Outcome::Order(order_id(n)));
        if n % 2 == 0 {
            run(&mut state, &cancel_order(1, order_id(n)), now);
        } else {
            now = now + Duration::from_secs(32);
        }
    }
    let refusal = Refusal::TooManyHolds {
        open_order_id: None,
    };
    let sixth = run(&mut state, &place(1, 6, &[(0, 1)]), now);
    assert_eq!(sixth, Outcome::Refused(refusal));
    let other = run(&mut state, &place(2, 7, &[(0, 5)]), now);
    assert_eq!(other, Outcome::Order(order_id(7)));
}

/// Five request ids voided: the sixth refusal writes nothing, and nothing of this buyer can land any more.
#[test]
fn five_voided_requests_end_it_for_a_buyer() {
    let mut state = open_state(&terms(&[(5, 100, 0)], EPOCH));
    for n in 1..=5 {
        let refused = run(&mut state, &place_again(1, n, n, &[(0, 6)], 1), EPOCH);
        assert!(matches!(refused, Outcome::Refused(Refusal::SoldOut { .. })));
        let again = run(&mut state, &place_again(1, n, n, &[(0, 1)], 0), EPOCH);
        assert_eq!(again, Outcome::Refused(Refusal::RequestIdVoid));
    }
    let sixth = place_again(1, 6, 6, &[(0, 1)], 1);
    let decision = state.decide(&sixth, EPOCH);
    assert_eq!(decision.entries, []);
    assert!(matches!(
        decision.outcome,
        Outcome::Refused(Refusal::TooManyHolds { .. })
    ));
}
