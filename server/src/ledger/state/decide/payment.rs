//! Deciding what is about money: paying, refunds, and what the provider says.

use super::{ATTEMPTS_APART, Decision, REFUSED_MAX, over, within_limits};
use crate::{
    domain::{
        OrderId, Timestamp,
        order::OrderState,
        payment::{ATTEMPTS_MAX, FailReason},
    },
    ledger::{
        command::{Outcome, PayBy, Refusal, Report},
        entry::{Call, Event, ReleaseReason, WaitReason},
        state::{AttemptKey, AttemptState, Order, Phase, StockState, due, payment},
    },
};

/// The entry that begins an attempt.
pub(super) fn started(order_id: OrderId, attempt: i32, amount_minor: i64, pay_by: &PayBy) -> Event {
    Event::PaymentStarted {
        order_id,
        attempt,
        amount_minor,
        provider: pay_by.provider.clone(),
        payment_method: pay_by.method.clone(),
    }
}

impl StockState {
    pub(super) fn pay(
        &self,
        call: &Call,
        order_id: OrderId,
        pay_by: &PayBy,
        retry_count: i32,
        now: Timestamp,
    ) -> Decision {
        let order = self
            .orders
            .get(&order_id)
            .filter(|order| order.buyer_id == call.caller_id);
        let Some(order) = order else {
            return Decision::refused(Refusal::UnknownOrder(order_id));
        };
        let refusal = match order.state {
            OrderState::Held if order.hold_expires_at + due::EXPIRY_GRACE <= now => {
                // Only an entry ends a hold: a refusal by the clock alone would let a twin's payment land.
                let reason = ReleaseReason::Expired;
                let released = Event::Released { order_id, reason };
                return Decision {
                    entries: vec![self.entry(released, None)],
                    outcome: Outcome::Refused(Refusal::HoldExpired),
                };
            }
            OrderState::Held => match self.may_pay(order, now) {
                Ok(()) => {
                    let event = started(order_id, order.attempts + 1, order.total_minor, pay_by);
                    return Decision {
                        entries: vec![self.entry(event, Some(*call))],
                        outcome: Outcome::Order(order_id),
                    };
                }
                Err(refusal) => refusal,
            },
            OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown => Refusal::PaymentInProgress(order.state),
            OrderState::Expired => Refusal::HoldExpired,
            OrderState::Paid
            | OrderState::Cancelled
            | OrderState::RefundPending
            | OrderState::Refunded => Refusal::OrderState(order.state),
        };
        self.refuse(call, retry_count, refusal)
    }

    fn may_pay(&self, order: &Order, now: Timestamp) -> Result<(), Refusal> {
        if self.core.phase.is_cancelled() {
            return Err(Refusal::DropCancelled);
        }
        let refused = self.buyers.get(&order.buyer_id).map_or(0, |it| it.refused);
        if refused >= REFUSED_MAX {
            let open_order_id = Some(order.order_id);
            return Err(Refusal::TooManyHolds { open_order_id });
        }
        if order.attempts >= ATTEMPTS_MAX {
            return Err(Refusal::TooManyAttempts { retry_at: None });
        }
        let last = self.attempts.get(&(order.order_id, order.attempts));
        match last.map(|it| it.started_at + ATTEMPTS_APART) {
            Some(at) if at > now => Err(Refusal::TooManyAttempts { retry_at: Some(at) }),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn refund(
        &self,
        call: &Call,
        order_id: OrderId,
        reason: &str,
        restock: bool,
    ) -> Decision {
        let terms = self.core.terms.as_ref();
        let is_creator = terms.is_some_and(|terms| terms.creator_id == call.caller_id);
        let Some(order) = self.orders.get(&order_id).filter(|_| is_creator) else {
            return Decision::refused(Refusal::UnknownOrder(order_id));
        };
        match (order.state, self.core.phase) {
            (OrderState::RefundPending | OrderState::Refunded, _) => {
                Decision::done(Outcome::Order(order_id))
            }
            (OrderState::Paid, Phase::Closed(closed) | Phase::Sealed(closed)) if restock => {
                Decision::refused(over(closed))
            }
            (OrderState::Paid, _) => {
                let mut entries = vec![self.entry(refund_of(order, reason, restock), Some(*call))];
                if order.paid_attempt == 0 {
                    entries.push(self.entry(refunded(order_id, 0, false), None));
                }
                Decision {
                    entries,
                    outcome: Outcome::Order(order_id),
                }
            }
            (
                OrderState::Held
                | OrderState::PaymentPending
                | OrderState::ActionRequired
                | OrderState::PaymentUnknown
                | OrderState::Cancelled
                | OrderState::Expired,
                _,
            ) => Decision::refused(Refusal::OrderState(order.state)),
        }
    }

    /// What the provider's word brings. What it has brought already, or comes too late for, brings nothing.
    pub(super) fn report(
        &self,
        call: Option<Call>,
        key: AttemptKey,
        report: &Report,
        now: Timestamp,
    ) -> Decision {
        let (order_id, attempt) = key;
        let known = self.attempts.get(&key).zip(self.orders.get(&order_id));
        let Some((it, order)) = known else {
            return Decision::refused(Refusal::UnknownOrder(order_id));
        };
        let event = match (it.state, report) {
            (AttemptState::Open(_), Report::Captured) => Some(Event::Sold { order_id, attempt }),
            (AttemptState::Open(_), Report::Failed(reason)) => Some(failed(key, *reason)),
            (AttemptState::Open(before), Report::Waiting(reason, url)) => {
                let is_new = before != *reason && it.waits < payment::WAITS_MAX;
                is_new.then(|| waiting(key, *reason, url))
            }
            (AttemptState::Failed, Report::Captured) => Some(self.captured_late(order, attempt)),
            (AttemptState::Refunding { is_stray }, Report::Refunded) => {
                Some(refunded(order_id, attempt, is_stray))
            }
            (AttemptState::Open(_), Report::Refunded)
            | (AttemptState::Failed, Report::Waiting(..) | Report::Failed(_) | Report::Refunded)
            | (
                AttemptState::Refunding { .. },
                Report::Waiting(..) | Report::Failed(_) | Report::Captured,
            )
            | (AttemptState::Captured | AttemptState::Refunded, _) => None,
        };
        let is_unpinned = matches!(event, Some(Event::PaymentFailed { .. }));
        let mut entries: Vec<_> = event
            .map(|event| self.entry(event, call))
            .into_iter()
            .collect();
        let is_over = order.hold_expires_at + due::EXPIRY_GRACE <= now;
        if is_unpinned && is_over && !self.core.phase.is_cancelled() {
            // Else a later command of the same record is told SOLD_OUT by units that nobody may have any more.
            let reason = ReleaseReason::Expired;
            entries.push(self.entry(Event::Released { order_id, reason }, None));
        }
        Decision {
            entries,
            outcome: Outcome::Attempt(order_id, attempt),
        }
    }

    /// The provider said failed and captured all the same.
    fn captured_late(&self, order: &Order, attempt: i32) -> Event {
        let order_id = order.order_id;
        let refund = |stray| Event::RefundStarted {
            order_id,
            attempt,
            reason: "captured too late".to_owned(),
            restock: false,
            amount_minor: order.total_minor,
            stray,
        };
        match order.state {
            OrderState::Held => Event::Sold { order_id, attempt },
            OrderState::Expired if self.has_room_again(order) => {
                Event::SoldLate { order_id, attempt }
            }
            OrderState::Expired | OrderState::Cancelled => refund(false),
            OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown
            | OrderState::Paid
            | OrderState::RefundPending
            | OrderState::Refunded => refund(true),
        }
    }

    /// Whether an expired order could be held again: the drop is neither cancelled nor sealed, units and limit allow.
    pub(in crate::ledger::state) fn has_room_again(&self, order: &Order) -> bool {
        let Some(terms) = self.core.terms.as_deref() else {
            return false;
        };
        let lasts = match self.core.phase {
            Phase::Live => true,
            Phase::Closed(_) => !self.core.phase.is_cancelled(),
            Phase::Empty | Phase::Scheduled | Phase::Sealed(_) => false,
        };
        let buyer = self.buyers.get(&order.buyer_id);
        lasts
            && buyer.is_none_or(|buyer| within_limits(terms, buyer, &order.lines).is_ok())
            && order.lines.iter().all(|line| {
                let item = self.item(line.item_id);
                item.is_some_and(|item| item.available >= i64::from(line.quantity))
            })
    }
}

/// Money of a paid order is to go back.
pub(in crate::ledger::state) fn refund_of(order: &Order, reason: &str, restock: bool) -> Event {
    Event::RefundStarted {
        order_id: order.order_id,
        attempt: order.paid_attempt,
        reason: reason.to_owned(),
        restock,
        amount_minor: order.total_minor,
        stray: false,
    }
}

/// Money went back.
pub(in crate::ledger::state) const fn refunded(
    order_id: OrderId,
    attempt: i32,
    stray: bool,
) -> Event {
    Event::Refunded {
        order_id,
        attempt,
        stray,
    }
}

fn failed((order_id, attempt): AttemptKey, reason: FailReason) -> Event {
    Event::PaymentFailed {
        order_id,
        attempt,
        reason: reason.as_str().to_owned(),
    }
}

fn waiting((order_id, attempt): AttemptKey, reason: WaitReason, url: &str) -> Event {
    Event::PaymentWaiting {
        order_id,
        attempt,
        reason,
        action_url: url.to_owned(),
    }
}
