//! The rules that every entry must keep, whoever wrote it. No process of this version breaks them: a log that does is damaged or newer.

use super::{
    FoldError, StockState,
    apply::illegal,
    decide::{ATTEMPTS_APART, total},
    due::EXPIRY_GRACE,
    model::{Phase, Position},
};
use crate::{
    domain::{OrderId, payment::ATTEMPTS_MAX},
    ledger::entry::{CloseReason, Entry, Event, Line, Method, ReleaseReason, Terms},
};

impl StockState {
    /// Checks what an entry must keep beyond what folding it relies on.
    ///
    /// # Errors
    /// If it breaks a rule.
    pub(super) fn check_rules(&self, entry: &Entry, at: Position) -> Result<(), FoldError> {
        let Some(terms) = self.core.terms.as_deref() else {
            let is_first = matches!(entry.event, Event::TermsFrozen { .. });
            let before = Err(illegal("entry", "before the terms"));
            return if is_first { Ok(()) } else { before };
        };
        let is_sealed = matches!(self.core.phase, Phase::Sealed(_));
        let is_open = matches!(self.core.phase, Phase::Scheduled | Phase::Live);
        let is_live = self.core.phase == Phase::Live;
        let now = at.recorded_at;
        // A payment may still begin after the end.
        let is_of_payment = entry
            .call
            .is_some_and(|call| call.method == Method::PayOrder);
        match &entry.event {
            Event::RefundStarted {
                order_id,
                attempt,
                amount_minor,
                ..
            } => self.check_refund(*order_id, *attempt, *amount_minor),
            Event::Refunded { .. } => Ok(()),
            _ if is_sealed => Err(illegal("entry", "only refunds come after Sealed")),
            Event::WentLive if now < terms.opens_at => Err(illegal("WentLive", "too early")),
            Event::Held {
                lines, total_minor, ..
            } => check_held(terms, lines, *total_minor, at),
            Event::PaymentStarted {
                order_id,
                attempt,
                amount_minor,
                ..
            } => self.check_payment(*order_id, *attempt, *amount_minor, at),
            Event::SoldLate { order_id, .. } => match self.orders.get(order_id) {
                Some(order) if self.has_room_again(order) => Ok(()),
                Some(_) | None => Err(illegal("SoldLate", "no room for it")),
            },
            Event::Released { order_id, reason } => self.check_released(*order_id, *reason, at),
            Event::LowStock { item_id } => match self.item(*item_id) {
                Some(item)
                    if is_live && !item.low_told && item.available <= terms.low_stock_threshold =>
                {
                    Ok(())
                }
                Some(_) | None => Err(illegal("LowStock", "not low, or told before")),
            },
            Event::SoldOut if !is_live || self.core.sold_out_told || !self.is_sold_out() => {
                Err(illegal("SoldOut", "not sold out, or told before"))
            }
            Event::Refused { .. } if !is_open && !is_of_payment => {
                Err(illegal("Refused", "the drop is closed"))
            }
            Event::Closed {
                reason: CloseReason::Ended,
            } if now < terms.ends_at => Err(illegal("Closed", "too early")),
            Event::TermsFrozen { .. }
            | Event::WentLive
            | Event::PaymentWaiting { .. }
            | Event::PaymentFailed { .. }
            | Event::Sold { .. }
            | Event::Restocked { .. }
            | Event::SoldOut
            | Event::Refused { .. }
            | Event::Closed { .. }
            | Event::Sealed => Ok(()),
        }
    }

    /// One payment at a time, of the whole sum, for a hold that lasts.
    fn check_payment(
        &self,
        order_id: OrderId,
        attempt: i32,
        amount_minor: i64,
        at: Position,
    ) -> Result<(), FoldError> {
        let fail = |why| Err(illegal("PaymentStarted", why));
        let Some(order) = self.orders.get(&order_id) else {
            return fail("unknown order");
        };
        let last = self.attempts.get(&(order_id, order.attempts));
        if self.core.phase.is_cancelled() {
            fail("the drop is cancelled")
        } else if attempt != order.attempts + 1 || attempt > ATTEMPTS_MAX {
            fail("not the next attempt, or one too many")
        } else if amount_minor != order.total_minor || amount_minor < 1 {
            fail("not the order's total")
        } else if order.hold_expires_at + EXPIRY_GRACE <= at.recorded_at {
            fail("the hold is over")
        } else if last.is_some_and(|it| it.started_at + ATTEMPTS_APART > at.recorded_at) {
            fail("too soon after the last attempt")
        } else {
            Ok(())
        }
    }

    /// What goes back is what was taken.
    fn check_refund(
        &self,
        order_id: OrderId,
        attempt: i32,
        amount_minor: i64,
    ) -> Result<(), FoldError> {
        let taken = match self.attempts.get(&(order_id, attempt)) {
            Some(attempt) => attempt.amount_minor,
            None => 0,
        };
        if amount_minor == taken {
            Ok(())
        } else {
            Err(illegal("RefundStarted", "not what was taken"))
        }
    }

    fn check_released(
        &self,
        order_id: OrderId,
        reason: ReleaseReason,
        at: Position,
    ) -> Result<(), FoldError> {
        let is_over = self
            .orders
            .get(&order_id)
            .is_some_and(|order| order.hold_expires_at + EXPIRY_GRACE <= at.recorded_at);
        match reason {
            ReleaseReason::Expired if !is_over => Err(illegal("Released", "too early")),
            ReleaseReason::DropCancelled if !self.core.phase.is_cancelled() => {
                Err(illegal("Released", "the drop is not cancelled"))
            }
            ReleaseReason::Expired
            | ReleaseReason::CancelledByBuyer
            | ReleaseReason::DropCancelled => Ok(()),
        }
    }
}

fn check_held(
    terms: &Terms,
    lines: &[Line],
    total_minor: i64,
    at: Position,
) -> Result<(), FoldError> {
    let now = at.recorded_at;
    if now < terms.opens_at || now >= terms.ends_at {
        return Err(illegal("Held", "outside of opens_at and ends_at"));
    }
    let repeats = |(i, line): (usize, &Line)| {
        let earlier = lines.iter().take(i);
        earlier.into_iter().any(|it| it.item_id == line.item_id)
    };
    if lines.is_empty() || lines.iter().enumerate().any(repeats) {
        return Err(illegal("Held", "no lines, or two of one item"));
    }
    // What costs nothing is sold without a payment.
    if total(terms, lines) != Ok(total_minor) {
        return Err(illegal("Held", "not what the terms say it costs"));
    }
    Ok(())
}
