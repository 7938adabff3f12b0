//! The verdict: what the buyers wrote down, what `GetOrder` says of every order, and the ledger's records, held against each other.
//!
//! Pure, and believes no count that it can recount.

mod answers;
mod entries;
mod recount;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use livedrop::v1::{Drop, LedgerRecord, Order};

use super::{notes::Purchase, shop::Item};

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
    /// What `livedrop ledger verify` finds wrong on the disk of a server that was killed.
    pub(crate) stored_fault: Option<String>,
    /// Every order that a buyer was told of, as `GetOrder` has it.
    pub(crate) orders: HashMap<String, Order>,
    /// The drop, as `GetDrop` has it.
    pub(crate) drop: Drop,
    /// Receipts that failed.
    pub(crate) receipt_faults: Vec<String>,
}

/// What went wrong; all zero is the only good one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Units held and sold beyond those there were.
    pub(crate) oversold: i64,
    /// Orders that nobody asked for: of a request that has one already, or beyond a buyer's limit.
    pub(crate) doubled: i64,
    /// Orders and units that are not where the buyer was told they are.
    pub(crate) lost: i64,
    /// Requests whose outcome is still unknown.
    pub(crate) unsettled: i64,
    /// The first findings, for people.
    pub(crate) findings: Vec<String>,
}

impl Verdict {
    /// Judges.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut verdict = Self::default();
        let counts = verdict.recount(evidence);
        verdict.check_notes(evidence);
        verdict.check_entries(evidence);
        verdict.check_units(evidence, &counts);
        for fault in evidence.chain_fault.iter().chain(&evidence.stored_fault) {
            verdict.lose(1, || format!("the ledger: {fault}"));
        }
        for fault in &evidence.receipt_faults {
            verdict.lose(1, || format!("a receipt: {fault}"));
        }
        verdict
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_clean(&self) -> bool {
        (self.oversold, self.doubled, self.lost, self.unsettled) == (0, 0, 0, 0)
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

    fn double(&mut self, count: i64, finding: impl FnOnce() -> String) {
        self.doubled += count;
        self.tell(finding);
    }
}
