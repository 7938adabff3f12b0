//! Where the money is: recounted from the entries.

use super::{Life, Reference, order_of};
use crate::{
    domain::{AccountId, OrderId, Timestamp, order::OrderState},
    ledger::{
        Command, Event,
        command::Report,
        entry::{CloseReason, ReleaseReason},
        state::AttemptState,
        testing::SECOND,
    },
};

impl Reference {
    pub(in super::super) fn total(&self, order_id: OrderId) -> i64 {
        let (.., lines, _) = self.held().find(|(id, ..)| *id == order_id).unwrap();
        let price = |item_id| {
            let item = self.terms().items.iter().find(|it| it.item_id == item_id);
            item.unwrap().unit_price_minor
        };
        let cost = |line: &crate::ledger::Line| price(line.item_id) * i64::from(line.quantity);
        lines.iter().map(cost).sum()
    }

    /// What was taken for an order and not given back must be its price, if it is paid; else nothing.
    pub(super) fn audit_money(&self, order_id: OrderId) {
        let (mut taken, mut given_back) = (0, 0);
        let total = self.total(order_id);
        let attempts = self.attempts(order_id);
        for attempt in 0..=i32::try_from(attempts.len()).unwrap() {
            let names = |event: &&Event| match event {
                Event::Sold { attempt: it, .. }
                | Event::SoldLate { attempt: it, .. }
                | Event::RefundStarted { attempt: it, .. } => *it == attempt,
                _ => false,
            };
            let (mut sales, mut refunds) = (0, 0);
            for event in self.events_of(order_id).filter(names) {
                match event {
                    Event::RefundStarted { amount_minor, .. } => {
                        refunds += 1;
                        given_back += amount_minor;
                    }
                    _ => sales += 1,
                }
            }
            assert!(sales < 2 && refunds < 2, "attempt {attempt} twice");
            if sales + refunds > 0 {
                taken += total;
            }
        }
        let is_paid = self.state_of(order_id) == Some(OrderState::Paid);
        let kept = if is_paid { total } else { 0 };
        assert_eq!(taken - given_back, kept, "{order_id:?}: {attempts:?}");
        let is_open = |it: &&AttemptState| matches!(it, AttemptState::Open(_));
        let open = attempts.iter().filter(is_open).count();
        let is_paying = self.state_of(order_id).is_some_and(super::is_paying);
        assert_eq!(open, usize::from(is_paying), "{order_id:?}: {attempts:?}");
    }

    /// What must hold of a payment that begins now.
    pub(super) fn audit_started(&self, now: Timestamp, event: &Event) {
        let Event::PaymentStarted {
            order_id,
            attempt,
            amount_minor,
            ..
        } = event
        else {
            return;
        };
        assert!(!self.is_cancelled(), "paid in a cancelled drop");
        let (_, buyer, _, expires_at) = self.held().find(|(id, ..)| id == order_id).unwrap();
        assert!(!Self::is_over(expires_at, now), "paid after the hold");
        assert!(self.refused(buyer) < 5, "paid after five refusals");
        let before = self.attempts(*order_id).len();
        assert_eq!(*attempt, i32::try_from(before).unwrap() + 1);
        assert!(*attempt <= 5, "six attempts");
        assert!(*amount_minor > 0 && *amount_minor == self.total(*order_id));
        if let Some(last) = self.last_started(*order_id) {
            assert!(last.micros() + 2 * SECOND <= now.micros(), "too soon");
        }
    }

    pub(super) fn last_started(&self, wanted: OrderId) -> Option<Timestamp> {
        let mut started = self.entries.iter().rev().filter(|(_, entry)| {
            matches!(entry.event, Event::PaymentStarted { .. })
                && order_of(&entry.event) == Some(wanted)
        });
        started.next().map(|(at, _)| *at)
    }

    /// Whether an expired order could be held again.
    pub(super) fn has_room_again(&self, order_id: OrderId) -> bool {
        let (_, buyer, lines, _) = self.held().find(|(id, ..)| *id == order_id).unwrap();
        let lasts = match self.life() {
            Life::Live => true,
            Life::Over(CloseReason::Ended | CloseReason::EndedEarly) => !self.is_sealed(),
            Life::Scheduled | Life::Over(CloseReason::Cancelled) => false,
        };
        let units = |quantity| i64::from(quantity);
        lasts
            && self.limit_hit(buyer, lines).is_none()
            && lines
                .iter()
                .all(|line| self.counts(line.item_id).1 >= units(line.quantity))
    }

    /// The entries that a command about money must bring, notices aside, given that it is neither refused nor a replay.
    pub(in super::super) fn brings(&self, command: &Command, now: Timestamp) -> Option<Vec<Event>> {
        match command {
            Command::PayOrder {
                order_id, pay_by, ..
            } => {
                let before = self.attempts(*order_id).len();
                Some(vec![Event::PaymentStarted {
                    order_id: *order_id,
                    attempt: i32::try_from(before).unwrap() + 1,
                    amount_minor: self.total(*order_id),
                    provider: pay_by.provider.clone(),
                    payment_method: pay_by.method.clone(),
                }])
            }
            Command::RefundOrder {
                order_id,
                reason,
                restock,
                ..
            } => {
                if self.state_of(*order_id) != Some(OrderState::Paid) {
                    return Some(Vec::new());
                }
                let attempt = self.paid_attempt(*order_id).unwrap();
                let mut events = vec![Event::RefundStarted {
                    order_id: *order_id,
                    attempt,
                    reason: reason.clone(),
                    restock: *restock,
                    amount_minor: self.total(*order_id),
                    stray: false,
                }];
                if attempt == 0 {
                    events.push(refunded(*order_id, 0, false));
                }
                Some(events)
            }
            Command::ReportPayment {
                order_id,
                attempt,
                report,
                ..
            } => Some(self.reported(*order_id, *attempt, report, now)),
            _ => None,
        }
    }

    /// The attempt that paid; 0 if it cost nothing.
    pub(in super::super) fn paid_attempt(&self, order_id: OrderId) -> Option<i32> {
        self.events_of(order_id).find_map(|event| match event {
            Event::Sold { attempt, .. } | Event::SoldLate { attempt, .. } => Some(*attempt),
            _ => None,
        })
    }

    fn reported(
        &self,
        order_id: OrderId,
        attempt: i32,
        report: &Report,
        now: Timestamp,
    ) -> Vec<Event> {
        let refund = |stray| Event::RefundStarted {
            order_id,
            attempt,
            reason: "captured too late".to_owned(),
            restock: false,
            amount_minor: self.total(order_id),
            stray,
        };
        let (.., expires_at) = self.held().find(|(id, ..)| *id == order_id).unwrap();
        let at = usize::try_from(attempt).unwrap() - 1;
        match (self.attempts(order_id)[at], report) {
            (AttemptState::Open(_), Report::Captured) => vec![Event::Sold { order_id, attempt }],
            (AttemptState::Open(_), Report::Failed(reason)) => {
                let mut events = vec![Event::PaymentFailed {
                    order_id,
                    attempt,
                    reason: reason.as_str().to_owned(),
                }];
                if Self::is_over(expires_at, now) && !self.is_cancelled() {
                    let reason = ReleaseReason::Expired;
                    events.push(Event::Released { order_id, reason });
                }
                events
            }
            (AttemptState::Open(before), Report::Waiting(reason, url))
                if before != *reason && self.waits(order_id, attempt) < 16 =>
            {
                vec![Event::PaymentWaiting {
                    order_id,
                    attempt,
                    reason: *reason,
                    action_url: url.clone(),
                }]
            }
            (AttemptState::Failed, Report::Captured) => {
                vec![match self.state_of(order_id).unwrap() {
                    OrderState::Held => Event::Sold { order_id, attempt },
                    OrderState::Expired if self.has_room_again(order_id) => {
                        Event::SoldLate { order_id, attempt }
                    }
                    OrderState::Expired | OrderState::Cancelled => refund(false),
                    _ => refund(true),
                }]
            }
            (AttemptState::Refunding { is_stray }, Report::Refunded) => {
                vec![refunded(order_id, attempt, is_stray)]
            }
            _ => Vec::new(),
        }
    }

    fn waits(&self, order_id: OrderId, wanted: i32) -> usize {
        self.events_of(order_id)
            .filter(|it| matches!(it, Event::PaymentWaiting { attempt, .. } if *attempt == wanted))
            .count()
    }

    /// The first limit that these lines would break: whose, how many, and how many are owned.
    pub(super) fn limit_hit(
        &self,
        buyer: AccountId,
        lines: &[crate::ledger::Line],
    ) -> Option<(Option<crate::domain::ItemId>, i64, i64)> {
        let terms = self.terms();
        let wanted: i64 = lines.iter().map(|line| i64::from(line.quantity)).sum();
        let each = lines.iter().map(|line| {
            let item = terms.items.iter().find(|it| it.item_id == line.item_id);
            let limit = item.unwrap().limit_per_buyer;
            (Some(line.item_id), limit, i64::from(line.quantity))
        });
        std::iter::once((None, terms.limit_per_buyer, wanted))
            .chain(each)
            .map(|(id, limit, wanted)| (id, i64::from(limit), wanted, self.owned(buyer, id)))
            .find(|(_, limit, wanted, owned)| *limit > 0 && owned + wanted > *limit)
            .map(|(id, limit, _, owned)| (id, limit, owned))
    }
}

fn refunded(order_id: OrderId, attempt: i32, stray: bool) -> Event {
    Event::Refunded {
        order_id,
        attempt,
        stray,
    }
}
