//! What each buyer was told, against their other answers and against `GetOrder`.

use std::collections::{BTreeSet, HashMap};

use livedrop::v1::{Order, OrderState};

use super::{Evidence, Verdict};
use crate::rush::notes::{Cancel, Purchase};

impl Verdict {
    /// Each buyer's notes against themselves and against `GetOrder`.
    pub(super) fn check_notes(&mut self, evidence: &Evidence) {
        let mut owners: HashMap<&str, &Purchase> = HashMap::new();
        for (account_id, notes) in &evidence.buyers {
            let mut owned = 0;
            for purchase in notes {
                self.unsettled += i64::from(purchase.is_open || purchase.cancel == Cancel::Open);
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

/// What `GetOrder` says against what the buyer asked for and was told.
fn contradiction(
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
    let total: i64 = wanted
        .iter()
        .map(|(_, quantity, price)| i64::from(*quantity) * price)
        .sum();
    if order.total.as_ref().map(|total| total.amount_minor) != Some(total) {
        return Some(format!("costs {:?}, not {total}", order.total));
    }
    let updated_at = order
        .updated_at
        .as_ref()
        .map(|time| (time.seconds, time.nanos));
    let is_early = updated_at
        < order
            .hold_expires_at
            .as_ref()
            .map(|time| (time.seconds, time.nanos));
    let told: BTreeSet<&str> = purchase
        .placed
        .iter()
        .map(|placed| placed.state.as_str_name())
        .collect();
    let is_right = match order.state() {
        OrderState::Paid => total == 0,
        OrderState::Held => total > 0 && purchase.cancel == Cancel::Never,
        OrderState::Cancelled => total > 0 && purchase.cancel == Cancel::Done,
        OrderState::Expired => total > 0 && purchase.cancel != Cancel::Done && !is_early,
        OrderState::Unspecified
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::RefundPending
        | OrderState::Refunded => false,
    };
    let cancel = purchase.cancel;
    (!is_right).then(|| {
        format!(
            "is {:?}; the buyer was told {told:?}, cancelled: {cancel:?}",
            order.state()
        )
    })
}
