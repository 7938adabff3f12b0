//! Scenarios of paying: declines, second cards, late captures, bounds.

use super::shop::{
    Shop, failed, pay, place_and_pay, refund_started, refunded, released, report, sold, waits,
};
use crate::{
    domain::{Timestamp, order::OrderState, payment::FailReason},
    ledger::{
        Event, Outcome, Refusal,
        command::{Command, Report},
        entry::{ReleaseReason, WaitReason},
        state::AttemptState,
        testing::{
            EPOCH, SECOND, buyer_id, call, cancel_drop, cancel_order, creator_id, end_drop,
            order_id, place, request_id, terms,
        },
    },
};

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

fn ordered(n: u128) -> Outcome {
    Outcome::Order(order_id(n))
}

#[test]
fn a_declined_card_then_another() {
    let mut shop = Shop::open();
    assert_eq!(shop.run(place_and_pay(1, 1, 2)), ordered(1));
    assert_eq!(shop.state_of(1), OrderState::PaymentPending);
    shop.decline(1, 1);
    let order = shop.state.order(order_id(1)).unwrap();
    assert_eq!(order.payment_error, Some(FailReason::Declined));
    shop.pass(2);
    assert_eq!(shop.run(pay(1, 1, 0)), ordered(1));
    assert_eq!(
        shop.state.order(order_id(1)).unwrap().payment_error,
        None,
        "until the next attempt"
    );
    shop.run(report(1, 2, Report::Captured));
    let order = shop.state.order(order_id(1)).unwrap();
    assert_eq!((order.state, order.paid_attempt), (OrderState::Paid, 2));
    assert_eq!(shop.state.totals(), (8, 0, 2));
    assert!(!shop.state.has_open_work());
}

#[test]
fn an_open_payment_pins_its_hold() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 2));
    shop.pass(3_000);
    assert_eq!(shop.brought, []);
    assert_eq!(shop.state.totals(), (8, 2, 0));
    // The end comes: nothing is sealed before the provider has spoken, and then in the same record.
    shop.pass(1_000);
    assert_eq!(shop.brought.len(), 1, "{:?}", shop.brought);
    assert_eq!(shop.state.next_due(), None);
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.brought, [sold(1, 1), Event::Sealed]);
}

#[test]
fn captured_after_failed_while_held() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.brought, [sold(1, 1)]);
    assert_eq!(shop.state.order(order_id(1)).unwrap().payment_error, None);
    assert_eq!(shop.state.totals(), (8, 0, 2));
    shop.pass(60);
    assert_eq!(shop.brought, [], "the hold is over");
    // And again, as a webhook does.
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.brought, []);
}

/// Order 1 has expired after a decline, and is captured all the same.
fn captured_when_expired(shop: &mut Shop, between: impl FnOnce(&mut Shop)) -> Vec<Event> {
    shop.declined_order(1, 2);
    shop.pass(32);
    assert_eq!(shop.state_of(1), OrderState::Expired);
    between(shop);
    shop.run(report(1, 1, Report::Captured));
    std::mem::take(&mut shop.brought)
}

#[test]
fn captured_after_the_hold_with_units_left() {
    let mut shop = Shop::open();
    let brought = captured_when_expired(&mut shop, |_| ());
    let order_id = order_id(1);
    let attempt = 1;
    assert_eq!(brought, [Event::SoldLate { order_id, attempt }]);
    assert_eq!(shop.state_of(1), OrderState::Paid);
    assert_eq!(shop.state.totals(), (8, 0, 2));
}

#[test]
fn captured_after_the_hold_without_units() {
    let mut shop = Shop::open();
    let brought = captured_when_expired(&mut shop, |shop| shop.sold_order(2, 9));
    assert_eq!(brought, [refund_started(1, 1, 1_000, false)]);
    assert_eq!(shop.state_of(1), OrderState::RefundPending);
    assert_eq!(shop.state.totals(), (1, 0, 9));
    assert!(shop.state.has_open_work());
    shop.run(report(1, 1, Report::Refunded));
    assert_eq!(shop.brought, [refunded(1, 1, false)]);
    assert_eq!(shop.state_of(1), OrderState::Refunded);
    assert!(!shop.state.has_open_work());
}

#[test]
fn captured_after_the_hold_beyond_the_limit() {
    let mut shop = Shop::with(&terms(&[(10, 500, 3)], EPOCH));
    let brought = captured_when_expired(&mut shop, |shop| {
        shop.run(place(1, 2, &[(0, 2)]));
    });
    assert_eq!(brought, [refund_started(1, 1, 1_000, false)]);
    assert_eq!(shop.state_of(2), OrderState::Held, "the buyer's other hold");
}

#[test]
fn captured_after_the_buyer_cancelled() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    assert_eq!(shop.run(cancel_order(1, order_id(1))), ordered(1));
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.brought, [refund_started(1, 1, 1_000, false)]);
    assert_eq!(shop.state.totals(), (10, 0, 0));
}

#[test]
fn captured_after_the_drop_was_cancelled_or_sealed() {
    for command in [cancel_drop(9), end_drop()] {
        let mut shop = Shop::open();
        let brought = captured_when_expired(&mut shop, |shop| {
            shop.run(command);
            assert!(shop.brought.contains(&Event::Sealed));
        });
        assert_eq!(brought, [refund_started(1, 1, 1_000, false)]);
        shop.run(report(1, 1, Report::Refunded));
        assert_eq!(shop.state_of(1), OrderState::Refunded);
        assert!(!shop.state.has_open_work());
    }
}

/// Closed, but not sealed: another hold is open.
#[test]
fn captured_after_the_end_with_units_left() {
    let mut shop = Shop::open();
    let brought = captured_when_expired(&mut shop, |shop| {
        shop.run(place(2, 2, &[(0, 1)]));
        shop.run(end_drop());
    });
    assert!(matches!(brought[..], [Event::SoldLate { .. }]));
}

#[test]
fn a_cancelled_drop_gives_back_what_is_captured_in_it() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 2));
    shop.run(place_and_pay(2, 2, 2));
    shop.declined_order(3, 2);
    shop.run(cancel_drop(9));
    assert_eq!(
        shop.run(pay(3, 1, 0)),
        refused(Refusal::OrderState(OrderState::Cancelled))
    );
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.state_of(1), OrderState::Paid);
    assert!(shop.state.next_due().is_some_and(|due| due <= shop.now));
    shop.decline(2, 1);
    shop.settle();
    assert_eq!(
        [1, 2, 3].map(|n| shop.state_of(n)),
        [
            OrderState::RefundPending,
            OrderState::Cancelled,
            OrderState::Cancelled
        ]
    );
    shop.run(report(1, 1, Report::Refunded));
    assert_eq!(shop.state_of(1), OrderState::Refunded);
    assert_eq!(shop.state.next_due(), None);
    assert!(!shop.state.has_open_work());
}

/// The first attempt is captured after it failed, and the second one leads the order.
fn stray(second: &[Report], is: OrderState) {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    shop.pass(2);
    shop.run(pay(1, 1, 0));
    for said in second {
        shop.run(report(1, 2, said.clone()));
    }
    if is == OrderState::RefundPending || is == OrderState::Refunded {
        shop.run(super::shop::refund(1, 2, false));
    }
    if is == OrderState::Refunded {
        shop.run(report(1, 2, Report::Refunded));
    }
    assert_eq!(shop.state_of(1), is);
    let before = (
        shop.state.totals(),
        shop.state.order(order_id(1)).unwrap().clone(),
    );
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.brought, [refund_started(1, 1, 1_000, true)]);
    assert!(shop.state.has_open_work());
    shop.run(report(1, 1, Report::Refunded));
    assert_eq!(shop.brought, [refunded(1, 1, true)]);
    let after = (
        shop.state.totals(),
        shop.state.order(order_id(1)).unwrap().clone(),
    );
    assert_eq!(before, after, "a stray moves neither units nor the order");
    assert_eq!(
        shop.state.attempt(order_id(1), 1).unwrap().state,
        AttemptState::Refunded
    );
}

#[test]
fn a_stray_is_given_back_beside_the_order() {
    use OrderState::{ActionRequired, Paid, PaymentPending, PaymentUnknown, RefundPending};
    stray(&[], PaymentPending);
    stray(&[waits(WaitReason::Unknown, "")], PaymentUnknown);
    let url = "https://bank.test";
    stray(&[waits(WaitReason::ActionRequired, url)], ActionRequired);
    stray(&[Report::Captured], Paid);
    stray(&[Report::Captured], RefundPending);
    stray(&[Report::Captured], OrderState::Refunded);
}

#[test]
fn cancelling_waits_for_the_payment() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 2));
    let cancel = || cancel_order(1, order_id(1));
    let open = Refusal::PaymentInProgress(OrderState::PaymentPending);
    assert_eq!(shop.run(cancel()), refused(open.clone()));
    assert_eq!(shop.run(pay(1, 1, 0)), refused(open));
    assert_eq!(shop.brought, []);
    shop.decline(1, 1);
    assert_eq!(shop.run(cancel()), ordered(1));
    assert_eq!(shop.run(cancel()), ordered(1));
    assert_eq!(shop.state_of(1), OrderState::Cancelled);
}

/// Decided on its own, without what is due before it: the clock alone never says that a hold is over.
#[test]
fn a_hold_is_over_only_with_its_release() {
    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    let over = Timestamp::from_micros(EPOCH.micros() + 32 * SECOND);
    let before = Timestamp::from_micros(over.micros() - 1);
    let decision = shop.state.decide(&pay(1, 1, 0), before);
    assert_eq!(decision.outcome, ordered(1));
    let decision = shop.state.decide(&pay(1, 1, 1), over);
    assert_eq!(decision.outcome, refused(Refusal::HoldExpired));
    let events: Vec<_> = decision.entries.into_iter().map(|it| it.event).collect();
    assert_eq!(events, [released(1, ReleaseReason::Expired)]);
    shop.pass(32);
    assert_eq!(shop.run(pay(1, 1, 1)), refused(Refusal::HoldExpired));
    assert_eq!(shop.brought, []);
}

/// The units of a hold that was over while it was paid for are there for whoever comes next in the same record.
#[test]
fn a_payment_that_fails_after_the_hold_gives_the_units_back_at_once() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 10));
    shop.pass(40);
    let outcomes = shop.together(&[report(1, 1, failed()), place(2, 2, &[(0, 10)])]);
    assert_eq!(outcomes[1], ordered(2), "{:?}", shop.brought);
    assert_eq!(shop.state_of(1), OrderState::Expired);
}

#[test]
fn attempts_are_five_and_two_seconds_apart() {
    let mut shop = Shop::open();
    shop.declined_order(1, 2);
    for attempt in 2..=5 {
        let request = u128::try_from(attempt).unwrap();
        let last = shop.now;
        shop.pass(1);
        let retry_at = Some(Timestamp::from_micros(last.micros() + 2 * SECOND));
        assert_eq!(
            shop.run(pay(1, request, 0)),
            refused(Refusal::TooManyAttempts { retry_at })
        );
        shop.pass(1);
        assert_eq!(shop.run(pay(1, request, 0)), ordered(1));
        shop.decline(1, attempt);
    }
    shop.pass(2);
    let retry_at = None;
    assert_eq!(
        shop.run(pay(1, 6, 0)),
        refused(Refusal::TooManyAttempts { retry_at })
    );
    assert_eq!(
        shop.run(pay(1, 5, 0)),
        ordered(1),
        "a replay of the last one"
    );
    assert_eq!(shop.brought, []);
}

#[test]
fn a_refused_retry_voids_its_payment_for_ever() {
    for is_ended in [false, true] {
        let mut shop = Shop::open();
        shop.run(place_and_pay(1, 1, 2));
        if is_ended {
            shop.run(end_drop());
        }
        let open = || refused(Refusal::PaymentInProgress(OrderState::PaymentPending));
        assert_eq!(shop.run(pay(1, 7, 0)), open());
        assert_eq!(shop.brought, [], "a first try is not remembered");
        assert_eq!(shop.run(pay(1, 7, 1)), open());
        assert!(matches!(shop.brought[..], [Event::Refused { .. }]));
        shop.decline(1, 1);
        shop.pass(2);
        // The twin of the refused call comes late.
        assert_eq!(shop.run(pay(1, 7, 0)), refused(Refusal::RequestIdVoid));
        assert_eq!(shop.run(pay(1, 8, 0)), ordered(1));
    }
}

#[test]
fn five_voided_payments_end_it_for_a_buyer() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 2));
    for request in 1..=5 {
        shop.run(pay(1, request, 1));
        assert!(matches!(shop.brought[..], [Event::Refused { .. }]));
    }
    shop.run(pay(1, 6, 1));
    assert_eq!(shop.brought, []);
    shop.decline(1, 1);
    shop.pass(2);
    let open_order_id = Some(order_id(1));
    let outcome = shop.run(pay(1, 6, 1));
    assert_eq!(outcome, refused(Refusal::TooManyHolds { open_order_id }));
    assert_eq!(shop.brought, []);
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.state_of(1), OrderState::Paid);
}

#[test]
fn a_payment_is_the_buyers_own() {
    let mut shop = Shop::open();
    shop.run(place(1, 1, &[(0, 2)]));
    let mut command = pay(1, 1, 1);
    let other = call(
        buyer_id(2),
        crate::ledger::Method::PayOrder,
        Some(request_id(1)),
        0,
    );
    if let Command::PayOrder { call, .. } = &mut command {
        *call = other;
    }
    let unknown = refused(Refusal::UnknownOrder(order_id(1)));
    assert_eq!(shop.run(command), unknown);
    assert_eq!(shop.brought, []);
}

/// The log must end, however often a provider changes its mind.
#[test]
fn a_payment_waits_sixteen_times() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 2));
    let mut told = 0;
    for n in 0..40 {
        let (reason, url) = match n % 3 {
            0 => (WaitReason::ActionRequired, "https://bank.test/3ds"),
            1 => (WaitReason::Pending, ""),
            _ => (WaitReason::Unknown, ""),
        };
        for _ in 0..2 {
            shop.run(report(1, 1, waits(reason, url)));
            told += shop.brought.len();
        }
    }
    assert_eq!(told, 16);
    shop.run(report(1, 1, Report::Captured));
    assert_eq!(shop.state_of(1), OrderState::Paid);
}

#[test]
fn the_buyer_is_sent_to_the_bank_only_while_the_bank_waits() {
    let mut shop = Shop::open();
    shop.run(place_and_pay(1, 1, 2));
    let url = "https://bank.test/3ds";
    for (reason, expected) in [
        (WaitReason::ActionRequired, Some(url)),
        (WaitReason::Unknown, None),
        (WaitReason::ActionRequired, Some(url)),
        (WaitReason::Pending, None),
    ] {
        shop.run(report(1, 1, waits(reason, url)));
        let order = shop.state.order(order_id(1)).unwrap();
        assert_eq!(order.action_url.as_deref(), expected, "{reason:?}");
    }
}

/// One operator's call that settles two attempts is two reports, not one request twice.
#[test]
fn an_operator_settles_two_attempts_in_one_go() {
    let mut shop = Shop::open();
    for n in [1, 2] {
        shop.declined_order(n, 2);
        let buyer = usize::try_from(n).unwrap();
        shop.run(cancel_order(buyer, order_id(n)));
    }
    let settle = |n, said| Command::ReportPayment {
        call: Some(call(
            creator_id(),
            crate::ledger::Method::SettleOrder,
            Some(request_id(1)),
            0,
        )),
        order_id: order_id(n),
        attempt: 1,
        report: said,
    };
    for n in [1, 2] {
        let outcome = shop.run(settle(n, Report::Captured));
        assert_eq!(outcome, Outcome::Attempt(order_id(n), 1));
        shop.run(settle(n, Report::Refunded));
        assert_eq!(shop.state_of(n), OrderState::Refunded);
    }
}
