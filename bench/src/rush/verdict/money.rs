//! Money: what the provider's own books say of each order, against what the ledger says the order is.

use std::collections::{BTreeMap, BTreeSet};

use livedrop::v1::{Order, OrderState};

use super::{Evidence, Payment, Verdict};
use crate::rush::prepare::CURRENCY;

impl Verdict {
    /// Per order and in total: captured minus refunded is what the paid orders cost. Each capture is a sale, or went back.
    pub(super) fn check_money(&mut self, evidence: &Evidence) {
        let prices = evidence.items.iter();
        let prices = prices.map(|item| (item.item_id.as_str(), item.price_minor));
        let prices: BTreeMap<&str, i64> = prices.collect();
        // What an order costs is recounted from what was offered.
        let cost = |order: &Order| -> i64 {
            let lines = order.lines.iter();
            let cost = lines.map(|line| {
                let price = prices.get(line.item_id.as_str());
                price.copied().unwrap_or_default() * i64::from(line.quantity)
            });
            cost.sum()
        };
        let owed = |order: &Order| match order.state() {
            OrderState::Paid => cost(order),
            OrderState::Unspecified
            | OrderState::Held
            | OrderState::PaymentPending
            | OrderState::ActionRequired
            | OrderState::PaymentUnknown
            | OrderState::Cancelled
            | OrderState::Expired
            | OrderState::RefundPending
            | OrderState::Refunded => 0,
        };
        self.money.paid = evidence.orders.values().map(owed).sum();
        let Some(payments) = &evidence.payments else {
            return;
        };
        let mut by_order: BTreeMap<&str, Vec<(i32, &Payment)>> = BTreeMap::new();
        for ((order_id, attempt), payment) in payments {
            self.money.captured += payment.captures.iter().sum::<i64>();
            self.money.refunded += payment.refunds.iter().sum::<i64>();
            let of_order = by_order.entry(order_id).or_default();
            of_order.push((*attempt, payment));
        }
        let known = evidence.orders.keys().map(String::as_str);
        let order_ids: BTreeSet<&str> = known.chain(by_order.keys().copied()).collect();
        for order_id in order_ids {
            let payments = by_order.get(order_id).map_or(&[][..], Vec::as_slice);
            let Some(order) = evidence.orders.get(order_id) else {
                if payments.iter().any(|(_, it)| it.kept() != 0) {
                    let provider = told(payments);
                    self.differ(order_id, "no such order", &provider);
                }
                continue;
            };
            let sale = evidence.sales.get(order_id).copied();
            let faults = faults(sale, cost(order), owed(order), payments);
            if !faults.is_empty() {
                let sale = sale.map_or(String::new(), |it| format!(", sold by attempt {it}"));
                let state = order.state().as_str_name();
                let ledger = format!("{state}, {} to keep{sale}", owed(order));
                let provider = format!("{} ({})", told(payments), faults.join("; "));
                self.differ(order_id, &ledger, &provider);
            }
        }
        let (kept, paid) = (self.money.captured - self.money.refunded, self.money.paid);
        if kept != paid && self.money.differences.is_empty() {
            self.differ("total", &paid.to_string(), &kept.to_string());
        }
    }

    fn differ(&mut self, order_id: &str, ledger: &str, provider: &str) {
        self.money.differences.push(format!(
            "order {order_id}: the ledger says {ledger}; the provider says {provider}"
        ));
    }
}

/// What is wrong with the payments of an order. `cost` is what one capture takes, `owed` what the creator is to keep.
fn faults(
    sale: Option<i32>,
    cost: i64,
    owed: i64,
    payments: &[(i32, &Payment)],
) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let kept: i64 = payments.iter().map(|(_, it)| it.kept()).sum();
    if kept != owed {
        faults.push("not what the provider keeps");
    }
    for (attempt, payment) in payments {
        let is_sale = owed > 0 && sale == Some(*attempt);
        let right: (&[i64], &[i64]) = match (payment.captures.is_empty(), is_sale) {
            (true, true) => {
                faults.push("sold without a capture");
                continue;
            }
            (true, false) => (&[], &[]),
            (false, true) => (&[cost], &[]),
            (false, false) => (&[cost], &[cost]),
        };
        if (payment.captures.as_slice(), payment.refunds.as_slice()) != right {
            faults.push("a capture that is no sale, or not exactly one, or not what it costs");
        }
        if payment.currencies.iter().any(|it| it != CURRENCY) {
            faults.push("another currency");
        }
    }
    let sold_by = |attempt: i32| payments.iter().any(|(number, _)| *number == attempt);
    if owed > 0 && !sale.is_some_and(sold_by) {
        faults.push("sold by a payment that the provider does not know");
    }
    faults
}

fn told(payments: &[(i32, &Payment)]) -> String {
    let told = payments.iter().map(|(attempt, payment)| {
        format!(
            "attempt {attempt} captured {:?}, refunded {:?}",
            payment.captures, payment.refunds
        )
    });
    match told.collect::<Vec<_>>().join(", ") {
        nothing if nothing.is_empty() => "nothing".to_owned(),
        told => told,
    }
}
