//! The state of a drop: a pure fold of its ledger. No I/O, no clock, no randomness, no hash order.
//!
//! [`decide`](StockState::decide) turns a command into entries, [`apply`](StockState::apply) folds an entry. Entries are applied before their
//! record is appended, between [`begin`](StockState::begin) and [`commit`](StockState::commit) or [`rollback`](StockState::rollback).

mod apply;
mod change;
mod decide;
mod due;
mod model;
mod payment;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use apply::FoldError;
pub use change::{ChangeKind, DropChange};
pub use decide::Decision;
pub use model::{Attempt, AttemptState, Item, Order, Phase, Position};
use model::{Buyer, Replay, ReplayKey};

use super::{
    command::{Command, Outcome},
    entry::{Entry, Terms},
    journal::Journaled,
};
use crate::domain::{AccountId, DropId, ItemId, OrderId, Timestamp, drop::LedgerSecret};

/// Everything small in the state; cloned at each mark.
#[derive(Debug, Clone, Default)]
struct Core {
    phase: Phase,
    terms: Option<Arc<Terms>>,
    secret: Option<LedgerSecret>,
    /// Ascending by id, as in the terms.
    items: Vec<Item>,
    /// `SoldOut` was written since the last restock.
    sold_out_told: bool,
    /// Attempts that the provider has not ended: each pins its order's hold.
    open_payments: u32,
    changes: Arc<Vec<DropChange>>,
}

/// An order and the number of one of its attempts.
type AttemptKey = (OrderId, i32);

/// The fold of one ledger.
#[derive(Debug)]
pub struct StockState {
    ledger_id: DropId,
    core: Core,
    orders: Journaled<OrderId, Arc<Order>>,
    attempts: Journaled<AttemptKey, Arc<Attempt>>,
    /// Attempts that somebody has to go on with: open payments and refunds.
    unfinished: Journaled<AttemptKey, ()>,
    buyers: Journaled<AccountId, Buyer>,
    replays: Journaled<ReplayKey, Replay>,
    /// Open holds in the order of their end, but for those that an open payment pins.
    holds: Journaled<(Timestamp, OrderId), ()>,
    /// Orders sold and not refunded: what a cancelled drop owes.
    sold: Journaled<OrderId, ()>,
    mark: Option<Core>,
    /// Hashes of all records so far; the index is `seq - 1`.
    hashes: Vec<[u8; 32]>,
    recorded_at: Timestamp,
}

impl StockState {
    /// The state of an empty ledger.
    #[must_use]
    pub fn new(ledger_id: DropId) -> Self {
        Self {
            ledger_id,
            core: Core::default(),
            orders: Journaled::default(),
            attempts: Journaled::default(),
            unfinished: Journaled::default(),
            buyers: Journaled::default(),
            replays: Journaled::default(),
            holds: Journaled::default(),
            sold: Journaled::default(),
            mark: None,
            hashes: Vec::new(),
            recorded_at: Timestamp::default(),
        }
    }

    /// The drop whose ledger this is.
    #[must_use]
    pub fn ledger_id(&self) -> DropId {
        self.ledger_id
    }

    /// Where the drop's life stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.core.phase
    }

    /// The frozen terms, once there is a first record.
    #[must_use]
    pub fn terms(&self) -> Option<&Arc<Terms>> {
        self.core.terms.as_ref()
    }

    /// The ledger's secret, once there is a first record.
    #[must_use]
    pub fn secret(&self) -> Option<&LedgerSecret> {
        self.core.secret.as_ref()
    }

    /// All items, ascending by id.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.core.items
    }

    /// One item.
    #[must_use]
    pub fn item(&self, item_id: ItemId) -> Option<&Item> {
        let at = self
            .core
            .items
            .binary_search_by_key(&item_id, |item| item.item_id)
            .ok()?;
        self.core.items.get(at)
    }

    /// One order.
    #[must_use]
    pub fn order(&self, order_id: OrderId) -> Option<&Arc<Order>> {
        self.orders.get(&order_id)
    }

    /// One attempt to pay.
    #[must_use]
    pub fn attempt(&self, order_id: OrderId, attempt: i32) -> Option<&Arc<Attempt>> {
        self.attempts.get(&(order_id, attempt))
    }

    /// Attempts that somebody has to go on with: open payments, and refunds.
    pub fn unfinished(&self) -> impl Iterator<Item = &Arc<Attempt>> {
        let keys = self.unfinished.range();
        keys.filter_map(|(key, ())| self.attempts.get(key))
    }

    /// How many orders there are, in any state.
    #[must_use]
    pub fn order_count(&self) -> usize {
        self.orders.len()
    }

    /// Whether a hold, a payment or a refund is open, so that somebody must go on with the ledger.
    #[must_use]
    pub fn has_open_work(&self) -> bool {
        !self.holds.is_empty()
            || !self.unfinished.is_empty()
            || (self.core.phase.is_cancelled() && !self.sold.is_empty())
    }

    /// `seq` of the newest record; 0 for none.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.hashes.len() as u64
    }

    /// Hash of the newest record; zeros for none.
    #[must_use]
    pub fn head_hash(&self) -> [u8; 32] {
        self.hashes.last().copied().unwrap_or_default()
    }

    /// Hash of the record at `seq`.
    #[must_use]
    pub fn record_hash(&self, seq: u64) -> Option<[u8; 32]> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.hashes.get(at).copied()
    }

    /// Ledger time of the newest record.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Ledger time: the clock's, but never before the newest record.
    #[must_use]
    pub fn ledger_time(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.recorded_at)
    }

    /// Units available, held and sold over all items. Saturates: the bounds on stock keep it far from there.
    #[must_use]
    pub fn totals(&self) -> (i64, i64, i64) {
        self.core.items.iter().fold((0, 0, 0), |(a, h, s), item| {
            (
                a.saturating_add(item.available),
                h.saturating_add(item.held),
                s.saturating_add(item.sold),
            )
        })
    }

    /// Decides a command and folds what it brings, with all that follows from it, at the position of the record that is being made.
    ///
    /// # Errors
    /// If the fold refuses its own decision, which is a bug.
    pub fn execute(
        &mut self,
        command: &Command,
        at: &mut Position,
        entries: &mut Vec<Entry>,
    ) -> Result<Outcome, FoldError> {
        let decision = self.decide(command, at.recorded_at);
        for entry in decision.entries {
            self.push(entry, at, entries)?;
        }
        self.follow(at, entries)?;
        Ok(decision.outcome)
    }

    /// Applies an entry at `at` and notes it.
    fn push(
        &mut self,
        entry: Entry,
        at: &mut Position,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        self.apply(&entry, *at)?;
        at.index += 1;
        entries.push(entry);
        Ok(())
    }

    /// Where the next record's first entry goes, at ledger time `now`.
    #[must_use]
    pub fn next_position(&self, now: Timestamp) -> Position {
        Position {
            seq: self.seq() + 1,
            index: 0,
            recorded_at: self.ledger_time(now),
        }
    }

    /// Sets the mark to which [`rollback`](Self::rollback) returns.
    pub fn begin(&mut self) {
        self.mark = Some(self.core.clone());
        self.orders.begin();
        self.attempts.begin();
        self.unfinished.begin();
        self.buyers.begin();
        self.replays.begin();
        self.holds.begin();
        self.sold.begin();
    }

    /// Keeps what was applied since the mark: it is the record `hash` now.
    pub fn commit(&mut self, hash: [u8; 32], recorded_at: Timestamp) {
        self.mark = None;
        self.orders.commit();
        self.attempts.commit();
        self.unfinished.commit();
        self.buyers.commit();
        self.replays.commit();
        self.holds.commit();
        self.sold.commit();
        self.hashes.push(hash);
        self.recorded_at = recorded_at;
    }

    /// Takes back what was applied since the mark.
    pub fn rollback(&mut self) {
        if let Some(core) = self.mark.take() {
            self.core = core;
        }
        self.orders.rollback();
        self.attempts.rollback();
        self.unfinished.rollback();
        self.buyers.rollback();
        self.replays.rollback();
        self.holds.rollback();
        self.sold.rollback();
    }
}
