//! Answered orders against the ledger's entries, one to one.

use std::collections::{BTreeMap, HashMap};

use livedrop::v1::{LedgerEntryKind, LedgerRecord, Order, OrderState};

use super::{Evidence, Verdict};
use crate::rush::{
    notes::{Placed, Purchase},
    wire::count,
};

impl Verdict {
    /// Each answered order has its own entry, and there are no others.
    pub(super) fn check_entries(&mut self, evidence: &Evidence) {
        let by_seq: HashMap<i64, &LedgerRecord> = evidence
            .records
            .iter()
            .map(|record| (record.seq, record))
            .collect();
        let mut claims: HashMap<(i64, i32), &str> = HashMap::new();
        let placed = evidence
            .buyers
            .iter()
            .flat_map(|(_, notes)| notes)
            .flat_map(|purchase| purchase.placed.iter().map(move |placed| (purchase, placed)));
        for (purchase, placed) in placed {
            if let Some(fault) = entry_fault(evidence, by_seq.get(&placed.seq), purchase, placed) {
                self.lose(1, || format!("order {}: {fault}", placed.order_id));
            }
            let other = claims.insert((placed.seq, placed.index), &placed.order_id);
            if other.is_some_and(|other| other != placed.order_id) {
                self.lose(1, || {
                    format!("order {} has the entry of another order", placed.order_id)
                });
            }
        }
        self.check_kinds(evidence);
    }

    /// As many entries of each kind as there are orders to account for them.
    fn check_kinds(&mut self, evidence: &Evidence) {
        let kinds = evidence
            .records
            .iter()
            .flat_map(|record| &record.entries)
            .map(|entry| entry.kind());
        let kinds = count(kinds.map(|kind| kind as i32));
        let entries =
            |kind: LedgerEntryKind| kinds.get(&(kind as i32)).map_or(0, |count| *count as i64);
        let states = count(evidence.orders.values().map(|order| order.state));
        let orders =
            |state: OrderState| states.get(&(state as i32)).map_or(0, |count| *count as i64);
        let known = evidence.orders.len() as i64;
        let strangers = entries(LedgerEntryKind::Held) - known;
        if strangers > 0 {
            self.double(strangers, || {
                format!("{strangers} holds in the ledger belong to no answer")
            });
        } else if strangers < 0 {
            self.lose(-strangers, || {
                format!(
                    "the ledger holds {} orders fewer than were answered",
                    -strangers
                )
            });
        }
        // A refunded order was sold, or had ended when its money came late; receipts prove which.
        let refunded = |is_sale: bool| {
            let orders = evidence.orders.values();
            let refunded = orders.filter(|order| order.state() == OrderState::Refunded);
            let sold = |order: &&Order| evidence.sales.contains_key(&order.order_id) == is_sale;
            refunded.filter(sold).count() as i64
        };
        let late = entries(LedgerEntryKind::SoldLate);
        let ended = orders(OrderState::Cancelled) + orders(OrderState::Expired) + refunded(false);
        let attempts = evidence.orders.values().map(|it| i64::from(it.attempts));
        for (what, entries, expected) in [
            (
                "sales",
                entries(LedgerEntryKind::Sold) + late,
                orders(OrderState::Paid) + refunded(true),
            ),
            ("releases", entries(LedgerEntryKind::Released) - late, ended),
            (
                "payments",
                entries(LedgerEntryKind::PaymentStarted),
                attempts.sum(),
            ),
            (
                "refunds begun and ended",
                entries(LedgerEntryKind::RefundStarted),
                entries(LedgerEntryKind::Refunded),
            ),
        ] {
            let difference = (entries - expected).abs();
            if difference > 0 {
                self.lose(difference, || {
                    format!("{what}: {entries} in the ledger, and {expected} by the orders")
                });
            }
        }
    }
}

/// What is wrong with the entry that an answer names.
fn entry_fault(
    evidence: &Evidence,
    record: Option<&&LedgerRecord>,
    purchase: &Purchase,
    placed: &Placed,
) -> Option<&'static str> {
    let Some(record) = record else {
        return Some("its record is not in the ledger");
    };
    if record.hash != placed.record_hash {
        return Some("its record has another hash now");
    }
    let index = usize::try_from(placed.index).unwrap_or(usize::MAX);
    let Some(entry) = record.entries.get(index) else {
        return Some("its entry is not in the record");
    };
    let is_sale = matches!(
        entry.kind(),
        LedgerEntryKind::Sold | LedgerEntryKind::SoldLate
    );
    let is_hold = entry.kind() == LedgerEntryKind::Held;
    let is_right = match placed.state {
        OrderState::Paid => is_sale,
        OrderState::Held
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::Cancelled
        | OrderState::Expired => is_hold,
        OrderState::RefundPending | OrderState::Refunded => is_sale || is_hold,
        OrderState::Unspecified => {
            return Some("it was answered in a state that is never answered");
        }
    };
    let moved: BTreeMap<&str, i64> = entry
        .moves
        .iter()
        .map(|change| {
            let units = if is_sale {
                change.sold_delta
            } else {
                -change.available_delta
            };
            (change.item_id.as_str(), units)
        })
        .collect();
    let lines = purchase.lines.iter().filter_map(|(item, quantity)| {
        evidence
            .items
            .get(*item)
            .map(|item| (item.item_id.as_str(), i64::from(*quantity)))
    });
    if !is_right || moved != lines.collect::<BTreeMap<_, _>>() {
        return Some("its entry is another one's");
    }
    None
}
