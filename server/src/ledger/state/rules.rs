//! The rules that every entry must keep, whoever wrote it. No process of this version breaks them: a log that does is damaged or newer.

use super::{
    FoldError, StockState,
    apply::illegal,
    due::EXPIRY_GRACE,
    model::{Phase, Position},
};
use crate::{
    domain::OrderId,
    ledger::entry::{CloseReason, Event, Line, ReleaseReason, Terms},
};

impl StockState {
    /// Checks what an event must keep beyond what folding it relies on.
    ///
    /// # Errors
    /// If it breaks a rule.
    pub(super) fn check_rules(&self, event: &Event, at: Position) -> Result<(), FoldError> {
        let Some(terms) = self.core.terms.as_deref() else {
            return Ok(()); // nothing but the terms can be folded now
        };
        let is_sealed = matches!(self.core.phase, Phase::Sealed(_));
        let is_open = matches!(self.core.phase, Phase::Scheduled | Phase::Live);
        let is_live = self.core.phase == Phase::Live;
        let now = at.recorded_at;
        match event {
            Event::RefundStarted { .. } | Event::Refunded { .. } => Ok(()),
            _ if is_sealed => Err(illegal("entry", "only refunds come after Sealed")),
            Event::WentLive if now < terms.opens_at => Err(illegal("WentLive", "too early")),
            Event::Held { lines, .. } => check_held(terms, lines, at),
            Event::Sold { order_id, attempt } => self.check_sold(*order_id, *attempt),
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
            Event::Refused { .. } if !is_open => Err(illegal("Refused", "the drop is closed")),
            Event::Closed {
                reason: CloseReason::Ended,
            } if now < terms.ends_at => Err(illegal("Closed", "too early")),
            Event::TermsFrozen { .. }
            | Event::WentLive
            | Event::PaymentStarted { .. }
            | Event::PaymentWaiting { .. }
            | Event::PaymentFailed { .. }
            | Event::SoldLate { .. }
            | Event::Restocked { .. }
            | Event::SoldOut
            | Event::Refused { .. }
            | Event::Closed { .. }
            | Event::Sealed => Ok(()),
        }
    }

    /// What costs something is sold by a payment, and this version takes none.
    fn check_sold(&self, order_id: OrderId, attempt: i32) -> Result<(), FoldError> {
        let is_free = self
            .orders
            .get(&order_id)
            .is_some_and(|order| order.total_minor == 0);
        if is_free && attempt == 0 {
            Ok(())
        } else {
            Err(illegal("Sold", "this version does not take payments"))
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

fn check_held(terms: &Terms, lines: &[Line], at: Position) -> Result<(), FoldError> {
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
    Ok(())
}
