//! Folding what payments bring: attempts, sales, refunds. An open attempt pins its order's hold: it is taken out of `holds`, so that time
//! can't end it.

use std::sync::Arc;

use super::{
    AttemptKey, StockState,
    apply::{FoldError, NO_SUCH_EDGE, illegal},
    model::{Attempt, AttemptState, Order, Position},
};
use crate::{
    domain::{OrderId, order::OrderState, payment::FailReason},
    ledger::entry::{Event, WaitReason},
};

/// How often one attempt may be said to wait: the log must end. The provider is asked on all the same.
pub(super) const WAITS_MAX: u8 = 16;

impl StockState {
    /// Folds an entry about money. [`check_rules`](Self::check_rules) has passed it.
    pub(super) fn apply_payment(&mut self, event: &Event, at: Position) -> Result<(), FoldError> {
        match event {
            Event::PaymentStarted { order_id, .. } => self.start_payment(*order_id, event, at),
            Event::PaymentWaiting {
                order_id,
                attempt,
                reason,
                action_url,
            } => {
                self.change_attempt((*order_id, *attempt), |it| {
                    if !matches!(it.state, AttemptState::Open(_)) || it.waits >= WAITS_MAX {
                        return Err(illegal("PaymentWaiting", "not open, or said too often"));
                    }
                    it.state = AttemptState::Open(*reason);
                    it.waits += 1;
                    Ok(())
                })?;
                let must_act = *reason == WaitReason::ActionRequired && !action_url.is_empty();
                let url = must_act.then(|| Arc::from(action_url.as_str()));
                self.change_order(*order_id, at, |order| {
                    order.state = waiting(*reason);
                    order.action_url = url;
                    Ok(())
                })?;
                Ok(())
            }
            Event::PaymentFailed {
                order_id,
                attempt,
                reason,
            } => self.fail_payment((*order_id, *attempt), FailReason::from_name(reason), at),
            Event::Sold { order_id, attempt } => self.sell(*order_id, *attempt, at),
            Event::SoldLate { order_id, attempt } => self.sell_late(*order_id, *attempt, at),
            Event::RefundStarted {
                order_id,
                attempt,
                restock,
                stray,
                ..
            } => self.start_refund((*order_id, *attempt), *restock, *stray, at),
            Event::Refunded {
                order_id,
                attempt,
                stray,
            } => self.end_refund((*order_id, *attempt), *stray, at),
            Event::TermsFrozen { .. }
            | Event::WentLive
            | Event::Held { .. }
            | Event::Released { .. }
            | Event::Restocked { .. }
            | Event::LowStock { .. }
            | Event::SoldOut
            | Event::Refused { .. }
            | Event::Closed { .. }
            | Event::Sealed => Err(illegal("entry", "not about money")),
        }
    }

    fn start_payment(
        &mut self,
        order_id: OrderId,
        event: &Event,
        at: Position,
    ) -> Result<(), FoldError> {
        let Event::PaymentStarted {
            attempt,
            amount_minor,
            provider,
            payment_method,
            ..
        } = event
        else {
            return Err(illegal("PaymentStarted", "not a payment"));
        };
        let order = self.change_order(order_id, at, |order| {
            if order.state != OrderState::Held {
                return Err(NO_SUCH_EDGE);
            }
            order.state = OrderState::PaymentPending;
            order.attempts = *attempt;
            order.payment_error = None;
            Ok(())
        })?;
        self.holds.remove(&(order.hold_expires_at, order_id));
        self.core.open_payments += 1;
        let started = Attempt {
            order_id,
            attempt: *attempt,
            provider: provider.as_str().into(),
            method: payment_method.clone(),
            amount_minor: *amount_minor,
            started_at: at.recorded_at,
            state: AttemptState::Open(WaitReason::Pending),
            waits: 0,
        };
        self.attempts
            .insert((order_id, *attempt), Arc::new(started));
        self.unfinished.insert((order_id, *attempt), ());
        Ok(())
    }

    fn fail_payment(
        &mut self,
        key: AttemptKey,
        reason: FailReason,
        at: Position,
    ) -> Result<(), FoldError> {
        self.close_attempt(key, AttemptState::Failed)?;
        let order = self.change_order(key.0, at, |order| {
            order.state = OrderState::Held;
            order.payment_error = Some(reason);
            order.action_url = None;
            Ok(())
        })?;
        self.holds.insert((order.hold_expires_at, key.0), ());
        Ok(())
    }

    /// Held units are sold: for nothing, by the open attempt, or by one that failed before and captured all the same.
    fn sell(&mut self, order_id: OrderId, attempt: i32, at: Position) -> Result<(), FoldError> {
        let order = self.known(order_id)?;
        let is_held = order.state == OrderState::Held;
        match self.attempts.get(&(order_id, attempt)).map(|it| it.state) {
            None if attempt == 0 && order.total_minor == 0 && is_held => {}
            Some(AttemptState::Open(_)) => {
                self.close_attempt((order_id, attempt), AttemptState::Captured)?;
            }
            Some(AttemptState::Failed) if is_held => {
                self.change_attempt((order_id, attempt), to(AttemptState::Captured))?;
            }
            _ => return Err(illegal("Sold", "not by this attempt")),
        }
        let order = self.change_order(order_id, at, paid(attempt, at))?;
        self.holds.remove(&(order.hold_expires_at, order_id));
        self.update_buyer(order.buyer_id, |buyer| buyer.open = None);
        self.sold.insert(order_id, ());
        Ok(())
    }

    /// Units are taken again for an order that had expired.
    fn sell_late(
        &mut self,
        order_id: OrderId,
        attempt: i32,
        at: Position,
    ) -> Result<(), FoldError> {
        if self.known(order_id)?.state != OrderState::Expired {
            return Err(NO_SUCH_EDGE);
        }
        self.leave_failed((order_id, attempt), AttemptState::Captured)?;
        let order = self.change_order(order_id, at, paid(attempt, at))?;
        self.update_buyer(order.buyer_id, |buyer| buyer.add_all(&order.lines, 1));
        self.sold.insert(order_id, ());
        Ok(())
    }

    fn start_refund(
        &mut self,
        key: AttemptKey,
        restock: bool,
        is_stray: bool,
        at: Position,
    ) -> Result<(), FoldError> {
        let order = self.known(key.0)?.clone();
        let was_paid = order.state == OrderState::Paid && order.paid_attempt == key.1;
        if restock && (!was_paid || is_stray || self.core.phase.is_over()) {
            return Err(illegal("RefundStarted", "units can't come back"));
        }
        let next = AttemptState::Refunding { is_stray };
        match order.state {
            OrderState::Paid if was_paid && is_stray => return Err(NO_SUCH_EDGE),
            OrderState::Paid if was_paid && key.1 == 0 => {} // nothing was paid
            OrderState::Paid if was_paid => self.change_attempt(key, to(next))?,
            OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown
            | OrderState::Paid
            | OrderState::RefundPending
            | OrderState::Refunded
                if is_stray =>
            {
                return self.leave_failed(key, next);
            }
            OrderState::Expired | OrderState::Cancelled if !is_stray => {
                self.leave_failed(key, next)?;
            }
            OrderState::Held
            | OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown
            | OrderState::Paid
            | OrderState::Cancelled
            | OrderState::Expired
            | OrderState::RefundPending
            | OrderState::Refunded => return Err(NO_SUCH_EDGE),
        }
        if key.1 > 0 {
            self.unfinished.insert(key, ());
        }
        self.sold.remove(&key.0);
        self.change_order(key.0, at, |order| {
            order.state = OrderState::RefundPending;
            Ok(())
        })?;
        if restock {
            self.update_buyer(order.buyer_id, |buyer| buyer.add_all(&order.lines, -1));
        }
        Ok(())
    }

    fn end_refund(
        &mut self,
        key: AttemptKey,
        is_stray: bool,
        at: Position,
    ) -> Result<(), FoldError> {
        let was_free = key.1 == 0 && !is_stray && self.known(key.0)?.total_minor == 0;
        if !was_free {
            self.change_attempt(key, |it| {
                if it.state != (AttemptState::Refunding { is_stray }) {
                    return Err(illegal("Refunded", "the attempt is not being refunded"));
                }
                it.state = AttemptState::Refunded;
                Ok(())
            })?;
            self.unfinished.remove(&key);
        }
        if is_stray {
            return Ok(());
        }
        self.change_order(key.0, at, |order| {
            if order.state != OrderState::RefundPending {
                return Err(NO_SUCH_EDGE);
            }
            order.state = OrderState::Refunded;
            Ok(())
        })?;
        Ok(())
    }

    /// The provider has ended an open attempt.
    fn close_attempt(&mut self, key: AttemptKey, state: AttemptState) -> Result<(), FoldError> {
        self.change_attempt(key, |it| {
            if !matches!(it.state, AttemptState::Open(_)) {
                return Err(illegal("entry", "the attempt is not open"));
            }
            it.state = state;
            Ok(())
        })?;
        self.unfinished.remove(&key);
        self.core.open_payments = self
            .core
            .open_payments
            .checked_sub(1)
            .ok_or(illegal("entry", "no payment is open"))?;
        Ok(())
    }

    /// The provider captured what it had called failed.
    fn leave_failed(&mut self, key: AttemptKey, state: AttemptState) -> Result<(), FoldError> {
        self.change_attempt(key, |it| {
            if it.state != AttemptState::Failed {
                return Err(illegal("entry", "the attempt has not failed"));
            }
            it.state = state;
            Ok(())
        })?;
        if state.is_unfinished() {
            self.unfinished.insert(key, ());
        }
        Ok(())
    }

    fn change_attempt(
        &mut self,
        key: AttemptKey,
        change: impl FnOnce(&mut Attempt) -> Result<(), FoldError>,
    ) -> Result<(), FoldError> {
        let attempt = self.attempts.get(&key);
        let mut next = Attempt::clone(attempt.ok_or(illegal("entry", "unknown attempt"))?);
        change(&mut next)?;
        self.attempts.insert(key, Arc::new(next));
        Ok(())
    }

    fn known(&self, order_id: OrderId) -> Result<&Arc<Order>, FoldError> {
        self.orders
            .get(&order_id)
            .ok_or(illegal("entry", "unknown order"))
    }
}

fn to(state: AttemptState) -> impl FnOnce(&mut Attempt) -> Result<(), FoldError> {
    move |attempt| {
        attempt.state = state;
        Ok(())
    }
}

fn paid(attempt: i32, at: Position) -> impl FnOnce(&mut Order) -> Result<(), FoldError> {
    move |order| {
        order.state = OrderState::Paid;
        order.paid_attempt = attempt;
        order.payment_error = None;
        order.action_url = None;
        order.proof = at;
        Ok(())
    }
}

/// The order's state while its attempt waits.
const fn waiting(reason: WaitReason) -> OrderState {
    match reason {
        WaitReason::ActionRequired => OrderState::ActionRequired,
        WaitReason::Pending => OrderState::PaymentPending,
        WaitReason::Unknown => OrderState::PaymentUnknown,
    }
}
