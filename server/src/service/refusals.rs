//! What a ledger refuses, in the words of the contract.

use super::{Error, Violation};
use crate::{
    domain::{DropId, RequestId, Timestamp, drop::Drop, reason::Reason},
    ledger::{LedgerError, Line, Refusal},
};

/// The error for a ledger that did not answer. Callers take [`LedgerError::NotFrozen`] out before.
pub(super) fn no_answer(drop_id: DropId, error: LedgerError) -> Error {
    match error {
        LedgerError::UnknownDrop => Error::not_found(Reason::DropNotFound, "drop", drop_id),
        LedgerError::NotFrozen(drop) => not_open(&drop),
        LedgerError::Overloaded => Error::Overloaded {
            retry_after: std::time::Duration::from_millis(200),
        },
        LedgerError::Unavailable(cause) => Error::Unavailable {
            retry_after: std::time::Duration::from_millis(250),
            cause,
        },
    }
}

/// The refusal of a drop whose row still rules.
pub(super) fn not_open(drop: &Drop) -> Error {
    if drop.cancelled {
        refused(drop.drop_id, None, Refusal::DropCancelled)
    } else {
        opens(drop.drop_id, drop.opens_at)
    }
}

fn opens(drop_id: DropId, opens_at: Timestamp) -> Error {
    Error::Refused {
        reason: Reason::DropNotOpen,
        message: format!("the drop opens at {opens_at}"),
        metadata: vec![
            ("dropId", drop_id.to_string()),
            ("opensAt", opens_at.to_string()),
        ],
    }
}

/// The error for a refusal of a call on `drop_id`, which came with `request_id` if it has one.
pub(super) fn refused(drop_id: DropId, request_id: Option<RequestId>, refusal: Refusal) -> Error {
    let mut metadata = vec![("dropId", drop_id.to_string())];
    let (reason, message) = match refusal {
        Refusal::SoldOut {
            item_id,
            requested,
            available,
            held,
        } => {
            metadata.extend([
                ("itemId", item_id.to_string()),
                ("requested", requested.to_string()),
                ("available", available.to_string()),
                ("held", held.to_string()),
            ]);
            (
                Reason::SoldOut,
                format!("{requested} wanted of item {item_id}, {available} available, {held} held"),
            )
        }
        Refusal::NotOpen { opens_at } => return opens(drop_id, opens_at),
        Refusal::Ended => (Reason::DropEnded, "the drop has ended".to_owned()),
        Refusal::DropCancelled => (Reason::DropCancelled, "the drop is cancelled".to_owned()),
        Refusal::LimitReached {
            item_id,
            limit,
            owned,
        } => {
            metadata.extend(item_id.map(|id| ("itemId", id.to_string())));
            metadata.extend([("limit", limit.to_string()), ("owned", owned.to_string())]);
            (
                Reason::BuyerLimitReached,
                format!("{limit} units per buyer, {owned} held or bought already"),
            )
        }
        Refusal::TooManyHolds { open_order_id } => {
            metadata.extend(open_order_id.map(|id| ("openOrderId", id.to_string())));
            let message = match open_order_id {
                Some(order_id) => {
                    format!("order {order_id} is open: cancel it first, or wait until it expires")
                }
                None => "too many holds were given up or requests refused".to_owned(),
            };
            (Reason::TooManyHolds, message)
        }
        Refusal::PriceChanged { total } => {
            metadata.extend([
                ("currencyCode", total.currency.to_string()),
                ("totalMinor", total.amount_minor.to_string()),
            ]);
            (
                Reason::PriceChanged,
                format!("the total is {} {}", total.amount_minor, total.currency),
            )
        }
        Refusal::OrderState(state) => {
            metadata.push(("state", state.as_str().to_owned()));
            (
                Reason::OrderState,
                format!("the order is {}", state.as_str()),
            )
        }
        Refusal::PaymentInProgress(state) => {
            metadata.push(("state", state.as_str().to_owned()));
            (
                Reason::PaymentInProgress,
                format!("a payment is open: the order is {}", state.as_str()),
            )
        }
        Refusal::HoldExpired => (
            Reason::HoldExpired,
            "the hold ran out: place a new order".to_owned(),
        ),
        Refusal::TooManyAttempts { retry_at } => {
            metadata.extend(retry_at.map(|at| ("retryAt", at.to_string())));
            let message = match retry_at {
                Some(at) => format!("the next payment attempt may begin at {at}"),
                None => "the order has had all its payment attempts".to_owned(),
            };
            (Reason::TooManyAttempts, message)
        }
        Refusal::RequestIdReused => (
            Reason::RequestIdReused,
            "this request id was used with other content".to_owned(),
        ),
        Refusal::RequestIdVoid => (
            Reason::RequestIdVoid,
            "this request id was refused before: take a new one".to_owned(),
        ),
        Refusal::UnknownItem(_) => return Error::Invalid(vec![unknown_item("item_id")]),
        Refusal::UnknownOrder(order_id) => {
            return Error::not_found(Reason::OrderNotFound, "order", order_id);
        }
    };
    if matches!(reason, Reason::RequestIdReused | Reason::RequestIdVoid) {
        metadata.extend(request_id.map(|id| ("requestId", id.to_string())));
    }
    Error::Refused {
        reason,
        message,
        metadata,
    }
}

/// The violation of naming an item that the drop does not have.
pub(super) fn unknown_item(field: impl Into<String>) -> Violation {
    Violation::new(field, "must be an item of the drop")
}

/// The violations of all lines that name unknown items.
pub(super) fn unknown_items(drop: &Drop, lines: &[Line]) -> Error {
    let is_known = |line: &Line| drop.items.iter().any(|item| item.item_id == line.item_id);
    let unknown = lines.iter().enumerate().filter(|(_, line)| !is_known(line));
    Error::Invalid(
        unknown
            .map(|(i, _)| unknown_item(format!("lines[{i}].item_id")))
            .collect(),
    )
}
