//! What each command must be answered with.

use super::{Life, Reference, is_paying};
use crate::{
    domain::{AccountId, Money, OrderId, Timestamp, order::OrderState},
    ledger::{
        Call, Command, Event, Line, Method, Outcome, Refusal, entry::CloseReason, testing::SECOND,
    },
};

impl Reference {
    fn replay(&self, call: &Call) -> Option<Outcome> {
        call.request_id?;
        let same = |it: &Call| {
            (it.caller_id, it.method, it.request_id)
                == (call.caller_id, call.method, call.request_id)
        };
        // An operator's report repeats nothing.
        if call.method == Method::SettleOrder {
            return None;
        }
        let (_, first) = self
            .entries
            .iter()
            .find(|(_, entry)| entry.call.as_ref().is_some_and(same))?;
        if first.call.unwrap().fingerprint != call.fingerprint {
            return Some(Outcome::Refused(Refusal::RequestIdReused));
        }
        Some(match &first.event {
            Event::Held { order_id, .. }
            | Event::PaymentStarted { order_id, .. }
            | Event::RefundStarted { order_id, .. } => Outcome::Order(*order_id),
            Event::Refused { .. } => Outcome::Refused(Refusal::RequestIdVoid),
            _ => Outcome::Drop,
        })
    }

    /// Whether the call was seen before, voided ones included.
    pub(in super::super) fn is_replay(&self, command: &Command) -> bool {
        match command {
            Command::PlaceOrder { call, .. }
            | Command::PayOrder { call, .. }
            | Command::RefundOrder { call, .. }
            | Command::RestockDrop { call, .. }
            | Command::CancelDrop { call } => self.replay(call).is_some(),
            _ => false,
        }
    }

    /// What a command must be answered with, given that all that is due was done.
    pub(in super::super) fn expect(&self, command: &Command, now: Timestamp) -> Outcome {
        let over = |reason| match reason {
            CloseReason::Cancelled => Outcome::Refused(Refusal::DropCancelled),
            _ => Outcome::Refused(Refusal::Ended),
        };
        let not_open = Refusal::NotOpen {
            opens_at: self.terms().opens_at,
        };
        match command {
            Command::PlaceOrder {
                call,
                order_id,
                lines,
                expected_total,
                ..
            } => self.replay(call).unwrap_or_else(|| {
                match self.refusal(call.caller_id, lines, *expected_total, now) {
                    Some(refusal) => Outcome::Refused(refusal),
                    None => Outcome::Order(*order_id),
                }
            }),
            Command::CancelOrder { call, order_id } => {
                match self.visible(call.caller_id, *order_id, false) {
                    None => Outcome::Refused(Refusal::UnknownOrder(*order_id)),
                    Some(OrderState::Held | OrderState::Cancelled) => Outcome::Order(*order_id),
                    Some(state) if is_paying(state) => {
                        Outcome::Refused(Refusal::PaymentInProgress(state))
                    }
                    Some(state) => Outcome::Refused(Refusal::OrderState(state)),
                }
            }
            Command::GetOrder {
                caller_id,
                order_id,
            } => match self.visible(*caller_id, *order_id, true) {
                None => Outcome::Refused(Refusal::UnknownOrder(*order_id)),
                Some(_) => Outcome::Order(*order_id),
            },
            Command::RestockDrop { call, item_id, .. } => {
                self.replay(call).unwrap_or_else(|| match self.life() {
                    Life::Over(reason) => over(reason),
                    _ if self.terms().items.iter().all(|it| it.item_id != *item_id) => {
                        Outcome::Refused(Refusal::UnknownItem(*item_id))
                    }
                    _ => Outcome::Drop,
                })
            }
            Command::EndDrop { .. } => match self.life() {
                Life::Scheduled => Outcome::Refused(not_open),
                Life::Over(CloseReason::Cancelled) => over(CloseReason::Cancelled),
                _ => Outcome::Drop,
            },
            Command::CancelDrop { call } => {
                self.replay(call).unwrap_or_else(|| match self.life() {
                    Life::Over(CloseReason::Ended | CloseReason::EndedEarly) => {
                        over(CloseReason::Ended)
                    }
                    _ => Outcome::Drop,
                })
            }
            Command::GetDrop => Outcome::Drop,
            Command::PayOrder { call, order_id, .. } => {
                self.replay(call)
                    .unwrap_or_else(|| match self.pay_refusal(call, *order_id, now) {
                        Some(refusal) => Outcome::Refused(refusal),
                        None => Outcome::Order(*order_id),
                    })
            }
            Command::RefundOrder {
                call,
                order_id,
                restock,
                ..
            } => self.replay(call).unwrap_or_else(|| {
                let is_creator = call.caller_id == self.terms().creator_id;
                match (self.state_of(*order_id), self.life()) {
                    (None, _) => Outcome::Refused(Refusal::UnknownOrder(*order_id)),
                    _ if !is_creator => Outcome::Refused(Refusal::UnknownOrder(*order_id)),
                    (Some(OrderState::RefundPending | OrderState::Refunded), _) => {
                        Outcome::Order(*order_id)
                    }
                    (Some(OrderState::Paid), Life::Over(reason)) if *restock => over(reason),
                    (Some(OrderState::Paid), _) => Outcome::Order(*order_id),
                    (Some(state), _) => Outcome::Refused(Refusal::OrderState(state)),
                }
            }),
            Command::ReportPayment {
                order_id, attempt, ..
            }
            | Command::GetAttempt { order_id, attempt } => {
                let attempts = self.attempts(*order_id).len();
                if (1..=attempts).contains(&usize::try_from(*attempt).unwrap_or(0)) {
                    Outcome::Attempt(*order_id, *attempt)
                } else {
                    Outcome::Refused(Refusal::UnknownOrder(*order_id))
                }
            }
        }
    }

    fn visible(&self, caller: AccountId, wanted: OrderId, to_creator: bool) -> Option<OrderState> {
        let (_, buyer, ..) = self.held().find(|(order_id, ..)| *order_id == wanted)?;
        let is_visible = buyer == caller || to_creator && caller == self.terms().creator_id;
        is_visible.then(|| self.state_of(wanted))?
    }

    fn pay_refusal(&self, call: &Call, order_id: OrderId, now: Timestamp) -> Option<Refusal> {
        let Some(state) = self.visible(call.caller_id, order_id, false) else {
            return Some(Refusal::UnknownOrder(order_id));
        };
        let (.., expires_at) = self.held().find(|(id, ..)| *id == order_id).unwrap();
        let retry_at = self
            .last_started(order_id)
            .map(|it| Timestamp::from_micros(it.micros() + 2 * SECOND));
        match state {
            OrderState::Held if Self::is_over(expires_at, now) => Some(Refusal::HoldExpired),
            OrderState::Held if self.is_cancelled() => Some(Refusal::DropCancelled),
            OrderState::Held if self.refused(call.caller_id) >= 5 => Some(Refusal::TooManyHolds {
                open_order_id: Some(order_id),
            }),
            OrderState::Held if self.attempts(order_id).len() >= 5 => {
                Some(Refusal::TooManyAttempts { retry_at: None })
            }
            OrderState::Held => retry_at
                .filter(|at| *at > now)
                .map(|at| Refusal::TooManyAttempts { retry_at: Some(at) }),
            OrderState::Expired => Some(Refusal::HoldExpired),
            state if is_paying(state) => Some(Refusal::PaymentInProgress(state)),
            state => Some(Refusal::OrderState(state)),
        }
    }

    fn refusal(
        &self,
        buyer: AccountId,
        lines: &[Line],
        expected_total: Option<Money>,
        now: Timestamp,
    ) -> Option<Refusal> {
        let terms = self.terms();
        let opens_at = terms.opens_at;
        match self.life() {
            Life::Scheduled => return Some(Refusal::NotOpen { opens_at }),
            Life::Over(CloseReason::Cancelled) => return Some(Refusal::DropCancelled),
            Life::Over(_) => return Some(Refusal::Ended),
            Life::Live => {}
        }
        assert!(
            opens_at <= now && now < terms.ends_at,
            "live by record only"
        );
        let mut amount_minor = 0;
        for line in lines {
            let Some(item) = terms.items.iter().find(|it| it.item_id == line.item_id) else {
                return Some(Refusal::UnknownItem(line.item_id));
            };
            amount_minor += item.unit_price_minor * i64::from(line.quantity);
        }
        let total = Money {
            currency: terms.currency,
            amount_minor,
        };
        if expected_total.is_some_and(|expected| expected != total) {
            return Some(Refusal::PriceChanged { total });
        }
        let open_order_id = self.open_of(buyer);
        if open_order_id.is_some() || self.abandoned(buyer) >= 5 || self.refused(buyer) >= 5 {
            return Some(Refusal::TooManyHolds { open_order_id });
        }
        if let Some((item_id, limit, owned)) = self.limit_hit(buyer, lines) {
            return Some(Refusal::LimitReached {
                item_id,
                limit,
                owned,
            });
        }
        for line in lines {
            let (_, available, held, _) = self.counts(line.item_id);
            let requested = i64::from(line.quantity);
            if available < requested {
                // True only if no hold that is over could have given its units back.
                assert_eq!(self.overdue(now), 0, "sold out with overdue holds");
                return Some(Refusal::SoldOut {
                    item_id: line.item_id,
                    requested,
                    available,
                    held,
                });
            }
        }
        None
    }

    /// Whether the refusal of this retry must void its request id.
    pub(in super::super) fn is_voided(
        &self,
        call: &Call,
        retry_count: i32,
        refusal: &Refusal,
    ) -> bool {
        // Of these calls nothing can land any more, void or not: the order, the drop or the item is gone for good.
        let is_final = matches!(
            refusal,
            Refusal::RequestIdReused
                | Refusal::RequestIdVoid
                | Refusal::UnknownItem(_)
                | Refusal::UnknownOrder(_)
                | Refusal::HoldExpired
                | Refusal::DropCancelled
                | Refusal::Ended
        );
        let can_land = match self.life() {
            Life::Scheduled | Life::Live => true,
            Life::Over(_) => call.method == Method::PayOrder && !self.is_sealed(),
        };
        retry_count > 0 && !is_final && can_land && self.refused(call.caller_id) < 5
    }
}
