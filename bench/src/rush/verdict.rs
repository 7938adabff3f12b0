//! The verdict: what the buyers wrote down, what `GetOrder` says of every order, and the ledger's records, held against each other.
//!
//! Pure, and believes no count that it can recount.

mod answers;
mod entries;
mod money;
mod recount;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use livedrop::v1::{Drop, LedgerRecord, Order};

use super::{
    notes::{Purchase, Return},
    provider::{Books, Payment},
    shop::{Fate, Item},
};

/// Findings that are told; their number is never cut.
const TOLD_MAX: usize = 20;

/// Everything there is to judge by.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What was offered.
    pub(crate) items: Vec<Item>,
    /// Units that one buyer may have; 0 = no limit.
    pub(crate) limit_per_buyer: i32,
    /// Account and notes of each buyer.
    pub(crate) buyers: Vec<(String, Vec<Purchase>)>,
    /// The whole ledger.
    pub(crate) records: Vec<LedgerRecord>,
    /// What is wrong with its chain of hashes.
    pub(crate) chain_fault: Option<String>,
    /// What became of the drop.
    pub(crate) fate: Fate,
    /// Every order that a buyer was told of, as `GetOrder` has it.
    pub(crate) orders: HashMap<String, Order>,
    /// Every order of the drop, as its creator lists it.
    pub(crate) listed: HashMap<String, Order>,
    /// The drop's orders as each account lists its own, with the account; `None` if the lists were not read.
    pub(crate) own_lists: Option<HashMap<String, (String, Order)>>,
    /// The drop, as `GetDrop` has it.
    pub(crate) drop: Drop,
    /// Receipts that failed.
    pub(crate) receipt_faults: Vec<String>,
    /// By which attempt an order was sold, as its receipt proves; of each order that cost something or whose money went back.
    pub(crate) sales: HashMap<String, i32>,
    /// What buyers wanted their money back for.
    pub(crate) returns: Vec<Return>,
    /// What the provider's own books say, by order and attempt; `None` if it is not at hand.
    pub(crate) payments: Option<BTreeMap<(String, i32), Payment>>,
}

/// What went wrong; all zero is the only good one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Units held and sold beyond those there were.
    pub(crate) oversold: i64,
    /// Orders and payments that nobody asked for: of a request that has one already, or beyond a buyer's limit.
    pub(crate) doubled: i64,
    /// Orders and units that are not where the buyer was told they are.
    pub(crate) lost: i64,
    /// Requests whose outcome is still unknown.
    pub(crate) unsettled: i64,
    /// Rows of orders that are missing or old.
    pub(crate) rows_wrong: i64,
    /// Whether all rows were read.
    pub(crate) rows_checked: bool,
    /// Sales did not go on in time after a fault.
    pub(crate) stalled: Option<String>,
    /// The first findings, for people.
    pub(crate) findings: Vec<String>,
    /// The money.
    pub(crate) money: Money,
}

/// Captured minus refunded against the orders that are paid. Amounts are in cents.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Money {
    /// What it was held against.
    pub(crate) source: MoneySource,
    /// All captures, as the provider says.
    pub(crate) captured: i64,
    /// All refunds, as the provider says.
    pub(crate) refunded: i64,
    /// What all paid orders cost, as the ledger says.
    pub(crate) paid: i64,
    /// Every difference, for people.
    pub(crate) differences: Vec<String>,
}

/// What the orders' money was held against.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoneySource {
    /// The provider's own books.
    #[default]
    ProviderBooks,
    /// Nothing: they are not at hand, though buyers have paid.
    NotChecked,
    /// Nothing: nobody paid, and nobody was meant to.
    NothingToPay,
}

impl Money {
    /// The last word about money.
    pub(crate) fn word(&self) -> &'static str {
        match self.source {
            _ if !self.differences.is_empty() => "NOT EQUAL",
            MoneySource::ProviderBooks => "equal",
            MoneySource::NotChecked => "not checked",
            MoneySource::NothingToPay => "nothing to pay",
        }
    }
}

impl Verdict {
    /// Judges a drop.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut verdict = Self::default();
        let counts = verdict.recount(evidence);
        verdict.check_notes(evidence);
        verdict.check_entries(evidence);
        verdict.check_units(evidence, &counts);
        verdict.check_rows(evidence);
        verdict.check_returns(evidence);
        verdict.check_money(evidence);
        if let Some(fault) = &evidence.chain_fault {
            verdict.lose(1, || format!("the ledger: {fault}"));
        }
        for fault in &evidence.receipt_faults {
            verdict.lose(1, || format!("a receipt: {fault}"));
        }
        verdict
    }

    /// Judges all drops together. `stored_fault` is what `livedrop ledger verify` finds wrong on the disk of a server that was killed.
    pub(crate) fn of_all(
        evidence: &[Evidence],
        stored_fault: Option<String>,
        books: Option<&Books>,
        is_paid: bool,
    ) -> Self {
        let mut all = Self {
            rows_checked: true,
            ..Self::default()
        };
        for verdict in evidence.iter().map(Self::of) {
            all.oversold += verdict.oversold;
            all.doubled += verdict.doubled;
            all.lost += verdict.lost;
            all.unsettled += verdict.unsettled;
            all.rows_wrong += verdict.rows_wrong;
            all.rows_checked &= verdict.rows_checked;
            for finding in verdict.findings {
                all.tell(|| finding);
            }
            all.money.captured += verdict.money.captured;
            all.money.refunded += verdict.money.refunded;
            all.money.paid += verdict.money.paid;
            all.money.differences.extend(verdict.money.differences);
        }
        if let Some(fault) = stored_fault {
            all.lose(1, || format!("the ledger on disk: {fault}"));
        }
        let faults = books.into_iter().flat_map(|books| &books.faults);
        let faults = faults.map(|fault| format!("the provider's books: {fault}"));
        all.money.differences.extend(faults);
        all.money.source = match books {
            _ if !is_paid => MoneySource::NothingToPay,
            Some(_) => MoneySource::ProviderBooks,
            None => MoneySource::NotChecked,
        };
        all
    }

    /// The server left something open, however long one waits.
    pub(crate) fn never_ended(&mut self, open: &[String]) {
        for what in open {
            self.lose(1, || format!("never ended: {what}"));
        }
    }

    /// The last word about order rows.
    pub(crate) fn rows_word(&self) -> &'static str {
        match (self.rows_wrong, self.rows_checked) {
            (1.., _) => "NOT COMPLETE",
            (_, true) => "complete",
            (_, false) => "not checked",
        }
    }

    /// Whether nothing is wrong, and all was checked.
    pub(crate) fn is_clean(&self) -> bool {
        (self.oversold, self.doubled, self.lost, self.unsettled) == (0, 0, 0, 0)
            && self.rows_wrong == 0
            && self.stalled.is_none()
            && self.money.differences.is_empty()
            && self.money.source != MoneySource::NotChecked
    }

    fn tell(&mut self, finding: impl FnOnce() -> String) {
        if self.findings.len() < TOLD_MAX {
            self.findings.push(finding());
        }
    }

    fn lose(&mut self, count: i64, finding: impl FnOnce() -> String) {
        self.lost += count;
        self.tell(finding);
    }

    fn miss_row(&mut self, finding: impl FnOnce() -> String) {
        self.rows_wrong += 1;
        self.tell(finding);
    }

    fn double(&mut self, count: i64, finding: impl FnOnce() -> String) {
        self.doubled += count;
        self.tell(finding);
    }
}
