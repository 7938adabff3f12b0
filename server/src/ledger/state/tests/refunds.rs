//! Scenarios of giving money back.

use super::shop::{Shop, refund, refund_started, refunded, report};
use crate::{
    domain::order::OrderState,
    ledger::{
        Event, Outcome, Refusal,
        command::{Command, Report},
        testing::{EPOCH, buyer_id, cancel_drop, cancel_order, end_drop, order_id, place, terms},
    },
};

fn ordered(n: u128) -> Outcome {
    Outcome::Order(order_id(n))
}

#[test]
fn a_refund_comes_once() {
    let mut shop = Shop::open();
    shop.sold_order(1, 2);
    assert_eq!(shop.run(refund(1, 1, false)), ordered(1));
    assert_eq!(shop.brought.len(), 1);
    for request in [1, 2] {
        assert_eq!(shop.run(refund(1, request, true)), ordered(1));
        assert_eq!(shop.brought, []);
    }
    assert_eq!(shop.state.totals(), (8, 0, 2), "sold units stay sold");
    for expected in [vec![refunded(1, 1, false)], vec![]] {
        shop.run(report(1, 1, Report::Refunded));
        assert_eq!(shop.brought, expected);
        assert_eq!(shop.run(refund(1, 3, true)), ordered(1));
        assert_eq!(shop.brought, []);
    }
    assert_eq!(shop.state_of(1), OrderState::Refunded);
}

#[test]
fn a_restocking_refund_frees_units_and_limit_once() {
    let mut shop = Shop::with(&terms(&[(2, 500, 2)], EPOCH));
    shop.sold_order(1, 2);
    let again = || place(1, 2, &[(0, 2)]);
    let limit = shop.run(again());
    assert!(matches!(
        limit,
        Outcome::Refused(Refusal::LimitReached { owned: 2, .. })
    ));
    shop.run(refund(1, 1, true));
    assert_eq!(shop.state.totals(), (2, 0, 0));
    shop.run(report(1, 1, Report::Refunded));
    shop.run(report(1, 1, Report::Refunded));
    assert_eq!(shop.state.totals(), (2, 0, 0));
    assert_eq!(shop.run(again()), ordered(2));
    assert_eq!(shop.state.totals(), (0, 2, 0));
    // Without restock the buyer keeps what is used up of the limit.
    let mut shop = Shop::with(&terms(&[(4, 500, 2)], EPOCH));
    shop.sold_order(1, 2);
    shop.run(refund(1, 1, false));
    assert!(matches!(shop.run(again()), Outcome::Refused(_)));
}

#[test]
fn only_the_creator_refunds_only_what_is_paid() {
    let mut shop = Shop::open();
    shop.sold_order(1, 2);
    shop.declined_order(2, 2);
    let mut by_buyer = refund(1, 1, false);
    if let Command::RefundOrder { call, .. } = &mut by_buyer {
        call.caller_id = buyer_id(1);
    }
    let unknown = |n| Outcome::Refused(Refusal::UnknownOrder(order_id(n)));
    assert_eq!(shop.run(by_buyer), unknown(1));
    assert_eq!(shop.run(refund(9, 1, false)), unknown(9));
    let wrong = |state| Outcome::Refused(Refusal::OrderState(state));
    assert_eq!(shop.run(refund(2, 2, false)), wrong(OrderState::Held));
    shop.run(cancel_order(2, order_id(2)));
    assert_eq!(shop.run(refund(2, 3, false)), wrong(OrderState::Cancelled));
}

#[test]
fn after_the_end_money_goes_back_but_units_do_not() {
    let mut shop = Shop::open();
    shop.sold_order(1, 2);
    shop.run(end_drop());
    assert!(shop.brought.contains(&Event::Sealed));
    let ended = Outcome::Refused(Refusal::Ended);
    assert_eq!(shop.run(refund(1, 1, true)), ended);
    assert_eq!(shop.run(refund(1, 1, false)), ordered(1));
    assert_eq!(shop.state.totals(), (8, 0, 2));
}

/// A total of zero needs no provider, to pay or to give back.
#[test]
fn a_free_order_is_sold_and_refunded_in_one_record_each() {
    let mut shop = Shop::with(&terms(&[(4, 0, 0)], EPOCH));
    for (n, restock) in [(1, true), (2, false)] {
        let buyer = usize::try_from(n).unwrap();
        shop.run(super::shop::place_and_pay(buyer, n, 2));
        assert_eq!(shop.state_of(n), OrderState::Paid);
        assert_eq!(shop.run(refund(n, n, restock)), ordered(n));
        assert_eq!(shop.state_of(n), OrderState::Refunded);
        assert!(!shop.state.has_open_work());
    }
    assert_eq!(shop.state.totals(), (2, 0, 2));
}

/// However little room a record has, what is due gets done.
#[test]
fn a_cancelled_drop_refunds_with_room_for_one_entry() {
    let mut shop = Shop::open();
    shop.sold_order(1, 2);
    shop.run(cancel_drop(9));
    let (mut at, mut entries) = (shop.state.next_position(shop.now), Vec::new());
    assert!(shop.state.next_due().is_some_and(|due| due <= shop.now));
    shop.state.advance(&mut at, 1, &mut entries).unwrap();
    let events: Vec<_> = entries.into_iter().map(|it| it.event).collect();
    let mut expected = refund_started(1, 1, 1_000, false);
    if let Event::RefundStarted { reason, .. } = &mut expected {
        *reason = "drop cancelled".to_owned();
    }
    assert_eq!(events, [expected]);
}
