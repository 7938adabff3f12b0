//! Folding one entry. Everything it relies on is checked: an entry that does not fit is refused, and the ledger is no longer written here.

use std::sync::Arc;

use super::{
    StockState,
    model::{Buyer, Item, Made, Order, Phase, Position, Replay},
};
use crate::{
    domain::{AccountId, ItemId, OrderId, order::OrderState},
    ledger::entry::{CloseReason, Entry, Event, Line, Method, Move, ReleaseReason},
};

/// Why an entry can't be folded. Whoever sees it stops writing the ledger and raises an alarm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The entry does not fit the state before it.
    #[error("{entry} does not fit: {why}")]
    Illegal {
        /// Its kind.
        entry: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// The counts of an item do not follow from the entry.
    #[error("counts of item {0} do not follow from the entries")]
    Counts(ItemId),
    /// The record can't be read, or was written by a newer version.
    #[error("record {seq}: {why}")]
    Record {
        /// Which record.
        seq: u64,
        /// What is wrong.
        why: String,
    },
}

/// The order's state does not lead there.
pub(super) const NO_SUCH_EDGE: FoldError = illegal("entry", "the order's state has no such edge");

pub(super) const fn illegal(entry: &'static str, why: &'static str) -> FoldError {
    FoldError::Illegal { entry, why }
}

/// How a move of `units` changes each count.
pub(super) fn moves(lines: &[Line], available: i64, held: i64, sold: i64) -> Vec<Move> {
    let deltas = |line: &Line| {
        let units = i64::from(line.quantity);
        Move {
            item_id: line.item_id,
            available: available * units,
            held: held * units,
            sold: sold * units,
        }
    };
    lines.iter().map(deltas).collect()
}

impl StockState {
    /// The moves that an event must have in this state.
    pub(super) fn moves_of(&self, event: &Event) -> Result<Vec<Move>, FoldError> {
        let lines = |order_id: &OrderId| {
            self.orders
                .get(order_id)
                .map(|order| &*order.lines)
                .ok_or(illegal("entry", "unknown order"))
        };
        Ok(match event {
            Event::TermsFrozen { terms, .. } => {
                let initial = |item: &super::super::entry::TermsItem| Move {
                    item_id: item.item_id,
                    available: item.stock,
                    held: 0,
                    sold: 0,
                };
                terms.items.iter().map(initial).collect()
            }
            Event::Held { lines, .. } => moves(lines, -1, 1, 0),
            Event::Sold { order_id, .. } => moves(lines(order_id)?, 0, -1, 1),
            Event::Released { order_id, .. } => moves(lines(order_id)?, 1, -1, 0),
            Event::SoldLate { order_id, .. } => moves(lines(order_id)?, -1, 0, 1),
            Event::RefundStarted {
                order_id,
                restock: true,
                ..
            } => moves(lines(order_id)?, 1, 0, -1),
            Event::Restocked { item_id, units, .. } => {
                vec![Move {
                    item_id: *item_id,
                    available: *units,
                    held: 0,
                    sold: 0,
                }]
            }
            Event::WentLive
            | Event::PaymentStarted { .. }
            | Event::PaymentWaiting { .. }
            | Event::PaymentFailed { .. }
            | Event::RefundStarted { restock: false, .. }
            | Event::Refunded { .. }
            | Event::LowStock { .. }
            | Event::SoldOut
            | Event::Refused { .. }
            | Event::Closed { .. }
            | Event::Sealed => Vec::new(),
        })
    }

    /// Folds one entry.
    ///
    /// # Errors
    /// If it does not fit; the state may then be half changed and must be rolled back or dropped.
    pub fn apply(&mut self, entry: &Entry, at: Position) -> Result<(), FoldError> {
        if entry.moves != self.moves_of(&entry.event)? {
            return Err(illegal("entry", "its moves do not follow from it"));
        }
        self.check_rules(entry, at)?;
        self.apply_event(entry, at)?;
        self.apply_moves(&entry.moves)?;
        self.note_change(&entry.event, at);
        self.remember_call(entry)
    }

    fn apply_event(&mut self, entry: &Entry, at: Position) -> Result<(), FoldError> {
        match &entry.event {
            Event::TermsFrozen { terms, secret } => {
                if self.core.phase != Phase::Empty || at.seq != 1 || at.index != 0 {
                    return Err(illegal("TermsFrozen", "not the first entry"));
                }
                if terms.items.is_empty() || !terms.items.is_sorted_by(|a, b| a.item_id < b.item_id)
                {
                    return Err(illegal(
                        "TermsFrozen",
                        "items are not distinct and ascending",
                    ));
                }
                let item = |item: &super::super::entry::TermsItem| Item {
                    item_id: item.item_id,
                    initial: item.stock,
                    restocked: 0,
                    available: 0,
                    held: 0,
                    sold: 0,
                    low_told: false,
                };
                self.core.items = terms.items.iter().map(item).collect();
                self.core.terms = Some(Arc::new(terms.clone()));
                self.core.secret = Some(secret.clone());
                self.core.phase = Phase::Scheduled;
            }
            Event::WentLive => match self.core.phase {
                Phase::Scheduled => self.core.phase = Phase::Live,
                Phase::Empty | Phase::Live | Phase::Closed(_) | Phase::Sealed(_) => {
                    return Err(illegal("WentLive", "the drop is not scheduled"));
                }
            },
            Event::Held { .. } => self.apply_held(&entry.event, at)?,
            Event::Released { order_id, reason } => {
                let (state, abandoned) = match reason {
                    ReleaseReason::Expired => (OrderState::Expired, true),
                    ReleaseReason::CancelledByBuyer => (OrderState::Cancelled, true),
                    ReleaseReason::DropCancelled => (OrderState::Cancelled, false),
                };
                self.release(*order_id, state, abandoned, at)?;
            }
            Event::Restocked { item_id, units, .. } => {
                if *units < 1 || !matches!(self.core.phase, Phase::Scheduled | Phase::Live) {
                    return Err(illegal("Restocked", "no units, or the drop takes none"));
                }
                let item = self.item_mut(*item_id)?;
                item.restocked = item
                    .restocked
                    .checked_add(*units)
                    .ok_or(FoldError::Counts(*item_id))?;
                item.low_told = false;
                self.core.sold_out_told = false;
            }
            Event::LowStock { item_id } => self.item_mut(*item_id)?.low_told = true,
            Event::SoldOut => self.core.sold_out_told = true,
            Event::Refused { .. } => {
                let Some(call) = entry.call else {
                    return Err(illegal("Refused", "without a call"));
                };
                self.update_buyer(call.caller_id, |buyer| {
                    buyer.refused = buyer.refused.saturating_add(1)
                });
            }
            Event::Closed { reason } => match self.core.phase {
                Phase::Live => self.core.phase = Phase::Closed(*reason),
                Phase::Scheduled if *reason == CloseReason::Cancelled => {
                    self.core.phase = Phase::Closed(*reason)
                }
                Phase::Empty | Phase::Scheduled | Phase::Closed(_) | Phase::Sealed(_) => {
                    return Err(illegal("Closed", "the drop is not open"));
                }
            },
            Event::Sealed => match self.core.phase {
                Phase::Closed(reason) if self.holds.is_empty() && self.core.open_payments == 0 => {
                    self.core.phase = Phase::Sealed(reason)
                }
                Phase::Empty
                | Phase::Scheduled
                | Phase::Live
                | Phase::Closed(_)
                | Phase::Sealed(_) => {
                    return Err(illegal(
                        "Sealed",
                        "the drop is not closed, or a hold or payment is open",
                    ));
                }
            },
            Event::PaymentStarted { .. }
            | Event::PaymentWaiting { .. }
            | Event::PaymentFailed { .. }
            | Event::Sold { .. }
            | Event::SoldLate { .. }
            | Event::RefundStarted { .. }
            | Event::Refunded { .. } => self.apply_payment(&entry.event, at)?,
        }
        Ok(())
    }

    fn apply_held(&mut self, event: &Event, at: Position) -> Result<(), FoldError> {
        let Event::Held {
            order_id,
            buyer_id,
            lines,
            expires_at,
            total_minor,
        } = event
        else {
            return Err(illegal("Held", "not a hold"));
        };
        if self.core.phase != Phase::Live {
            return Err(illegal("Held", "the drop is not live"));
        }
        if self.orders.get(order_id).is_some() {
            return Err(illegal("Held", "the order is known"));
        }
        let mut buyer = self.buyers.get(buyer_id).cloned().unwrap_or_default();
        if buyer.open.is_some() {
            return Err(illegal("Held", "the buyer has an open hold"));
        }
        buyer.open = Some(*order_id);
        if lines.iter().any(|line| line.quantity < 1) {
            return Err(illegal("Held", "a line without units"));
        }
        buyer.add_all(lines, 1);
        self.buyers.insert(*buyer_id, buyer);
        self.holds.insert((*expires_at, *order_id), ());
        let order = Order {
            order_id: *order_id,
            buyer_id: *buyer_id,
            lines: lines.as_slice().into(),
            total_minor: *total_minor,
            state: OrderState::Held,
            hold_expires_at: *expires_at,
            created_at: at.recorded_at,
            updated: at,
            proof: at,
            attempts: 0,
            paid_attempt: 0,
            action_url: None,
            payment_error: None,
            previous: None,
        };
        self.orders.insert(*order_id, Arc::new(order));
        Ok(())
    }

    /// Ends a hold without a sale.
    fn release(
        &mut self,
        order_id: OrderId,
        state: OrderState,
        is_abandoned: bool,
        at: Position,
    ) -> Result<(), FoldError> {
        let order = self.change_order(order_id, at, |order| match order.state {
            OrderState::Held => {
                order.state = state;
                order.payment_error = None;
                Ok(())
            }
            OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown
            | OrderState::Paid
            | OrderState::Cancelled
            | OrderState::Expired
            | OrderState::RefundPending
            | OrderState::Refunded => Err(NO_SUCH_EDGE),
        })?;
        self.holds.remove(&(order.hold_expires_at, order_id));
        self.update_buyer(order.buyer_id, |buyer| {
            buyer.open = None;
            buyer.add_all(&order.lines, -1);
            buyer.abandoned = buyer.abandoned.saturating_add(u8::from(is_abandoned));
        });
        Ok(())
    }

    /// Puts the next version of an order, which keeps the one before.
    pub(super) fn change_order(
        &mut self,
        order_id: OrderId,
        at: Position,
        change: impl FnOnce(&mut Order) -> Result<(), FoldError>,
    ) -> Result<Arc<Order>, FoldError> {
        let order = self
            .orders
            .get(&order_id)
            .ok_or(illegal("entry", "unknown order"))?;
        let mut next = Order {
            updated: at,
            previous: Some(order.clone()),
            ..Order::clone(order)
        };
        change(&mut next)?;
        let next = Arc::new(next);
        self.orders.insert(order_id, next.clone());
        Ok(next)
    }

    pub(super) fn update_buyer(&mut self, buyer_id: AccountId, change: impl FnOnce(&mut Buyer)) {
        let mut buyer = self.buyers.get(&buyer_id).cloned().unwrap_or_default();
        change(&mut buyer);
        self.buyers.insert(buyer_id, buyer);
    }

    fn apply_moves(&mut self, moves: &[Move]) -> Result<(), FoldError> {
        for change in moves {
            let item = self.item_mut(change.item_id)?;
            let sum = |count: i64, change: i64| count.checked_add(change);
            let sums = (
                sum(item.available, change.available),
                sum(item.held, change.held),
                sum(item.sold, change.sold),
            );
            let (Some(available), Some(held), Some(sold)) = sums else {
                return Err(FoldError::Counts(change.item_id));
            };
            (item.available, item.held, item.sold) = (available, held, sold);
            if !item.is_consistent() {
                return Err(FoldError::Counts(change.item_id));
            }
        }
        Ok(())
    }

    /// Notes what a call made, so that a repeat is answered with it.
    fn remember_call(&mut self, entry: &Entry) -> Result<(), FoldError> {
        let Some(call) = entry.call else {
            return Ok(());
        };
        let Some(request_id) = call.request_id else {
            return Ok(());
        };
        if call.method == Method::SettleOrder {
            return Ok(()); // a report repeats nothing, and one call may settle many attempts
        }
        let made = match &entry.event {
            Event::Held { order_id, .. }
            | Event::PaymentStarted { order_id, .. }
            | Event::RefundStarted { order_id, .. } => Made::Order(*order_id),
            Event::Restocked { .. } | Event::Closed { .. } => Made::Drop,
            Event::Refused { .. } => Made::Nothing,
            Event::Sold { .. }
            | Event::TermsFrozen { .. }
            | Event::WentLive
            | Event::PaymentWaiting { .. }
            | Event::PaymentFailed { .. }
            | Event::SoldLate { .. }
            | Event::Released { .. }
            | Event::Refunded { .. }
            | Event::LowStock { .. }
            | Event::SoldOut
            | Event::Sealed => return Ok(()),
        };
        let key = (call.caller_id, call.method, request_id);
        if self.replays.get(&key).is_some() {
            return Err(illegal("entry", "its request id was used before"));
        }
        self.replays.insert(
            key,
            Replay {
                fingerprint: call.fingerprint,
                made,
            },
        );
        Ok(())
    }

    fn item_mut(&mut self, item_id: ItemId) -> Result<&mut Item, FoldError> {
        let at = self
            .core
            .items
            .binary_search_by_key(&item_id, |item| item.item_id);
        at.ok()
            .and_then(|at| self.core.items.get_mut(at))
            .ok_or(illegal("entry", "unknown item"))
    }
}
