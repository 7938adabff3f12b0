//! What holds of every list of entries, whatever commands came.

use std::collections::{BTreeMap, BTreeSet};

use super::{Life, Reference, is_paying, order_of};
use crate::{
    domain::{AccountId, ItemId, OrderId, Timestamp, order::OrderState},
    ledger::{Event, Line, entry::ReleaseReason, testing::SECOND},
};

impl Reference {
    /// Whatever commands came: these hold of every list of entries. The first `seen` were audited before.
    pub(in super::super) fn audit(&self, seen: usize) {
        let mut past = Self::default();
        let mut told = BTreeSet::new();
        let mut ended = BTreeMap::<OrderId, usize>::new();
        let mut last = Timestamp::default();
        for (n, (at, entry)) in self.entries.iter().enumerate() {
            assert!(*at >= last, "time runs backwards");
            last = *at;
            if past.entries.is_empty() {
                past.entries.push((*at, entry.clone()));
                continue;
            }
            if past.is_sealed() {
                let is_refund = matches!(
                    entry.event,
                    Event::RefundStarted { .. } | Event::Refunded { .. }
                );
                assert!(is_refund, "{entry:?} after Sealed");
            }
            match &entry.event {
                Event::Held {
                    order_id,
                    buyer_id,
                    lines,
                    ..
                } => past.audit_held(*at, *order_id, *buyer_id, lines),
                Event::Sold { order_id, .. } | Event::Released { order_id, .. } => {
                    *ended.entry(*order_id).or_default() += 1;
                    assert_eq!(ended[order_id], 1, "hold ended twice");
                }
                Event::LowStock { item_id } => {
                    assert!(told.insert(Some(*item_id)), "low stock told twice");
                    assert!(past.counts(*item_id).1 <= past.terms().low_stock_threshold);
                }
                Event::SoldOut => {
                    assert!(told.insert(None), "sold out told twice");
                    for item in &past.terms().items {
                        let (_, available, held, _) = past.counts(item.item_id);
                        assert_eq!((available, held), (0, 0));
                    }
                }
                Event::Restocked { item_id, .. } => {
                    told.remove(&None);
                    told.remove(&Some(*item_id));
                }
                Event::Sealed => {
                    assert!(past.open().is_empty(), "sealed with open holds");
                    assert!(past.paying().is_empty(), "sealed with open payments");
                }
                Event::PaymentStarted { .. } => past.audit_started(*at, &entry.event),
                Event::SoldLate { order_id, .. } => {
                    assert!(past.has_room_again(*order_id), "sold late without room");
                }
                Event::RefundStarted {
                    order_id, restock, ..
                } if *restock => {
                    assert_eq!(past.state_of(*order_id), Some(OrderState::Paid));
                    assert_eq!(past.life(), Life::Live, "restocked after the end");
                }
                _ => {}
            }
            let before = order_of(&entry.event).and_then(|id| past.state_of(id));
            if let Event::Released {
                order_id,
                reason: ReleaseReason::Expired,
            } = &entry.event
            {
                let open = past.open();
                let (.., expires_at) = open.iter().find(|(id, ..)| id == order_id).unwrap();
                assert!(at.micros() >= expires_at.micros() + 2 * SECOND);
            }
            past.entries.push((*at, entry.clone()));
            if n < seen {
                continue;
            }
            if let Some(order_id) = order_of(&entry.event) {
                audit_edge(before, past.state_of(order_id).unwrap(), &entry.event);
                past.audit_money(order_id);
            }
            for item in &self.terms().items {
                let (all, available, held, sold) = past.counts(item.item_id);
                assert!(available >= 0 && held >= 0 && sold >= 0, "negative count");
                assert_eq!(available + held + sold, all);
            }
        }
        self.audit_moves();
    }

    /// What must have been told by now: of each item, and (`None`) of the drop.
    pub(in super::super) fn untold(&self) -> Vec<Option<ItemId>> {
        let told = |notice: Event, ends: &dyn Fn(&ItemId) -> bool| {
            let restocked =
                |event: &Event| matches!(event, Event::Restocked { item_id, .. } if ends(item_id));
            let events: Vec<_> = self.events().collect();
            let since = events.iter().rposition(|it| restocked(it)).unwrap_or(0);
            events[since..].contains(&&notice)
        };
        let terms = self.terms();
        let low = |item_id| {
            let threshold = terms.low_stock_threshold;
            threshold > 0
                && self.counts(item_id).1 <= threshold
                && !told(Event::LowStock { item_id }, &|it| *it == item_id)
        };
        let is_out = |item_id| matches!(self.counts(item_id), (_, 0, 0, _));
        let items: Vec<_> = terms.items.iter().map(|it| it.item_id).collect();
        let is_drop_out = items.iter().all(|it| is_out(*it));
        let drop = (is_drop_out && !told(Event::SoldOut, &|_| true)).then_some(None);
        let low = items.into_iter().filter(|it| low(*it)).map(Some);
        low.chain(drop).collect()
    }

    fn audit_held(&self, at: Timestamp, order_id: OrderId, buyer: AccountId, lines: &[Line]) {
        let terms = self.terms();
        assert_eq!(self.life(), Life::Live);
        assert!(at >= terms.opens_at && at < terms.ends_at);
        assert_eq!(self.state_of(order_id), None);
        assert_eq!(self.open_of(buyer), None);
        assert!(self.abandoned(buyer) < 5 && self.refused(buyer) < 5);
        let wanted: i64 = lines.iter().map(|line| i64::from(line.quantity)).sum();
        let limit = i64::from(terms.limit_per_buyer);
        assert!(limit == 0 || self.owned(buyer, None) + wanted <= limit);
    }

    /// The moves that stand in the entries sum up to the recount.
    fn audit_moves(&self) {
        for item in &self.terms().items {
            let (mut available, mut held, mut sold) = (0, 0, 0);
            let moves = self.entries.iter().flat_map(|(_, entry)| &entry.moves);
            for change in moves.filter(|change| change.item_id == item.item_id) {
                available += change.available;
                held += change.held;
                sold += change.sold;
            }
            let (_, a, h, s) = self.counts(item.item_id);
            assert_eq!((available, held, sold), (a, h, s), "moves");
        }
    }
}

/// An order leaves its state only by the edges of the contract.
fn audit_edge(before: Option<OrderState>, after: OrderState, event: &Event) {
    use OrderState::{
        ActionRequired, Cancelled, Expired, Held, Paid, PaymentPending, PaymentUnknown,
        RefundPending, Refunded,
    };
    if let Event::RefundStarted { stray: true, .. } | Event::Refunded { stray: true, .. } = event {
        assert_eq!(before, Some(after), "a stray moved the order");
        let begins = matches!(event, Event::RefundStarted { .. });
        assert!(
            !begins || !matches!(after, Held | Expired | Cancelled),
            "no stray"
        );
        return;
    }
    let is_edge = match before {
        None => after == Held,
        Some(Held) => matches!(after, PaymentPending | Paid | Cancelled | Expired),
        Some(PaymentPending | ActionRequired | PaymentUnknown) => {
            matches!(after, Held | Paid) || Some(after) != before && is_paying(after)
        }
        Some(Expired) => matches!(after, Paid | RefundPending),
        Some(Cancelled) => after == RefundPending,
        Some(Paid) => after == RefundPending,
        Some(RefundPending) => after == Refunded,
        Some(Refunded) => false,
    };
    assert!(is_edge, "{before:?} -> {after:?} by {event:?}");
}
