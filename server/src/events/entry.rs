//! Events of ledger entries. Entries that nobody outside acts on give none: the freeze, a payment that is on its way, voided request
//! ids, the seal.

use livedrop_proto::events::v1 as pb;

use super::{Event, Payload, money, time};
use crate::{
    domain::{AccountId, Currency, DropId, OrderId, Timestamp, payment::FailReason},
    ledger::{Entry, Event as Happened, Line, entry},
    store::orders::LedgerPlace,
};

/// What never changes of a ledger's drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropFacts {
    /// The drop, which is the ledger.
    pub drop_id: DropId,
    /// Whose drop it is.
    pub creator_id: AccountId,
    /// Of all amounts.
    pub currency: Currency,
}

/// What never changes of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFacts {
    /// Which order.
    pub order_id: OrderId,
    /// Whose order it is.
    pub buyer_id: AccountId,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// What it costs, in minor units.
    pub total_minor: i64,
}

/// The entry is of this order, whose facts were not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the facts of order {0} are needed")]
pub struct UnknownOrder(pub OrderId);

/// The event of an entry that stands at `place` of a drop's ledger, in a record of `recorded_at`; `None` if it gives none. `order` must
/// be given for entries of an order, but for the one that holds it.
///
/// # Errors
/// If the order's facts are missing, or another's.
pub fn of_entry(
    drop: &DropFacts,
    place: LedgerPlace,
    recorded_at: Timestamp,
    entry: &Entry,
    order: Option<&OrderFacts>,
) -> Result<Option<Event>, UnknownOrder> {
    let payload = payload(drop, entry, order)?;
    Ok(payload.map(|payload| Event {
        event_id: format!("{}/{}/{}", drop.drop_id, place.seq, place.index),
        occurred_at: time(recorded_at),
        payload: Some(payload),
    }))
}

fn payload(
    drop: &DropFacts,
    entry: &Entry,
    facts: Option<&OrderFacts>,
) -> Result<Option<Payload>, UnknownOrder> {
    let of = |order_id: &OrderId| match facts {
        Some(facts) if facts.order_id == *order_id => Ok(Some(order(drop, facts))),
        Some(_) | None => Err(UnknownOrder(*order_id)),
    };
    Ok(Some(match &entry.event {
        Happened::Held { .. } => return Ok(held(drop, &entry.event)),
        Happened::PaymentWaiting {
            order_id,
            attempt,
            reason: entry::WaitReason::ActionRequired,
            ..
        } => Payload::OrderActionRequired(pb::OrderActionRequired {
            order: of(order_id)?,
            attempt: *attempt,
        }),
        Happened::PaymentFailed {
            order_id,
            attempt,
            reason,
        } => Payload::OrderPaymentFailed(pb::OrderPaymentFailed {
            order: of(order_id)?,
            attempt: *attempt,
            reason: fail_reason(FailReason::from_name(reason)).into(),
        }),
        Happened::Sold { order_id, attempt } => paid(of(order_id)?, *attempt, false),
        Happened::SoldLate { order_id, attempt } => paid(of(order_id)?, *attempt, true),
        Happened::Released { order_id, reason } => Payload::OrderReleased(pb::OrderReleased {
            order: of(order_id)?,
            reason: release_reason(*reason).into(),
        }),
        Happened::RefundStarted {
            order_id,
            attempt,
            amount_minor,
            stray,
            ..
        } => Payload::OrderRefundStarted(pb::OrderRefundStarted {
            order: of(order_id)?,
            attempt: *attempt,
            amount: money(drop.currency, *amount_minor),
            stray: *stray,
        }),
        Happened::Refunded {
            order_id,
            attempt,
            stray,
        } => Payload::OrderRefunded(pb::OrderRefunded {
            order: of(order_id)?,
            attempt: *attempt,
            stray: *stray,
        }),
        Happened::WentLive
        | Happened::Restocked { .. }
        | Happened::LowStock { .. }
        | Happened::SoldOut
        | Happened::Closed { .. }
        | Happened::TermsFrozen { .. }
        | Happened::PaymentStarted { .. }
        | Happened::PaymentWaiting { .. }
        | Happened::Refused { .. }
        | Happened::Sealed => return Ok(of_drop(drop, &entry.event)),
    }))
}

/// What an entry says of the drop itself.
fn of_drop(drop: &DropFacts, event: &Happened) -> Option<Payload> {
    let (drop_id, creator_id) = (drop.drop_id.to_string(), drop.creator_id.to_string());
    Some(match event {
        Happened::WentLive => Payload::DropWentLive(pb::DropWentLive {
            drop_id,
            creator_id,
        }),
        Happened::Restocked { item_id, units, .. } => Payload::DropRestocked(pb::DropRestocked {
            drop_id,
            creator_id,
            item_id: item_id.to_string(),
            unit_count: *units,
        }),
        Happened::LowStock { item_id } => Payload::ItemLowStock(pb::ItemLowStock {
            drop_id,
            creator_id,
            item_id: item_id.to_string(),
        }),
        Happened::SoldOut => Payload::DropSoldOut(pb::DropSoldOut {
            drop_id,
            creator_id,
        }),
        Happened::Closed { reason } => {
            let reason = match reason {
                entry::CloseReason::Ended => pb::DropEndReason::Ended,
                entry::CloseReason::EndedEarly => pb::DropEndReason::EndedEarly,
                entry::CloseReason::Cancelled => {
                    return Some(Payload::DropCancelled(pb::DropCancelled {
                        drop_id,
                        creator_id,
                    }));
                }
            };
            Payload::DropEnded(pb::DropEnded {
                drop_id,
                creator_id,
                reason: reason.into(),
            })
        }
        Happened::TermsFrozen { .. }
        | Happened::Refused { .. }
        | Happened::Sealed
        | Happened::Held { .. }
        | Happened::PaymentStarted { .. }
        | Happened::PaymentWaiting { .. }
        | Happened::PaymentFailed { .. }
        | Happened::Sold { .. }
        | Happened::SoldLate { .. }
        | Happened::Released { .. }
        | Happened::RefundStarted { .. }
        | Happened::Refunded { .. } => return None,
    })
}

/// A hold brings its order's facts along.
fn held(drop: &DropFacts, event: &Happened) -> Option<Payload> {
    let Happened::Held {
        order_id,
        buyer_id,
        lines,
        expires_at,
        total_minor,
    } = event
    else {
        return None;
    };
    let facts = OrderFacts {
        order_id: *order_id,
        buyer_id: *buyer_id,
        lines: lines.clone(),
        total_minor: *total_minor,
    };
    Some(Payload::OrderHeld(pb::OrderHeld {
        order: Some(order(drop, &facts)),
        hold_expires_at: time(*expires_at),
    }))
}

fn paid(order: Option<pb::Order>, attempt: i32, late: bool) -> Payload {
    Payload::OrderPaid(pb::OrderPaid {
        order,
        attempt,
        late,
    })
}

fn order(drop: &DropFacts, facts: &OrderFacts) -> pb::Order {
    let lines = facts.lines.iter().map(|line| pb::OrderLine {
        item_id: line.item_id.to_string(),
        quantity: line.quantity,
    });
    pb::Order {
        order_id: facts.order_id.to_string(),
        drop_id: drop.drop_id.to_string(),
        buyer_id: facts.buyer_id.to_string(),
        creator_id: drop.creator_id.to_string(),
        lines: lines.collect(),
        total: money(drop.currency, facts.total_minor),
    }
}

fn release_reason(reason: entry::ReleaseReason) -> pb::OrderReleaseReason {
    match reason {
        entry::ReleaseReason::Expired => pb::OrderReleaseReason::Expired,
        entry::ReleaseReason::CancelledByBuyer => pb::OrderReleaseReason::CancelledByBuyer,
        entry::ReleaseReason::DropCancelled => pb::OrderReleaseReason::DropCancelled,
    }
}

fn fail_reason(reason: FailReason) -> pb::PaymentFailReason {
    match reason {
        FailReason::Declined => pb::PaymentFailReason::Declined,
        FailReason::InsufficientFunds => pb::PaymentFailReason::InsufficientFunds,
        FailReason::AuthenticationFailed => pb::PaymentFailReason::AuthenticationFailed,
        FailReason::InvalidMethod => pb::PaymentFailReason::InvalidMethod,
        FailReason::Cancelled => pb::PaymentFailReason::Cancelled,
        FailReason::ProviderError => pb::PaymentFailReason::ProviderError,
        FailReason::SettledByHand => pb::PaymentFailReason::SettledByHand,
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
