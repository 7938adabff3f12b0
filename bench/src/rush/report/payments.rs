//! What became of the money.

use livedrop::v1::{LedgerEntryKind, OrderState};

use super::Report;
use crate::rush::{
    evidence::in_state,
    shop::Fate,
    verdict::{Evidence, MoneySource, Verdict},
    wallet,
    wire::count,
};

impl Report<'_> {
    /// By what orders were paid, and what failed.
    pub(super) fn payments(&mut self) {
        self.section("Payments", "of orders that cost something");
        let evidence = self.evidence;
        let sold = self.purchases.iter().filter_map(|purchase| {
            let order_id = &purchase.order()?.order_id;
            let attempt = *evidence.sales.get(order_id)?;
            let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
            let card = purchase.cards().nth(index)?;
            let is_at_once = attempt == 1 && purchase.wallet.at_once.is_some();
            Some(wallet::name(card, attempt, is_at_once))
        });
        let ways = count(sold);
        self.row("sold", ways.values().sum::<u64>(), "refunded ones included");
        for (way, orders) in ways {
            self.row(format!("  {way}"), orders, "");
        }
        let entries = |kind: LedgerEntryKind| {
            let entries = evidence.records.iter().flat_map(|record| &record.entries);
            entries.filter(|entry| entry.kind() == kind).count()
        };
        let started = entries(LedgerEntryKind::PaymentStarted);
        self.row("payments begun", started, "");
        let failed = entries(LedgerEntryKind::PaymentFailed);
        self.row("  declined", failed, "or taken back when the hold ended");
        let late = entries(LedgerEntryKind::SoldLate);
        self.row(
            "  sold after expiry",
            late,
            "captured late, units were left",
        );
        let refunds = entries(LedgerEntryKind::Refunded);
        self.row("refunds", refunds, "");
        let returned = evidence.returns.len();
        let restocked = evidence.returns.iter().filter(|it| it.restock).count();
        let note = format!("by the creator, {restocked} of them sold again");
        self.row("  returned", returned, note);
        let note = "captured when nothing was to be paid any more";
        self.row("  too late", refunds.saturating_sub(returned), note);
    }

    /// The drop that was cancelled half-way.
    pub(super) fn cancelled_drop(&mut self) {
        let all = self.all;
        for evidence in all.iter().filter(|it| it.fate == Fate::IsCancelled) {
            self.section("Cancelled half-way", "a smaller drop of the same buyers");
            self.row("buyers", evidence.buyers.len(), "");
            let notes = evidence.buyers.iter().flat_map(|(_, notes)| notes);
            let reasons = count(
                notes
                    .flat_map(|it| &it.refused)
                    .map(|it| it.reason.as_str()),
            );
            let too_late = reasons.get("DROP_CANCELLED").copied().unwrap_or_default();
            self.row("came too late", too_late, "refused as DROP_CANCELLED");
            self.row("orders", evidence.orders.len(), "");
            let cancelled = in_state(evidence, OrderState::Cancelled);
            self.row("  cancelled", cancelled, "");
            let refunded = in_state(evidence, OrderState::Refunded);
            let free = free_refunds(evidence);
            let note = format!("{free} of them cost nothing");
            self.row("  refunded", refunded, note);
        }
    }

    /// The drop that nobody comes back to.
    pub(super) fn left_drop(&mut self) {
        let all = self.all;
        for evidence in all.iter().filter(|it| it.fate == Fate::IsLeft) {
            self.section("Left alone", "a drop that only the last server heard of");
            let expired = in_state(evidence, OrderState::Expired);
            let note = format!("{expired} of them expired");
            self.row("orders", evidence.orders.len(), note);
        }
    }

    /// What the provider took, gave back and keeps.
    pub(super) fn money(&mut self, verdict: &Verdict) {
        let euros = |cents: i64| format!("{:.2} EUR", cents as f64 / 100.0);
        let money = &verdict.money;
        self.section("Money", "of all drops");
        if money.source == MoneySource::ProviderBooks {
            let note = "by the provider's own books";
            self.row("captured", euros(money.captured), note);
            self.row("refunded", euros(money.refunded), note);
            self.row("kept", euros(money.captured - money.refunded), note);
        }
        let note = "by the ledger: what all paid orders cost";
        self.row("paid", euros(money.paid), note);
    }
}

fn free_refunds(evidence: &Evidence) -> usize {
    let free = evidence.orders.values().filter(|order| {
        let total = order.total.as_ref().map_or(0, |total| total.amount_minor);
        order.state() == OrderState::Refunded && total == 0
    });
    free.count()
}
