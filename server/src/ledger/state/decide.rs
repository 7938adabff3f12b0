//! Deciding a command: which entries to append, and what to answer. Reads the state, changes nothing.

mod payment;

use std::sync::Arc;

use payment::started;
pub(super) use payment::{refund_of, refunded};

use super::{
    StockState, apply,
    model::{Buyer, Made, Phase},
};
use crate::{
    domain::{AccountId, ItemId, Money, OrderId, Timestamp, order::OrderState},
    ledger::{
        command::{Command, Outcome, PayBy, Refusal},
        entry::{Call, CloseReason, Entry, Event, Line, Method, ReleaseReason, Terms},
    },
};

/// Holds that a buyer may give up (expired, or cancelled) in one drop: more would tie up stock for nothing.
pub(super) const ABANDONED_MAX: u8 = 5;
/// Request ids that a buyer may have voided in one drop: more would make the log endless.
pub(super) const REFUSED_MAX: u8 = 5;

/// Payment attempts of an order come no closer than this: faster ones are card testing.
pub(super) const ATTEMPTS_APART: std::time::Duration = std::time::Duration::from_secs(2);

/// What a command brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// To append, in this order; none for refusals of first tries, replays and reads.
    pub entries: Vec<Entry>,
    /// To answer once they are appended.
    pub outcome: Outcome,
}

impl Decision {
    fn done(outcome: Outcome) -> Self {
        Self {
            entries: Vec::new(),
            outcome,
        }
    }

    fn refused(refusal: Refusal) -> Self {
        Self::done(Outcome::Refused(refusal))
    }
}

/// One order's wish, checked.
struct Wish<'a> {
    order_id: OrderId,
    lines: &'a [Line],
    expected_total: Option<Money>,
    pay_by: Option<&'a PayBy>,
}

impl StockState {
    /// Decides a command at ledger time `now`.
    #[must_use]
    pub fn decide(&self, command: &Command, now: Timestamp) -> Decision {
        match command {
            Command::PlaceOrder {
                call,
                order_id,
                lines,
                expected_total,
                pay_by,
                retry_count,
            } => {
                let wish = Wish {
                    order_id: *order_id,
                    lines,
                    expected_total: *expected_total,
                    pay_by: pay_by.as_ref(),
                };
                self.replayed(call)
                    .unwrap_or_else(|| match self.place(call, &wish, now) {
                        Ok(decision) => decision,
                        Err(refusal) => self.refuse(call, *retry_count, refusal),
                    })
            }
            Command::PayOrder {
                call,
                order_id,
                pay_by,
                retry_count,
            } => self
                .replayed(call)
                .unwrap_or_else(|| self.pay(call, *order_id, pay_by, *retry_count, now)),
            Command::RefundOrder {
                call,
                order_id,
                reason,
                restock,
            } => self
                .replayed(call)
                .unwrap_or_else(|| self.refund(call, *order_id, reason, *restock)),
            Command::ReportPayment {
                call,
                order_id,
                attempt,
                report,
            } => self.report(*call, (*order_id, *attempt), report, now),
            Command::GetAttempt { order_id, attempt } => {
                match self.attempts.get(&(*order_id, *attempt)) {
                    Some(_) => Decision::done(Outcome::Attempt(*order_id, *attempt)),
                    None => Decision::refused(Refusal::UnknownOrder(*order_id)),
                }
            }
            Command::CancelOrder { call, order_id } => self.cancel_order(call, *order_id),
            Command::GetOrder {
                caller_id,
                order_id,
            } => match self.visible_order(*caller_id, *order_id) {
                Some(_) => Decision::done(Outcome::Order(*order_id)),
                None => Decision::refused(Refusal::UnknownOrder(*order_id)),
            },
            Command::RestockDrop {
                call,
                item_id,
                units,
                reason,
            } => self
                .replayed(call)
                .unwrap_or_else(|| self.restock(call, *item_id, *units, reason)),
            Command::EndDrop { call } => self.end_drop(call),
            Command::CancelDrop { call } => self
                .replayed(call)
                .unwrap_or_else(|| self.cancel_drop(call)),
            Command::GetDrop => Decision::done(Outcome::Drop),
        }
    }

    /// The answer to a call that was seen before.
    fn replayed(&self, call: &Call) -> Option<Decision> {
        let replay = self
            .replays
            .get(&(call.caller_id, call.method, call.request_id?))?;
        Some(if replay.fingerprint != call.fingerprint {
            Decision::refused(Refusal::RequestIdReused)
        } else {
            match replay.made {
                Made::Order(order_id) => Decision::done(Outcome::Order(order_id)),
                Made::Drop => Decision::done(Outcome::Drop),
                Made::Nothing => Decision::refused(Refusal::RequestIdVoid),
            }
        })
    }

    fn place(&self, call: &Call, wish: &Wish<'_>, now: Timestamp) -> Result<Decision, Refusal> {
        let terms = self.live_terms(now)?;
        let total_minor = total(terms, wish.lines)?;
        if let Some(expected) = wish.expected_total {
            let total = Money {
                currency: terms.currency,
                amount_minor: total_minor,
            };
            if expected != total {
                return Err(Refusal::PriceChanged { total });
            }
        }
        let nobody = Buyer::default();
        let buyer = self.buyers.get(&call.caller_id).unwrap_or(&nobody);
        if buyer.open.is_some() || buyer.abandoned >= ABANDONED_MAX || buyer.refused >= REFUSED_MAX
        {
            return Err(Refusal::TooManyHolds {
                open_order_id: buyer.open,
            });
        }
        within_limits(terms, buyer, wish.lines)?;
        for line in wish.lines {
            let item = self
                .item(line.item_id)
                .ok_or(Refusal::UnknownItem(line.item_id))?;
            let requested = i64::from(line.quantity);
            if item.available < requested {
                let (available, held) = (item.available, item.held);
                return Err(Refusal::SoldOut {
                    item_id: line.item_id,
                    requested,
                    available,
                    held,
                });
            }
        }
        let hold = std::time::Duration::from_micros(u64::try_from(terms.hold_micros).unwrap_or(0));
        let held = Event::Held {
            order_id: wish.order_id,
            buyer_id: call.caller_id,
            lines: wish.lines.to_vec(),
            expires_at: now + hold,
            total_minor,
        };
        let mut entries = vec![self.entry(held, Some(*call))];
        if total_minor == 0 {
            let sold = Event::Sold {
                order_id: wish.order_id,
                attempt: 0,
            };
            // The order is not folded yet, so its moves are given here.
            let moves = apply::moves(wish.lines, 0, -1, 1);
            entries.push(Entry {
                event: sold,
                moves,
                call: None,
            });
        } else if let Some(pay_by) = wish.pay_by {
            entries.push(self.entry(started(wish.order_id, 1, total_minor, pay_by), None));
        }
        Ok(Decision {
            entries,
            outcome: Outcome::Order(wish.order_id),
        })
    }

    /// The terms, if selling is on by record and by clock.
    fn live_terms(&self, now: Timestamp) -> Result<&Terms, Refusal> {
        let not_open = |terms: &Terms| Refusal::NotOpen {
            opens_at: terms.opens_at,
        };
        let Some(terms) = self.core.terms.as_deref() else {
            return Err(Refusal::NotOpen {
                opens_at: Timestamp::MAX,
            });
        };
        match self.core.phase {
            Phase::Live if now < terms.opens_at => Err(not_open(terms)),
            Phase::Live if now >= terms.ends_at => Err(Refusal::Ended),
            Phase::Live => Ok(terms),
            Phase::Empty | Phase::Scheduled => Err(not_open(terms)),
            Phase::Closed(reason) | Phase::Sealed(reason) => Err(over(reason)),
        }
    }

    /// A refusal. That of a retry voids its request id, since a twin of it may still be in flight elsewhere.
    fn refuse(&self, call: &Call, retry_count: i32, refusal: Refusal) -> Decision {
        let refused = self
            .buyers
            .get(&call.caller_id)
            .map_or(0, |buyer| buyer.refused);
        let is_writable = match self.core.phase {
            Phase::Scheduled | Phase::Live => true,
            // No hold can land any more, but a payment can.
            Phase::Closed(_) => call.method == Method::PayOrder,
            Phase::Empty | Phase::Sealed(_) => false,
        };
        let is_voided = refusal.voids()
            && retry_count > 0
            && is_writable
            && refused < REFUSED_MAX
            && call.request_id.is_some();
        let entries = if is_voided {
            let reason = refusal.name().to_owned();
            vec![self.entry(Event::Refused { reason }, Some(*call))]
        } else {
            Vec::new()
        };
        Decision {
            entries,
            outcome: Outcome::Refused(refusal),
        }
    }

    /// The order, for its buyer and for the drop's creator.
    fn visible_order(&self, caller_id: AccountId, order_id: OrderId) -> Option<&Arc<super::Order>> {
        let is_creator = self
            .core
            .terms
            .as_ref()
            .is_some_and(|terms| terms.creator_id == caller_id);
        self.orders
            .get(&order_id)
            .filter(|order| is_creator || order.buyer_id == caller_id)
    }

    fn cancel_order(&self, call: &Call, order_id: OrderId) -> Decision {
        let order = self
            .orders
            .get(&order_id)
            .filter(|order| order.buyer_id == call.caller_id);
        let Some(order) = order else {
            return Decision::refused(Refusal::UnknownOrder(order_id));
        };
        match order.state {
            OrderState::Held => {
                let released = Event::Released {
                    order_id,
                    reason: ReleaseReason::CancelledByBuyer,
                };
                Decision {
                    entries: vec![self.entry(released, Some(*call))],
                    outcome: Outcome::Order(order_id),
                }
            }
            OrderState::Cancelled => Decision::done(Outcome::Order(order_id)),
            OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown => {
                Decision::refused(Refusal::PaymentInProgress(order.state))
            }
            OrderState::Paid
            | OrderState::Expired
            | OrderState::RefundPending
            | OrderState::Refunded => Decision::refused(Refusal::OrderState(order.state)),
        }
    }

    fn restock(&self, call: &Call, item_id: ItemId, units: i64, reason: &str) -> Decision {
        match self.core.phase {
            Phase::Empty => Decision::refused(Refusal::NotOpen {
                opens_at: Timestamp::MAX,
            }),
            Phase::Closed(reason) | Phase::Sealed(reason) => Decision::refused(over(reason)),
            Phase::Scheduled | Phase::Live if self.item(item_id).is_none() => {
                Decision::refused(Refusal::UnknownItem(item_id))
            }
            Phase::Scheduled | Phase::Live => {
                let restocked = Event::Restocked {
                    item_id,
                    units,
                    reason: reason.to_owned(),
                };
                Decision {
                    entries: vec![self.entry(restocked, Some(*call))],
                    outcome: Outcome::Drop,
                }
            }
        }
    }

    fn end_drop(&self, call: &Call) -> Decision {
        match self.core.phase {
            Phase::Live => self.close(call, CloseReason::EndedEarly),
            Phase::Empty | Phase::Scheduled => {
                let opens_at = self
                    .core
                    .terms
                    .as_ref()
                    .map_or(Timestamp::MAX, |terms| terms.opens_at);
                Decision::refused(Refusal::NotOpen { opens_at })
            }
            Phase::Closed(CloseReason::Cancelled) | Phase::Sealed(CloseReason::Cancelled) => {
                Decision::refused(Refusal::DropCancelled)
            }
            Phase::Closed(_) | Phase::Sealed(_) => Decision::done(Outcome::Drop),
        }
    }

    fn cancel_drop(&self, call: &Call) -> Decision {
        match self.core.phase {
            Phase::Live | Phase::Scheduled => self.close(call, CloseReason::Cancelled),
            Phase::Empty => Decision::refused(Refusal::NotOpen {
                opens_at: Timestamp::MAX,
            }),
            Phase::Closed(CloseReason::Cancelled) | Phase::Sealed(CloseReason::Cancelled) => {
                Decision::done(Outcome::Drop)
            }
            Phase::Closed(_) | Phase::Sealed(_) => Decision::refused(Refusal::Ended),
        }
    }

    fn close(&self, call: &Call, reason: CloseReason) -> Decision {
        let entries = vec![self.entry(Event::Closed { reason }, Some(*call))];
        Decision {
            entries,
            outcome: Outcome::Drop,
        }
    }

    /// An entry with the moves that the state gives it.
    fn entry(&self, event: Event, call: Option<Call>) -> Entry {
        // An order that is unknown here has no moves; the fold refuses such an entry.
        let moves = self.moves_of(&event).unwrap_or_default();
        Entry { event, moves, call }
    }
}

const fn over(reason: CloseReason) -> Refusal {
    match reason {
        CloseReason::Cancelled => Refusal::DropCancelled,
        CloseReason::Ended | CloseReason::EndedEarly => Refusal::Ended,
    }
}

/// What the lines cost. Saturates: the limits on prices and quantities keep it far from there.
pub(super) fn total(terms: &Terms, lines: &[Line]) -> Result<i64, Refusal> {
    lines.iter().try_fold(0_i64, |total, line| {
        let item = terms
            .item(line.item_id)
            .ok_or(Refusal::UnknownItem(line.item_id))?;
        Ok(total.saturating_add(
            item.unit_price_minor
                .saturating_mul(i64::from(line.quantity)),
        ))
    })
}

fn within_limits(terms: &Terms, buyer: &Buyer, lines: &[Line]) -> Result<(), Refusal> {
    let exceeds = |limit: i64, owned: i64, wanted: i64| limit > 0 && owned + wanted > limit;
    let (limit, owned) = (i64::from(terms.limit_per_buyer), buyer.units_total());
    if exceeds(
        limit,
        owned,
        lines.iter().map(|line| i64::from(line.quantity)).sum(),
    ) {
        return Err(Refusal::LimitReached {
            item_id: None,
            limit,
            owned,
        });
    }
    for line in lines {
        let limit = terms
            .item(line.item_id)
            .map_or(0, |item| i64::from(item.limit_per_buyer));
        let owned = buyer.units_of(line.item_id);
        if exceeds(limit, owned, i64::from(line.quantity)) {
            return Err(Refusal::LimitReached {
                item_id: Some(line.item_id),
                limit,
                owned,
            });
        }
    }
    Ok(())
}
