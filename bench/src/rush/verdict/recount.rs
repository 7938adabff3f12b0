//! Units: all moves folded from zero, and held against what was offered, the orders, and what the server shows.

use std::collections::BTreeMap;

use livedrop::v1::{LedgerEntryKind, Order, OrderState};

use super::{Evidence, Return, Verdict};

/// Units of an item, recounted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) available: i64,
    pub(super) held: i64,
    pub(super) sold: i64,
}

impl Verdict {
    /// Folds all moves from zero and looks at every item after every record.
    pub(super) fn recount(&mut self, evidence: &Evidence) -> BTreeMap<String, Units> {
        let offered = evidence
            .items
            .iter()
            .map(|item| (item.item_id.as_str(), item.stock));
        let mut offered: BTreeMap<&str, i64> = offered.collect();
        let mut worst: BTreeMap<String, i64> = BTreeMap::new();
        let mut counts: BTreeMap<String, Units> = BTreeMap::new();
        for record in &evidence.records {
            for entry in &record.entries {
                for change in &entry.moves {
                    let units = counts.entry(change.item_id.clone()).or_default();
                    units.available += change.available_delta;
                    units.held += change.held_delta;
                    units.sold += change.sold_delta;
                    if entry.kind() == LedgerEntryKind::Restocked {
                        *offered.entry(&change.item_id).or_default() += change.available_delta;
                    }
                }
            }
            for (item_id, units) in &counts {
                let excess =
                    units.held + units.sold - offered.get(item_id.as_str()).copied().unwrap_or(0);
                let worst = worst.entry(item_id.clone()).or_default();
                *worst = excess.max(-units.available).max(*worst);
            }
            for told in &record.item_counts {
                let units = Units {
                    available: told.available,
                    held: told.held,
                    sold: told.sold,
                };
                if counts.get(&told.item_id) != Some(&units) {
                    self.lose(1, || {
                        format!(
                            "record {}: counts of item {} do not follow",
                            record.seq, told.item_id
                        )
                    });
                }
            }
            let totals = counts.values().fold((0, 0, 0), |(a, h, s), u| {
                (a + u.available, h + u.held, s + u.sold)
            });
            if totals != (record.available, record.held, record.sold) {
                self.lose(1, || {
                    format!(
                        "record {}: its totals do not follow from the moves",
                        record.seq
                    )
                });
            }
        }
        for (item_id, excess) in worst.into_iter().filter(|(_, excess)| *excess > 0) {
            self.oversold += excess;
            self.tell(|| format!("item {item_id}: {excess} units more than there were"));
        }
        counts
    }

    /// The ledger's final counts against the orders and against `GetDrop`.
    pub(super) fn check_units(&mut self, evidence: &Evidence, counts: &BTreeMap<String, Units>) {
        let mut by_orders: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for order in evidence.orders.values() {
            for line in &order.lines {
                let (held, sold) = by_orders.entry(&line.item_id).or_default();
                match order.state() {
                    OrderState::Held => *held += i64::from(line.quantity),
                    OrderState::Paid => *sold += i64::from(line.quantity),
                    // What was sold stays sold when its money goes back, unless it came back too.
                    OrderState::Refunded if evidence.stays_sold(order) => {
                        *sold += i64::from(line.quantity);
                    }
                    OrderState::Refunded | OrderState::Cancelled | OrderState::Expired => {}
                    state @ (OrderState::Unspecified
                    | OrderState::PaymentPending
                    | OrderState::ActionRequired
                    | OrderState::PaymentUnknown
                    | OrderState::RefundPending) => {
                        self.lose(1, || format!("order {} is {state:?}", order.order_id));
                    }
                }
            }
        }
        for item in &evidence.items {
            let units = counts.get(&item.item_id).copied().unwrap_or_default();
            let (held, sold) = by_orders
                .get(item.item_id.as_str())
                .copied()
                .unwrap_or_default();
            let missing = (units.held - held).abs() + (units.sold - sold).abs();
            let unaccounted = (units.available + units.held + units.sold - item.stock).abs();
            if missing + unaccounted > 0 {
                let of = &item.item_id;
                self.lose(missing + unaccounted, || {
                    format!(
                        "item {of}: ledger {units:?} of {}, orders hold {held} and bought {sold}",
                        item.stock
                    )
                });
            }
            let shown = evidence
                .drop
                .items
                .iter()
                .find(|shown| shown.item_id == item.item_id);
            let shown = shown.and_then(|shown| shown.stock).unwrap_or_default();
            if (Units {
                available: shown.available,
                held: shown.held,
                sold: shown.sold,
            }) != units
            {
                self.lose(1, || {
                    format!(
                        "item {}: GetDrop says {shown:?}, the ledger {units:?}",
                        item.item_id
                    )
                });
            }
        }
    }
}

impl Evidence {
    /// Whether a refunded order was sold before, and its units did not come back.
    fn stays_sold(&self, order: &Order) -> bool {
        let restocks = |it: &Return| it.restock && it.order_id == order.order_id;
        self.sales.contains_key(&order.order_id) && !self.returns.iter().any(restocks)
    }
}
