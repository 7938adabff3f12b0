//! Entries about money that no process of this version writes: a log that has one is damaged, or newer, and is not folded.

use super::shop::{Shop, declined, pay, refund_started, refunded, released, report, sold};
use crate::{
    domain::{order::OrderState, payment::PaymentMethod},
    ledger::{
        Event, Method, StockState,
        command::Report,
        entry::{ReleaseReason, WaitReason},
        state::FoldError,
        testing::{
            EPOCH, buyer_id, call, cancel_drop, cancel_order, drop_id, end_drop, order_id, place,
            request_id, terms,
        },
    },
};

fn started(n: u128, attempt: i32, amount_minor: i64) -> Event {
    Event::PaymentStarted {
        order_id: order_id(n),
        attempt,
        amount_minor,
        provider: "test".to_owned(),
        payment_method: PaymentMethod::stored("pm_1".to_owned()),
    }
}

fn waiting(n: u128, attempt: i32) -> Event {
    Event::PaymentWaiting {
        order_id: order_id(n),
        attempt,
        reason: WaitReason::Unknown,
        action_url: String::new(),
    }
}

fn sold_late(n: u128, attempt: i32) -> Event {
    let order_id = order_id(n);
    Event::SoldLate { order_id, attempt }
}

fn restocking(mut event: Event) -> Event {
    if let Event::RefundStarted { restock, .. } = &mut event {
        *restock = true;
    }
    event
}

fn accepts(shop: &mut Shop, event: Event) {
    assert_eq!(shop.fold(event.clone(), None), Ok(()), "{event:?}");
}

#[test]
fn a_payment_begins_as_the_rules_say() {
    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    accepts(&mut shop, started(1, 1, 1_000));
    for wrong in [
        started(9, 1, 1_000),
        started(1, 0, 1_000),
        started(1, -1, 1_000),
        started(1, 2, 1_000),
        started(1, 1, 999),
        started(1, 1, 0),
        started(1, 1, -1_000),
    ] {
        shop.refuses(wrong);
    }
    shop.run(pay(1, 1, 0));
    for attempt in [1, 2] {
        shop.refuses(started(1, attempt, 1_000)); // one is open
    }
    shop.decline(1, 1);
    shop.refuses(started(1, 2, 1_000)); // too soon
    shop.pass(2);
    accepts(&mut shop, started(1, 2, 1_000));
    shop.now = EPOCH + std::time::Duration::from_secs(32);
    shop.refuses(started(1, 2, 1_000)); // the hold is over
}

#[test]
fn no_sixth_payment_and_none_in_a_cancelled_drop_or_for_nothing() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    for attempt in 2..=5 {
        shop.pass(2);
        shop.run(pay(1, u128::try_from(attempt).unwrap(), 0));
        shop.decline(1, attempt);
    }
    shop.pass(2);
    shop.refuses(started(1, 6, 1_000));

    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    // Not yet released: that is the next record's.
    shop.run(cancel_drop(9));
    assert_eq!(shop.state_of(1), OrderState::Held);
    shop.refuses(started(1, 1, 1_000));
    shop.refuses(Event::Sealed);

    let mut shop = Shop::with(&terms(&[(5, 0, 0)], EPOCH));
    shop.run(place(1, 1, &[(0, 2)]));
    shop.refuses(started(1, 1, 0));
}

#[test]
fn nothing_comes_of_an_attempt_that_is_not_there() {
    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    for n in [1, 9] {
        for attempt in [-1, 0, 1] {
            shop.refuses(waiting(n, attempt));
            shop.refuses(declined(n, attempt));
            shop.refuses(sold(n, attempt));
            shop.refuses(sold_late(n, attempt));
            for stray in [false, true] {
                for amount in [0, 1_000] {
                    shop.refuses(refund_started(n, attempt, amount, stray));
                    shop.refuses(restocking(refund_started(n, attempt, amount, stray)));
                }
                shop.refuses(refunded(n, attempt, stray));
            }
        }
    }
}

#[test]
fn an_open_payment_ends_only_by_the_providers_word() {
    let mut shop = Shop::open();
    shop.run(super::shop::place_and_pay(1, 1, 2));
    shop.pass(600);
    for reason in [ReleaseReason::Expired, ReleaseReason::CancelledByBuyer] {
        shop.refuses(released(1, reason));
    }
    shop.refuses(sold_late(1, 1));
    for stray in [false, true] {
        shop.refuses(refund_started(1, 1, 1_000, stray));
        shop.refuses(refunded(1, 1, stray));
    }
    shop.run(cancel_drop(9));
    shop.refuses(released(1, ReleaseReason::DropCancelled));
    shop.refuses(Event::Sealed);
    accepts(&mut shop, declined(1, 1));
    accepts(&mut shop, sold(1, 1));
}

#[test]
fn what_failed_is_not_waited_for_and_not_sold_beside_another() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    shop.refuses(waiting(1, 1));
    shop.refuses(declined(1, 1));
    shop.refuses(sold_late(1, 1));
    // It is held: the money buys the units.
    for stray in [false, true] {
        shop.refuses(refund_started(1, 1, 1_000, stray));
    }
    shop.pass(2);
    shop.run(pay(1, 1, 0));
    shop.refuses(sold(1, 1));
    shop.refuses(refund_started(1, 1, 1_000, false));
    shop.refuses(refund_started(1, 1, 999, true));
    shop.refuses(restocking(refund_started(1, 1, 1_000, true)));
    accepts(&mut shop, refund_started(1, 1, 1_000, true));
}

#[test]
fn what_is_sold_stays_sold_until_its_refund() {
    let mut shop = Shop::open();
    shop.sold_order(1, 2);
    shop.refuses(sold(1, 1));
    shop.refuses(sold_late(1, 1));
    shop.refuses(declined(1, 1));
    shop.refuses(started(1, 2, 1_000));
    shop.refuses(released(1, ReleaseReason::CancelledByBuyer));
    shop.refuses(refunded(1, 1, false));
    shop.refuses(refund_started(1, 1, 999, false));
    shop.refuses(refund_started(1, 0, 0, false));
    shop.refuses(refund_started(1, 1, 1_000, true));
    shop.refuses(restocking(refund_started(1, 1, 1_000, true)));
    accepts(&mut shop, restocking(refund_started(1, 1, 1_000, false)));
    shop.run(super::shop::refund(1, 1, false));
    shop.refuses(refund_started(1, 1, 1_000, false));
    // Of another attempt, or another kind, than the refund that began.
    for (attempt, stray) in [(0, false), (0, true), (-1, false), (2, false), (1, true)] {
        shop.refuses(refunded(1, attempt, stray));
    }
    shop.run(report(1, 1, Report::Refunded));
    shop.refuses(refunded(1, 1, false));
    shop.refuses(refund_started(1, 1, 1_000, false));
}

#[test]
fn what_was_given_up_is_bought_late_or_given_back() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    shop.run(cancel_order(1, order_id(1)));
    shop.refuses(sold(1, 1));
    shop.refuses(sold_late(1, 1));
    shop.refuses(refund_started(1, 1, 1_000, true));
    shop.refuses(restocking(refund_started(1, 1, 1_000, false)));
    accepts(&mut shop, refund_started(1, 1, 1_000, false));

    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    shop.pass(32);
    shop.refuses(sold(1, 1));
    shop.refuses(refund_started(1, 1, 1_000, true));
    accepts(&mut shop, sold_late(1, 1));
    shop.run(place(2, 2, &[(0, 9)]));
    shop.refuses(sold_late(1, 1)); // no units
    shop.run(cancel_order(2, order_id(2)));
    shop.run(place(3, 3, &[(0, 1)]));
    accepts(&mut shop, sold_late(1, 1));
    shop.run(cancel_drop(9));
    assert!(!shop.brought.contains(&Event::Sealed));
    shop.refuses(sold_late(1, 1));
    accepts(&mut shop, refund_started(1, 1, 1_000, false));
}

/// It takes units and limit like a new hold, or it does not happen.
#[test]
fn a_late_sale_keeps_the_limit() {
    let mut shop = Shop::with(&terms(&[(10, 500, 3)], EPOCH));
    shop.declined_order(1, 2);
    shop.pass(32);
    shop.run(place(1, 2, &[(0, 2)]));
    shop.refuses(sold_late(1, 1));
}

#[test]
fn after_the_end_only_money_goes_back() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    shop.run(cancel_order(1, order_id(1)));
    shop.declined_order(2, 2);
    shop.pass(32);
    shop.sold_order(3, 2);
    shop.run(end_drop());
    assert!(shop.brought.contains(&Event::Sealed));
    shop.refuses(sold_late(2, 1));
    shop.refuses(restocking(refund_started(3, 1, 1_000, false)));
    for method in [Method::PlaceOrder, Method::PayOrder] {
        let reason = "ORDER_STATE".to_owned();
        let call = call(buyer_id(1), method, Some(request_id(5)), 0);
        let folded = shop.fold(Event::Refused { reason }, Some(call));
        assert!(folded.is_err(), "{method:?}");
    }
    for (n, attempt) in [(1, 1), (2, 1), (3, 1)] {
        accepts(&mut shop, refund_started(n, attempt, 1_000, false));
    }
}

#[test]
fn after_closing_only_payments_are_voided() {
    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    shop.run(end_drop());
    for (method, is_fine) in [(Method::PlaceOrder, false), (Method::PayOrder, true)] {
        let reason = "ORDER_STATE".to_owned();
        let call = call(buyer_id(1), method, Some(request_id(5)), 0);
        let folded = shop.fold(Event::Refused { reason }, Some(call));
        assert_eq!(folded.is_ok(), is_fine, "{method:?}");
    }
    let reason = "ORDER_STATE".to_owned();
    assert!(shop.fold(Event::Refused { reason }, None).is_err());
}

/// A payment's request id is used once, whatever made it.
#[test]
fn a_request_id_makes_one_payment() {
    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    shop.run(pay(1, 1, 0));
    shop.decline(1, 1);
    shop.pass(2);
    let again = call(buyer_id(1), Method::PayOrder, Some(request_id(1)), 0);
    assert!(shop.fold(started(1, 2, 1_000), Some(again)).is_err());
    accepts(&mut shop, started(1, 2, 1_000));
}

/// Before the terms there is nothing to sell, void or give back.
#[test]
fn an_empty_ledger_takes_nothing_but_terms() {
    let reason = || String::from("SOLD_OUT");
    for (event, method) in [
        (Event::SoldOut, None),
        (Event::Sealed, None),
        (Event::WentLive, None),
        (
            Event::Refused { reason: reason() },
            Some(Method::PlaceOrder),
        ),
        (Event::Refused { reason: reason() }, Some(Method::PayOrder)),
        (refunded(1, 0, true), None),
        (sold(1, 0), None),
    ] {
        let mut state = StockState::new(drop_id(1));
        let at = state.next_position(EPOCH);
        let call = method.map(|it| call(buyer_id(1), it, Some(request_id(1)), 0));
        let moves = Vec::new();
        let entry = crate::ledger::Entry { event, moves, call };
        let folded = state.apply(&entry, at);
        assert!(
            matches!(folded, Err(FoldError::Illegal { .. })),
            "{entry:?}"
        );
    }
}
