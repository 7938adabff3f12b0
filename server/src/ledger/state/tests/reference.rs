//! The same rules once more, as naively as can be: everything is recounted from the list of entries each time. Shares no code with the core.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{AccountId, ItemId, Money, OrderId, Timestamp, order::OrderState},
    ledger::{
        Call, Command, Entry, Event, Line, Outcome, Refusal, Terms,
        entry::{CloseReason, ReleaseReason},
        testing::SECOND,
    },
};

/// What has happened to a drop, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Reference {
    pub(super) entries: Vec<(Timestamp, Entry)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Scheduled,
    Live,
    Over(CloseReason),
}

impl Reference {
    pub(super) fn terms(&self) -> &Terms {
        match &self.entries[0].1.event {
            Event::TermsFrozen { terms, .. } => terms,
            event => panic!("first entry is {event:?}"),
        }
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().map(|(_, entry)| &entry.event)
    }

    fn held(&self) -> impl Iterator<Item = (OrderId, AccountId, &[Line], Timestamp)> {
        self.events().filter_map(|event| match event {
            Event::Held {
                order_id,
                buyer_id,
                lines,
                expires_at,
                ..
            } => Some((*order_id, *buyer_id, &**lines, *expires_at)),
            _ => None,
        })
    }

    pub(super) fn state_of(&self, wanted: OrderId) -> Option<OrderState> {
        let mut state = None;
        for event in self.events() {
            state = match event {
                Event::Held { order_id, .. } if *order_id == wanted => Some(OrderState::Held),
                Event::Sold { order_id, .. } if *order_id == wanted => Some(OrderState::Paid),
                Event::Released { order_id, reason } if *order_id == wanted => Some(match reason {
                    ReleaseReason::Expired => OrderState::Expired,
                    _ => OrderState::Cancelled,
                }),
                Event::RefundStarted { order_id, .. } if *order_id == wanted => {
                    Some(OrderState::RefundPending)
                }
                Event::Refunded { order_id, .. } if *order_id == wanted => {
                    Some(OrderState::Refunded)
                }
                _ => state,
            };
        }
        state
    }

    pub(super) fn open(&self) -> Vec<(OrderId, AccountId, Timestamp)> {
        self.held()
            .filter(|(order_id, ..)| self.state_of(*order_id) == Some(OrderState::Held))
            .map(|(order_id, buyer_id, _, expires_at)| (order_id, buyer_id, expires_at))
            .collect()
    }

    /// Holds that time has ended, though no entry has.
    pub(super) fn overdue(&self, now: Timestamp) -> usize {
        let is_due = |at: Timestamp| at.micros().saturating_add(2 * SECOND) <= now.micros();
        self.open().iter().filter(|(.., at)| is_due(*at)).count()
    }

    /// Offered in all, available, held, sold.
    pub(super) fn counts(&self, item_id: ItemId) -> (i64, i64, i64, i64) {
        let stock = |terms: &Terms| {
            let item = terms.items.iter().find(|it| it.item_id == item_id);
            item.unwrap().stock
        };
        let restocked: i64 = self
            .events()
            .map(|event| match event {
                Event::Restocked {
                    item_id: id, units, ..
                } if *id == item_id => *units,
                _ => 0,
            })
            .sum();
        let (mut held, mut sold) = (0, 0);
        for (order_id, _, lines, _) in self.held() {
            let units: i64 = lines
                .iter()
                .filter(|line| line.item_id == item_id)
                .map(|line| i64::from(line.quantity))
                .sum();
            match self.state_of(order_id).unwrap() {
                OrderState::Held => held += units,
                OrderState::Cancelled | OrderState::Expired => {}
                _ => sold += units,
            }
        }
        let all = stock(self.terms()) + restocked;
        (all, all - held - sold, held, sold)
    }

    fn owned(&self, buyer: AccountId, item_id: Option<ItemId>) -> i64 {
        self.held()
            .filter(|(order_id, buyer_id, ..)| {
                let state = self.state_of(*order_id).unwrap();
                *buyer_id == buyer && !matches!(state, OrderState::Cancelled | OrderState::Expired)
            })
            .flat_map(|(_, _, lines, _)| lines)
            .filter(|line| item_id.is_none_or(|id| line.item_id == id))
            .map(|line| i64::from(line.quantity))
            .sum()
    }

    fn abandoned(&self, buyer: AccountId) -> usize {
        let of_buyer = |wanted: OrderId| {
            self.held()
                .any(|(order_id, buyer_id, ..)| order_id == wanted && buyer_id == buyer)
        };
        self.events()
            .filter(|event| {
                matches!(event, Event::Released { order_id, reason }
                    if *reason != ReleaseReason::DropCancelled && of_buyer(*order_id))
            })
            .count()
    }

    fn refused(&self, buyer: AccountId) -> usize {
        self.entries
            .iter()
            .filter(|(_, entry)| {
                matches!(entry.event, Event::Refused { .. })
                    && entry.call.unwrap().caller_id == buyer
            })
            .count()
    }

    pub(super) fn life(&self) -> Life {
        let mut life = Life::Scheduled;
        for event in self.events() {
            match event {
                Event::WentLive => life = Life::Live,
                Event::Closed { reason } => life = Life::Over(*reason),
                _ => {}
            }
        }
        life
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.events().any(|event| *event == Event::Sealed)
    }

    fn replay(&self, call: &Call) -> Option<Outcome> {
        call.request_id?;
        let same = |it: &Call| {
            (it.caller_id, it.method, it.request_id)
                == (call.caller_id, call.method, call.request_id)
        };
        let (_, first) = self
            .entries
            .iter()
            .find(|(_, entry)| entry.call.as_ref().is_some_and(same))?;
        if first.call.unwrap().fingerprint != call.fingerprint {
            return Some(Outcome::Refused(Refusal::RequestIdReused));
        }
        Some(match &first.event {
            Event::Held { order_id, .. } => Outcome::Order(*order_id),
            Event::Refused { .. } => Outcome::Refused(Refusal::RequestIdVoid),
            _ => Outcome::Drop,
        })
    }

    /// What a command must be answered with, given that all that is due was done.
    pub(super) fn expect(&self, command: &Command, now: Timestamp) -> Outcome {
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
            Command::PayOrder { .. }
            | Command::RefundOrder { .. }
            | Command::ReportPayment { .. }
            | Command::GetAttempt { .. } => unreachable!("no step has it yet"),
        }
    }

    fn visible(&self, caller: AccountId, wanted: OrderId, to_creator: bool) -> Option<OrderState> {
        let (_, buyer, ..) = self.held().find(|(order_id, ..)| *order_id == wanted)?;
        let is_visible = buyer == caller || to_creator && caller == self.terms().creator_id;
        is_visible.then(|| self.state_of(wanted))?
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
        let open = self.open().into_iter().find(|(_, it, _)| *it == buyer);
        if open.is_some() || self.abandoned(buyer) >= 5 || self.refused(buyer) >= 5 {
            let open_order_id = open.map(|(order_id, ..)| order_id);
            return Some(Refusal::TooManyHolds { open_order_id });
        }
        let wanted: i64 = lines.iter().map(|line| i64::from(line.quantity)).sum();
        let each = lines.iter().map(|line| {
            let item = terms.items.iter().find(|it| it.item_id == line.item_id);
            let limit = item.unwrap().limit_per_buyer;
            (Some(line.item_id), limit, i64::from(line.quantity))
        });
        for (item_id, limit, wanted) in
            std::iter::once((None, terms.limit_per_buyer, wanted)).chain(each)
        {
            let (limit, owned) = (i64::from(limit), self.owned(buyer, item_id));
            if limit > 0 && owned + wanted > limit {
                return Some(Refusal::LimitReached {
                    item_id,
                    limit,
                    owned,
                });
            }
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
    pub(super) fn is_voided(&self, call: &Call, retry_count: i32, refusal: &Refusal) -> bool {
        let is_final = matches!(
            refusal,
            Refusal::RequestIdReused | Refusal::RequestIdVoid | Refusal::UnknownItem(_)
        );
        retry_count > 0
            && !is_final
            && !matches!(self.life(), Life::Over(_))
            && self.refused(call.caller_id) < 5
    }

    /// Whatever commands came: these hold of every list of entries.
    pub(super) fn audit(&self) {
        let mut past = Self::default();
        let mut told = BTreeSet::new();
        let mut ended = BTreeMap::<OrderId, usize>::new();
        let mut last = Timestamp::default();
        for (at, entry) in &self.entries {
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
                Event::Sealed => assert!(past.open().is_empty(), "sealed with open holds"),
                _ => {}
            }
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
            for item in &self.terms().items {
                let (all, available, held, sold) = past.counts(item.item_id);
                assert!(available >= 0 && held >= 0 && sold >= 0, "negative count");
                assert_eq!(available + held + sold, all);
            }
        }
        self.audit_moves();
    }

    /// What must have been told by now: of each item, and (`None`) of the drop.
    pub(super) fn untold(&self) -> Vec<Option<ItemId>> {
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
        assert!(self.open().iter().all(|(_, it, _)| *it != buyer));
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
