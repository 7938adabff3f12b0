//! What each buyer was told, against their other answers and against `GetOrder`.

use std::collections::{BTreeSet, HashMap};

use livedrop::v1::{Order, OrderState};
use prost_types::Timestamp;

use super::{Evidence, Verdict};
use crate::rush::{
    notes::{Cancel, Purchase},
    shop::{Fate, total},
    wallet::LATE,
};

impl Verdict {
    /// Each buyer's notes against themselves and against `GetOrder`.
    pub(super) fn check_notes(&mut self, evidence: &Evidence) {
        let mut owners: HashMap<&str, &Purchase> = HashMap::new();
        for (account_id, notes) in &evidence.buyers {
            let mut owned = 0;
            for purchase in notes {
                self.unsettled += i64::from(purchase.is_unsettled());
                let order_ids: BTreeSet<&str> = purchase
                    .placed
                    .iter()
                    .map(|placed| placed.order_id.as_str())
                    .collect();
                if order_ids.len() > 1 {
                    let extra = order_ids.len() as i64 - 1;
                    self.double(extra, || {
                        format!("request {} made orders {order_ids:?}", purchase.request_id)
                    });
                }
                if !order_ids.is_empty()
                    && purchase.refused.iter().any(|refused| refused.is_promise)
                {
                    self.double(1, || {
                        format!(
                            "request {} was refused for good, and has an order",
                            purchase.request_id
                        )
                    });
                }
                for denial in &purchase.denials {
                    self.lose(1, || format!("order {order_ids:?}: {denial}"));
                }
                for order_id in order_ids {
                    if owners.insert(order_id, purchase).is_some() {
                        self.double(1, || format!("order {order_id} was given to two requests"));
                    }
                    let Some(order) = evidence.orders.get(order_id) else {
                        self.lose(1, || {
                            format!("order {order_id} was answered, and is not known")
                        });
                        continue;
                    };
                    if let Some(contradiction) =
                        contradiction(evidence, account_id, purchase, order)
                    {
                        self.lose(1, || format!("order {order_id}: {contradiction}"));
                    }
                    let may_have = purchase.cards().count() as i64;
                    if i64::from(order.attempts) > may_have {
                        let extra = i64::from(order.attempts) - may_have;
                        self.double(extra, || {
                            format!("order {order_id} has {extra} payments that nobody asked for")
                        });
                    }
                    if matches!(order.state(), OrderState::Held | OrderState::Paid) {
                        owned += order.lines.iter().map(|line| line.quantity).sum::<i32>();
                    }
                }
            }
            let limit = evidence.limit_per_buyer;
            if limit > 0 && owned > limit {
                self.double(1, || {
                    format!("buyer {account_id} has {owned} units, {limit} are allowed")
                });
            }
        }
    }
}

impl Verdict {
    /// What was promised to the creator: what is returned is refunded.
    pub(super) fn check_returns(&mut self, evidence: &Evidence) {
        for it in &evidence.returns {
            let state = evidence.orders.get(&it.order_id).map(Order::state);
            if it.refused.is_some() || state != Some(OrderState::Refunded) {
                self.lose(1, || {
                    format!("order {} is {state:?} after {it:?}", it.order_id)
                });
            }
        }
    }
}

/// What `GetOrder` says against what the buyer asked for and was told.
fn contradiction(
    evidence: &Evidence,
    account_id: &str,
    purchase: &Purchase,
    order: &Order,
) -> Option<String> {
    if let Some(fault) = content_fault(evidence, account_id, purchase, order) {
        return Some(fault);
    }
    let returns = &evidence.returns;
    let is_returned = returns.iter().any(|it| it.order_id == order.order_id);
    let total = total(&evidence.items, &purchase.lines);
    let is_cancelled = evidence.fate == Fate::IsCancelled;
    if has_right_state(order, purchase, total, is_returned, is_cancelled) {
        return None;
    }
    let told: BTreeSet<&str> = purchase
        .placed
        .iter()
        .map(|placed| placed.state.as_str_name())
        .collect();
    Some(format!(
        "is {:?}; the buyer was told {told:?}, paid: {}, cancelled: {:?}, returned: {is_returned}",
        order.state(),
        purchase.told_paid,
        purchase.cancel
    ))
}

/// Whether the order is not what was ordered, or costs something else.
fn content_fault(
    evidence: &Evidence,
    account_id: &str,
    purchase: &Purchase,
    order: &Order,
) -> Option<String> {
    let wanted: Vec<(&str, i32, i64)> = purchase
        .lines
        .iter()
        .filter_map(|(item, quantity)| evidence.items.get(*item).map(|item| (item, *quantity)))
        .map(|(item, quantity)| (item.item_id.as_str(), quantity, item.price_minor))
        .collect();
    let price = |line: &livedrop::v1::OrderLine| {
        line.unit_price
            .as_ref()
            .map_or(-1, |price| price.amount_minor)
    };
    let got: Vec<_> = order
        .lines
        .iter()
        .map(|line| (line.item_id.as_str(), line.quantity, price(line)))
        .collect();
    if wanted != got || order.buyer_id != account_id {
        return Some("not what was ordered".to_owned());
    }
    let total = total(&evidence.items, &purchase.lines);
    let costs = order.total.as_ref().map(|total| total.amount_minor);
    (costs != Some(total)).then(|| format!("costs {:?}, not {total}", order.total))
}

/// Whether an order may end like this after what its buyer and the drop's creator did.
fn has_right_state(
    order: &Order,
    purchase: &Purchase,
    total: i64,
    is_returned: bool,
    is_cancelled: bool,
) -> bool {
    let at = |time: Option<Timestamp>| time.map(|time| (time.seconds, time.nanos));
    let is_early = at(order.updated_at) < at(order.hold_expires_at);
    let is_unpaid = total > 0 && !purchase.told_paid;
    let has_paid = total == 0 || purchase.cards().next().is_some();
    // What the provider called failed and captured all the same goes back, unless it still buys something.
    let may_be_late = purchase.cards().any(|card| card == LATE);
    let cancel = purchase.cancel;
    match order.state() {
        OrderState::Paid => has_paid && !is_returned && !is_cancelled && cancel != Cancel::Done,
        OrderState::Held => is_unpaid && cancel == Cancel::Never && !is_cancelled,
        OrderState::Cancelled => is_unpaid && (cancel == Cancel::Done || is_cancelled),
        OrderState::Expired => is_unpaid && cancel != Cancel::Done && !is_early && !is_cancelled,
        OrderState::Refunded => has_paid && (is_returned || is_cancelled || may_be_late),
        OrderState::Unspecified
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::RefundPending => false,
    }
}
