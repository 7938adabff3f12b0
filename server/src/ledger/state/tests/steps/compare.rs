//! Whether the core, its answers and its entries agree with the recount.

use super::Trio;
use crate::{
    domain::{OrderId, Timestamp, order::OrderState},
    ledger::{
        Call, Command, Entry, Event, Outcome, Refusal,
        entry::ReleaseReason,
        state::{
            AttemptState, Phase,
            tests::reference::{Life, Reference},
        },
        testing::order_id,
    },
};

impl Trio {
    /// All that shows of the state agrees with the recount.
    pub(super) fn compare(&self, draft: &Reference) {
        for item in self.state.items() {
            let (all, available, held, sold) = draft.counts(item.item_id);
            assert_eq!(
                (
                    item.available,
                    item.held,
                    item.sold,
                    item.initial + item.restocked
                ),
                (available, held, sold, all)
            );
        }
        for n in 0..=self.orders {
            self.compare_order(draft, order_id(n));
        }
        self.compare_buyers(draft);
        let phase = match (draft.life(), draft.is_sealed()) {
            (Life::Scheduled, _) => Phase::Scheduled,
            (Life::Live, _) => Phase::Live,
            (Life::Over(reason), false) => Phase::Closed(reason),
            (Life::Over(reason), true) => Phase::Sealed(reason),
        };
        assert_eq!(self.state.phase(), phase);
        if draft.life() == Life::Live {
            assert_eq!(draft.untold(), []);
        }
        let is_over = matches!(draft.life(), Life::Over(_));
        let is_idle = draft.open().is_empty() && draft.paying().is_empty();
        assert_eq!(draft.is_sealed(), is_over && is_idle);
    }

    fn compare_order(&self, draft: &Reference, order_id: OrderId) {
        let order = self.state.order(order_id);
        assert_eq!(order.map(|it| it.state), draft.state_of(order_id));
        let Some(order) = order else { return };
        let attempts = draft.attempts(order_id);
        assert_eq!(usize::try_from(order.attempts).unwrap(), attempts.len());
        for (n, expected) in (1..).zip(&attempts) {
            let attempt = self.state.attempt(order_id, n).unwrap();
            assert_eq!(attempt.state, *expected);
            let is_listed = self.state.unfinished.get(&(order_id, n)).is_some();
            let is_unfinished = matches!(
                expected,
                AttemptState::Open(_) | AttemptState::Refunding { .. }
            );
            assert_eq!(is_listed, is_unfinished, "{expected:?}");
        }
        assert_eq!(order.total_minor, draft.total(order_id));
        assert_eq!(
            order.paid_attempt,
            draft.paid_attempt(order_id).unwrap_or(0)
        );
        assert_eq!(order.payment_error, draft.payment_error(order_id));
        let must_act = order.state == OrderState::ActionRequired;
        assert_eq!(order.action_url.is_some(), must_act);
    }

    fn compare_buyers(&self, draft: &Reference) {
        for (buyer_id, buyer) in self.state.buyers.range() {
            assert_eq!(buyer.open, draft.open_of(*buyer_id));
            assert_eq!(usize::from(buyer.abandoned), draft.abandoned(*buyer_id));
            assert_eq!(usize::from(buyer.refused), draft.refused(*buyer_id));
            for item in self.state.items() {
                let owned = draft.owned(*buyer_id, Some(item.item_id));
                assert_eq!(buyer.units_of(item.item_id), owned);
            }
        }
        let mut held: Vec<_> = draft.open().iter().map(|it| (it.2, it.0)).collect();
        held.sort_unstable();
        let holds: Vec<_> = self.state.holds.range().map(|(key, ())| *key).collect();
        assert_eq!(
            holds, held,
            "an open payment pins its hold, and nothing else does"
        );
        let mut paid = draft.in_states(|state| state == OrderState::Paid);
        paid.sort_unstable();
        let sold = self.state.sold.range().map(|(id, ())| *id);
        assert!(sold.eq(paid.iter().map(|it| it.0)));
    }
}

pub(super) fn is_refused_retry(command: &Command, outcome: &Outcome) -> bool {
    let (Command::PlaceOrder { retry_count, .. } | Command::PayOrder { retry_count, .. }) = command
    else {
        return false;
    };
    *retry_count > 0 && matches!(outcome, Outcome::Refused(_))
}

/// What a command about money brings, or that it is a replay.
pub(super) fn check_money(draft: &Reference, command: &Command, brought: &[Entry], now: Timestamp) {
    if draft.is_replay(command) {
        assert_eq!(brought, []);
        return;
    }
    if let Some(expected) = draft.brings(command, now) {
        let events: Vec<_> = brought.iter().map(|it| it.event.clone()).collect();
        assert_eq!(events, expected, "{command:?} after {:#?}", draft.entries);
    }
}

/// A refusal writes nothing, but for the one entry that voids a retry's request id, or that ends the hold whose time is said to be over.
pub(super) fn check_refusal(
    draft: &Reference,
    command: &Command,
    outcome: &Outcome,
    brought: &[Entry],
    now: Timestamp,
) {
    let Outcome::Refused(refusal) = outcome else {
        return;
    };
    if let (Command::PayOrder { order_id, .. }, Refusal::HoldExpired) = (command, refusal) {
        let is_held = draft.state_of(*order_id) == Some(OrderState::Held);
        let released = brought.iter().any(|it| {
            matches!(&it.event, Event::Released { order_id: it, reason: ReleaseReason::Expired } if it == order_id)
        });
        assert_eq!(
            released, is_held,
            "HOLD_EXPIRED by the clock alone at {now:?}"
        );
        return;
    }
    let voided = match command {
        Command::PlaceOrder {
            call, retry_count, ..
        }
        | Command::PayOrder {
            call, retry_count, ..
        } if draft.is_voided(call, *retry_count, refusal) => Some(*call),
        _ => None,
    };
    let calls: Vec<Option<Call>> = brought.iter().map(|entry| entry.call).collect();
    assert_eq!(calls, voided.map(Some).into_iter().collect::<Vec<_>>());
    for entry in brought {
        assert!(matches!(&entry.event, Event::Refused { .. }), "{entry:?}");
    }
}
