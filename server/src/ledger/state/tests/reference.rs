//! The same rules once more, as naively as can be: everything is recounted from the list of entries each time. Shares no code with the core.

mod audit;
mod expect;
mod money;

use crate::{
    domain::{AccountId, ItemId, OrderId, Timestamp, order::OrderState, payment::FailReason},
    ledger::{
        Entry, Event, Line, Terms,
        entry::{CloseReason, ReleaseReason, WaitReason},
        state::AttemptState,
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

/// Where the units of an order are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    Held,
    Sold,
    Back,
}

/// The order that an event is about.
fn order_of(event: &Event) -> Option<OrderId> {
    match event {
        Event::Held { order_id, .. }
        | Event::PaymentStarted { order_id, .. }
        | Event::PaymentWaiting { order_id, .. }
        | Event::PaymentFailed { order_id, .. }
        | Event::Sold { order_id, .. }
        | Event::SoldLate { order_id, .. }
        | Event::Released { order_id, .. }
        | Event::RefundStarted { order_id, .. }
        | Event::Refunded { order_id, .. } => Some(*order_id),
        _ => None,
    }
}

/// Whether the provider is asked for money.
pub(super) fn is_paying(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::PaymentPending | OrderState::ActionRequired | OrderState::PaymentUnknown
    )
}

impl Reference {
    pub(super) fn terms(&self) -> &Terms {
        match &self.entries[0].1.event {
            Event::TermsFrozen { terms, .. } => terms,
            event => panic!("first entry is {event:?}"),
        }
    }

    fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.entries.iter().map(|(_, entry)| &entry.event)
    }

    fn events_of(&self, wanted: OrderId) -> impl DoubleEndedIterator<Item = &Event> {
        self.events()
            .filter(move |event| order_of(event) == Some(wanted))
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

    /// All orders, in the order of their placing, with their buyers.
    pub(super) fn orders(&self) -> Vec<(OrderId, AccountId)> {
        self.held().map(|(id, buyer, ..)| (id, buyer)).collect()
    }

    pub(super) fn state_of(&self, wanted: OrderId) -> Option<OrderState> {
        self.events_of(wanted).rev().find_map(|event| match event {
            Event::Held { .. } | Event::PaymentFailed { .. } => Some(OrderState::Held),
            Event::PaymentStarted { .. } => Some(OrderState::PaymentPending),
            Event::PaymentWaiting { reason, .. } => Some(match reason {
                WaitReason::ActionRequired => OrderState::ActionRequired,
                WaitReason::Pending => OrderState::PaymentPending,
                WaitReason::Unknown => OrderState::PaymentUnknown,
            }),
            Event::Sold { .. } | Event::SoldLate { .. } => Some(OrderState::Paid),
            Event::Released { reason, .. } => Some(match reason {
                ReleaseReason::Expired => OrderState::Expired,
                _ => OrderState::Cancelled,
            }),
            Event::RefundStarted { stray: false, .. } => Some(OrderState::RefundPending),
            Event::Refunded { stray: false, .. } => Some(OrderState::Refunded),
            _ => None,
        })
    }

    /// Held, and not pinned by a payment.
    pub(super) fn open(&self) -> Vec<(OrderId, AccountId, Timestamp)> {
        self.in_states(|state| state == OrderState::Held)
    }

    /// Pinned by a payment.
    pub(super) fn paying(&self) -> Vec<(OrderId, AccountId, Timestamp)> {
        self.in_states(is_paying)
    }

    pub(super) fn in_states(
        &self,
        wanted: impl Fn(OrderState) -> bool,
    ) -> Vec<(OrderId, AccountId, Timestamp)> {
        self.held()
            .filter(|(order_id, ..)| self.state_of(*order_id).is_some_and(&wanted))
            .map(|(order_id, buyer_id, _, expires_at)| (order_id, buyer_id, expires_at))
            .collect()
    }

    /// The one order by which the buyer holds something.
    pub(super) fn open_of(&self, buyer: AccountId) -> Option<OrderId> {
        let mut open = self.in_states(|state| state == OrderState::Held || is_paying(state));
        open.retain(|(_, it, _)| *it == buyer);
        assert!(open.len() < 2, "two open holds of one buyer");
        open.first().map(|(order_id, ..)| *order_id)
    }

    fn is_over(expires_at: Timestamp, now: Timestamp) -> bool {
        expires_at.micros().saturating_add(2 * SECOND) <= now.micros()
    }

    /// Holds that time has ended, though no entry has.
    pub(super) fn overdue(&self, now: Timestamp) -> usize {
        let open = self.open();
        open.iter().filter(|it| Self::is_over(it.2, now)).count()
    }

    fn units(&self, order_id: OrderId) -> Units {
        let is_sale = |event: &Event| matches!(event, Event::Sold { .. } | Event::SoldLate { .. });
        let is_restock =
            |event: &Event| matches!(event, Event::RefundStarted { restock: true, .. });
        match self.state_of(order_id).unwrap() {
            OrderState::Cancelled | OrderState::Expired => Units::Back,
            OrderState::Held => Units::Held,
            state if is_paying(state) => Units::Held,
            _ if self.events_of(order_id).any(is_restock) => Units::Back,
            _ if self.events_of(order_id).any(is_sale) => Units::Sold,
            _ => Units::Back,
        }
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
            let of_item = lines.iter().filter(|line| line.item_id == item_id);
            let units: i64 = of_item.map(|line| i64::from(line.quantity)).sum();
            match self.units(order_id) {
                _ if units == 0 => {}
                Units::Held => held += units,
                Units::Sold => sold += units,
                Units::Back => {}
            }
        }
        let all = stock(self.terms()) + restocked;
        (all, all - held - sold, held, sold)
    }

    pub(super) fn owned(&self, buyer: AccountId, item_id: Option<ItemId>) -> i64 {
        self.held()
            .filter(|(order_id, buyer_id, ..)| {
                *buyer_id == buyer && self.units(*order_id) != Units::Back
            })
            .flat_map(|(_, _, lines, _)| lines)
            .filter(|line| item_id.is_none_or(|id| line.item_id == id))
            .map(|line| i64::from(line.quantity))
            .sum()
    }

    pub(super) fn abandoned(&self, buyer: AccountId) -> usize {
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

    pub(super) fn refused(&self, buyer: AccountId) -> usize {
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

    pub(super) fn is_cancelled(&self) -> bool {
        self.life() == Life::Over(CloseReason::Cancelled)
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.events().any(|event| *event == Event::Sealed)
    }

    /// What an order's attempts have come to, from the first on.
    pub(super) fn attempts(&self, order_id: OrderId) -> Vec<AttemptState> {
        let mut attempts = Vec::new();
        for event in self.events_of(order_id) {
            let (attempt, state) = match event {
                Event::PaymentStarted { attempt, .. } => {
                    attempts.push(AttemptState::Open(WaitReason::Pending));
                    (attempt, AttemptState::Open(WaitReason::Pending))
                }
                Event::PaymentWaiting {
                    attempt, reason, ..
                } => (attempt, AttemptState::Open(*reason)),
                Event::PaymentFailed { attempt, .. } => (attempt, AttemptState::Failed),
                Event::Sold { attempt, .. } | Event::SoldLate { attempt, .. } => {
                    (attempt, AttemptState::Captured)
                }
                Event::RefundStarted { attempt, stray, .. } => {
                    (attempt, AttemptState::Refunding { is_stray: *stray })
                }
                Event::Refunded { attempt, .. } => (attempt, AttemptState::Refunded),
                _ => continue,
            };
            // Attempt 0 stands for "it cost nothing".
            if let Some(at) = usize::try_from(*attempt).unwrap().checked_sub(1) {
                attempts[at] = state;
            }
        }
        attempts
    }

    /// Why the newest attempt failed, as long as the order waits for another one.
    pub(super) fn payment_error(&self, order_id: OrderId) -> Option<FailReason> {
        let newest = self
            .events_of(order_id)
            .rev()
            .find_map(|event| match event {
                Event::PaymentFailed { reason, .. } => Some(Some(FailReason::from_name(reason))),
                Event::RefundStarted { stray: true, .. } | Event::Refunded { stray: true, .. } => {
                    None
                }
                _ => Some(None),
            });
        newest.flatten()
    }
}
