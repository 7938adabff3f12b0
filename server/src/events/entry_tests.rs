//! Which entries tell what, and that nothing confidential is told.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests pick the kinds that they are about"
)]

use std::time::Duration;

use prost::Message as _;

use super::*;
use crate::{
    domain::drop::LedgerSecret,
    ledger::{
        entry::{CloseReason, ReleaseReason, WaitReason},
        testing::{EPOCH, buyer_id, creator_id, drop_id, item_id, order_id, terms},
    },
};

/// In every text of an entry that nobody outside may read.
const CONFIDENTIAL: &str = "confidential";

fn drop_facts() -> DropFacts {
    DropFacts {
        drop_id: drop_id(1),
        creator_id: creator_id(),
        currency: "EUR".parse().unwrap(),
    }
}

fn lines() -> Vec<Line> {
    vec![Line {
        item_id: item_id(0),
        quantity: 3,
    }]
}

fn facts(order: u128) -> OrderFacts {
    OrderFacts {
        order_id: order_id(order),
        buyer_id: buyer_id(5),
        lines: lines(),
        total_minor: 1_500,
    }
}

fn told(event: Happened, order: Option<&OrderFacts>) -> Result<Option<Event>, UnknownOrder> {
    let entry = Entry {
        event,
        moves: Vec::new(),
        call: None,
    };
    let place = LedgerPlace { seq: 12, index: 3 };
    let at = EPOCH + Duration::from_micros(1_500_000);
    of_entry(&drop_facts(), place, at, &entry, order)
}

/// Every kind of entry with the name of its event; each is of order 1 or of none.
fn all() -> Vec<(Happened, Option<&'static str>)> {
    let (order, item, text) = (order_id(1), item_id(0), || CONFIDENTIAL.to_owned());
    let waiting = |reason| Happened::PaymentWaiting {
        order_id: order,
        attempt: 1,
        reason,
        action_url: text(),
    };
    let released = |reason| Happened::Released {
        order_id: order,
        reason,
    };
    let closed = |reason| Happened::Closed { reason };
    let frozen = Happened::TermsFrozen {
        terms: terms(&[(5, 500, 0)], EPOCH),
        secret: LedgerSecret([9; 32]),
    };
    let held = Happened::Held {
        order_id: order,
        buyer_id: buyer_id(5),
        lines: lines(),
        expires_at: EPOCH,
        total_minor: 1_500,
    };
    let started = Happened::PaymentStarted {
        order_id: order,
        attempt: 1,
        amount_minor: 1_500,
        provider: "test".to_owned(),
        payment_method: crate::domain::payment::PaymentMethod::stored(text()),
    };
    let failed = Happened::PaymentFailed {
        order_id: order,
        attempt: 1,
        reason: "DECLINED".to_owned(),
    };
    let refund = Happened::RefundStarted {
        order_id: order,
        attempt: 1,
        reason: text(),
        restock: false,
        amount_minor: 1_500,
        stray: false,
    };
    let refunded = Happened::Refunded {
        order_id: order,
        attempt: 1,
        stray: true,
    };
    let restocked = Happened::Restocked {
        item_id: item,
        units: 7,
        reason: text(),
    };
    let paid = |order_id| Happened::Sold {
        order_id,
        attempt: 2,
    };
    let late = Happened::SoldLate {
        order_id: order,
        attempt: 2,
    };
    vec![
        (frozen, None),
        (Happened::WentLive, Some("DropWentLive")),
        (held, Some("OrderHeld")),
        (started, None),
        (
            waiting(WaitReason::ActionRequired),
            Some("OrderActionRequired"),
        ),
        (waiting(WaitReason::Pending), None),
        (waiting(WaitReason::Unknown), None),
        (failed, Some("OrderPaymentFailed")),
        (paid(order), Some("OrderPaid")),
        (late, Some("OrderPaid")),
        (released(ReleaseReason::Expired), Some("OrderReleased")),
        (
            released(ReleaseReason::CancelledByBuyer),
            Some("OrderReleased"),
        ),
        (
            released(ReleaseReason::DropCancelled),
            Some("OrderReleased"),
        ),
        (refund, Some("OrderRefundStarted")),
        (refunded, Some("OrderRefunded")),
        (restocked, Some("DropRestocked")),
        (Happened::LowStock { item_id: item }, Some("ItemLowStock")),
        (Happened::SoldOut, Some("DropSoldOut")),
        (Happened::Refused { reason: text() }, None),
        (closed(CloseReason::Ended), Some("DropEnded")),
        (closed(CloseReason::EndedEarly), Some("DropEnded")),
        (closed(CloseReason::Cancelled), Some("DropCancelled")),
        (Happened::Sealed, None),
    ]
}

#[test]
fn every_entry_tells_its_event_and_nothing_confidential() {
    for (happened, name) in all() {
        let event = told(happened.clone(), Some(&facts(1))).unwrap();
        let Some(event) = event else {
            assert_eq!(name, None, "{happened:?}");
            continue;
        };
        let payload = format!("{:?}", event.payload.as_ref().unwrap());
        let kind = payload.split('(').next();
        assert_eq!(kind, name, "{happened:?}");
        assert_eq!(event.event_id, format!("{}/12/3", drop_id(1)));
        let at = event.occurred_at.unwrap();
        assert_eq!(
            (at.seconds, at.nanos),
            (EPOCH.seconds() + 1, 500_000_000),
            "{happened:?}"
        );
        let bytes = event.encode_to_vec();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(CONFIDENTIAL),
            "{payload}"
        );
        assert_eq!(told(happened, Some(&facts(1))).unwrap(), Some(event));
    }
}

#[test]
fn an_order_is_told_in_full() {
    let expected = pb::Order {
        order_id: order_id(1).to_string(),
        drop_id: drop_id(1).to_string(),
        buyer_id: buyer_id(5).to_string(),
        creator_id: creator_id().to_string(),
        lines: vec![pb::OrderLine {
            item_id: item_id(0).to_string(),
            quantity: 3,
        }],
        total: Some(pb::Money {
            currency_code: "EUR".to_owned(),
            amount_minor: 1_500,
        }),
    };
    let order_of = |event: Event| match event.payload.unwrap() {
        Payload::OrderHeld(it) => it.order,
        Payload::OrderActionRequired(it) => it.order,
        Payload::OrderPaymentFailed(it) => it.order,
        Payload::OrderPaid(it) => it.order,
        Payload::OrderReleased(it) => it.order,
        Payload::OrderRefundStarted(it) => it.order,
        Payload::OrderRefunded(it) => it.order,
        other => panic!("{other:?} has no order"),
    };
    let is_of_order =
        |it: &(Happened, Option<&str>)| it.1.is_some_and(|it| it.starts_with("Order"));
    for (happened, _) in all().into_iter().filter(is_of_order) {
        let event = told(happened, Some(&facts(1))).unwrap().unwrap();
        assert_eq!(order_of(event), Some(expected.clone()));
    }
}

#[test]
fn an_order_without_its_facts_is_not_told_halfway() {
    let sold = Happened::Sold {
        order_id: order_id(1),
        attempt: 1,
    };
    let unknown = Err(UnknownOrder(order_id(1)));
    assert_eq!(told(sold.clone(), None), unknown);
    assert_eq!(told(sold, Some(&facts(2))), unknown);
    // A hold brings its own, and the drop has none.
    for (happened, name) in all() {
        let is_of_order = name.is_some_and(|it| it.starts_with("Order") && it != "OrderHeld");
        assert_eq!(told(happened, None).is_err(), is_of_order, "{name:?}");
    }
}

#[test]
fn reasons_keep_their_meaning() {
    for reason in FailReason::ALL {
        let name = format!("PAYMENT_FAIL_REASON_{}", reason.as_str());
        assert_eq!(fail_reason(reason).as_str_name(), name);
    }
}
