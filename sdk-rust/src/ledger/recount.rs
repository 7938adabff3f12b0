//! The stock, recounted from what the entries move.

use std::collections::BTreeMap;

use livedrop_proto::internal::v1::{Counts, EntryKind, EntryPublic, ItemCount, Move};
use uuid::Uuid;

use super::Stock;

/// All items, after the entries so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Recount {
    pub(super) items: BTreeMap<Uuid, Stock>,
    pub(super) entry_counts: BTreeMap<i32, u64>,
}

impl Recount {
    /// Moves an entry's units; returns the items it touched.
    pub(super) fn apply(&mut self, entry: &EntryPublic) -> Result<Vec<Uuid>, &'static str> {
        let kind = EntryKind::try_from(entry.kind).ok();
        check_terms(kind, entry)?;
        if entry.moves.is_empty() && kind.is_some_and(always_moves) {
            return Err("moves nothing");
        }
        let mut touched = Vec::with_capacity(entry.moves.len());
        for change in &entry.moves {
            let item_id = Uuid::from_slice(&change.item_id).map_err(|_| "malformed item id")?;
            if !fits(kind, change) {
                return Err("moves units in a way that its kind can't");
            }
            self.move_units(item_id, kind, change)?;
            touched.push(item_id);
        }
        let count = self.entry_counts.entry(entry.kind).or_default();
        *count = count.saturating_add(1);
        Ok(touched)
    }

    fn move_units(
        &mut self,
        item_id: Uuid,
        kind: Option<EntryKind>,
        change: &Move,
    ) -> Result<(), &'static str> {
        if kind == Some(EntryKind::TermsFrozen) {
            let start = Stock {
                initial: change.available,
                ..Stock::default()
            };
            if self.items.insert(item_id, start).is_some() {
                return Err("names an item twice");
            }
        }
        let item = self.items.get_mut(&item_id).ok_or("unknown item")?;
        let add = |count: i64, delta| {
            let sum = count.checked_add(delta).filter(|sum| *sum >= 0);
            sum.ok_or("moves more units than there are")
        };
        if kind == Some(EntryKind::Restocked) {
            item.restocked = add(item.restocked, change.available)?;
        }
        item.available = add(item.available, change.available)?;
        item.held = add(item.held, change.held)?;
        item.sold = add(item.sold, change.sold)?;
        Ok(())
    }

    /// Counts of these items as the ledger stores them.
    pub(super) fn counts(&self, item_ids: &[Uuid]) -> Counts {
        let count = |item_id: &Uuid| {
            let item = self.items.get(item_id)?;
            Some(ItemCount {
                item_id: item_id.as_bytes().to_vec().into(),
                available: item.available,
                held: item.held,
                sold: item.sold,
            })
        };
        Counts {
            items: item_ids.iter().filter_map(count).collect(),
        }
    }

    /// All items together.
    pub(super) fn sum(&self) -> Stock {
        self.items
            .values()
            .fold(Stock::default(), |sum, item| Stock {
                initial: sum.initial.saturating_add(item.initial),
                restocked: sum.restocked.saturating_add(item.restocked),
                available: sum.available.saturating_add(item.available),
                held: sum.held.saturating_add(item.held),
                sold: sum.sold.saturating_add(item.sold),
            })
    }
}

/// The terms' stock is what the first entry makes available.
fn check_terms(kind: Option<EntryKind>, entry: &EntryPublic) -> Result<(), &'static str> {
    match (&entry.terms, kind == Some(EntryKind::TermsFrozen)) {
        (None, false) => Ok(()),
        (Some(terms), true) => {
            let stock = terms.items.iter().map(|item| (&item.item_id, item.stock));
            let moved = entry
                .moves
                .iter()
                .map(|change| (&change.item_id, change.available));
            if stock.eq(moved) {
                Ok(())
            } else {
                Err("stock is not that of the terms")
            }
        }
        (None, true) => Err("terms are missing"),
        (Some(_), false) => Err("terms do not belong here"),
    }
}

const fn always_moves(kind: EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::TermsFrozen
            | EntryKind::Held
            | EntryKind::Sold
            | EntryKind::Released
            | EntryKind::Restocked
    )
}

/// Whether a kind of entry may move units like this. Only the start and a restock make units; a kind unknown here makes none.
fn fits(kind: Option<EntryKind>, change: &Move) -> bool {
    let deltas = [change.available, change.held, change.sold];
    let units = deltas.into_iter().max().unwrap_or_default();
    if units <= 0 {
        return false;
    }
    let expected = match kind {
        None => {
            let sum: i128 = deltas.into_iter().map(i128::from).sum();
            return sum == 0;
        }
        Some(EntryKind::TermsFrozen | EntryKind::Restocked) => [units, 0, 0],
        Some(EntryKind::Held) => [-units, units, 0],
        Some(EntryKind::Sold) => [0, -units, units],
        Some(EntryKind::SoldLate) => [-units, 0, units],
        Some(EntryKind::Released) => [units, -units, 0],
        Some(EntryKind::RefundStarted) => [units, 0, -units],
        Some(
            EntryKind::Unspecified
            | EntryKind::WentLive
            | EntryKind::PaymentStarted
            | EntryKind::PaymentWaiting
            | EntryKind::PaymentFailed
            | EntryKind::Refunded
            | EntryKind::LowStock
            | EntryKind::SoldOut
            | EntryKind::Refused
            | EntryKind::Closed
            | EntryKind::Sealed,
        ) => return false,
    };
    deltas == expected
}
