//! The verdict: what the buyers wrote down, what `GetOrder` says of every order, and the ledger's records, held against each other.
//!
//! Pure, and believes no count that it can recount.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use livedrop_proto::v1::{Drop, LedgerEntryKind, LedgerRecord, Order, OrderState};

use super::{
    notes::{Cancel, Placed, Purchase},
    shop::{Item, LIMIT_PER_BUYER},
};

/// Findings that are told; their number is never cut.
const TOLD_MAX: usize = 20;

/// Everything there is to judge by.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What was offered.
    pub(crate) items: Vec<Item>,
    /// Account and notes of each buyer.
    pub(crate) buyers: Vec<(String, Vec<Purchase>)>,
    /// The whole ledger.
    pub(crate) records: Vec<LedgerRecord>,
    /// What is wrong with its chain of hashes.
    pub(crate) chain_fault: Option<String>,
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

/// Units of an item, recounted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Units {
    available: i64,
    held: i64,
    sold: i64,
}

impl Verdict {
    /// Judges.
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut verdict = Self::default();
        let counts = verdict.recount(evidence);
        verdict.check_notes(evidence);
        verdict.check_entries(evidence);
        verdict.check_units(evidence, &counts);
        if let Some(fault) = &evidence.chain_fault {
            verdict.lose(1, || format!("the ledger's chain: {fault}"));
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

    /// Folds all moves from zero and looks at every item after every record.
    fn recount(&mut self, evidence: &Evidence) -> BTreeMap<String, Units> {
        let offered = evidence.items.iter().map(|item| (item.item_id.as_str(), item.stock));
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
                let excess = units.held + units.sold - offered.get(item_id.as_str()).copied().unwrap_or(0);
                let worst = worst.entry(item_id.clone()).or_default();
                *worst = excess.max(-units.available).max(*worst);
            }
            for told in &record.item_counts {
                let units = Units { available: told.available, held: told.held, sold: told.sold };
                if counts.get(&told.item_id) != Some(&units) {
                    self.lose(1, || format!("record {}: counts of item {} do not follow", record.seq, told.item_id));
                }
            }
            let totals = counts.values().fold((0, 0, 0), |(a, h, s), u| (a + u.available, h + u.held, s + u.sold));
            if totals != (record.available, record.held, record.sold) {
                self.lose(1, || format!("record {}: its totals do not follow from the moves", record.seq));
            }
        }
        for (item_id, excess) in worst.into_iter().filter(|(_, excess)| *excess > 0) {
            self.oversold += excess;
            self.tell(|| format!("item {item_id}: {excess} units more than there were"));
        }
        counts
    }

    /// Each buyer's notes against themselves and against `GetOrder`.
    fn check_notes(&mut self, evidence: &Evidence) {
        let mut owners: HashMap<&str, &Purchase> = HashMap::new();
        for (account_id, notes) in &evidence.buyers {
            let mut owned = 0;
            for purchase in notes {
                self.unsettled += i64::from(purchase.is_open || purchase.cancel == Cancel::Open);
                let order_ids: BTreeSet<&str> = purchase.placed.iter().map(|placed| placed.order_id.as_str()).collect();
                if order_ids.len() > 1 {
                    let extra = order_ids.len() as i64 - 1;
                    self.double(extra, || format!("request {} made orders {order_ids:?}", purchase.request_id));
                }
                if !order_ids.is_empty() && purchase.refused.iter().any(|refused| refused.is_promise) {
                    self.double(1, || format!("request {} was refused for good, and has an order", purchase.request_id));
                }
                for order_id in order_ids {
                    if owners.insert(order_id, purchase).is_some() {
                        self.double(1, || format!("order {order_id} was given to two requests"));
                    }
                    let Some(order) = evidence.orders.get(order_id) else {
                        self.lose(1, || format!("order {order_id} was answered, and is not known"));
                        continue;
                    };
                    if let Some(contradiction) = contradiction(evidence, account_id, purchase, order) {
                        self.lose(1, || format!("order {order_id}: {contradiction}"));
                    }
                    if matches!(order.state(), OrderState::Held | OrderState::Paid) {
                        owned += order.lines.iter().map(|line| line.quantity).sum::<i32>();
                    }
                }
            }
            if owned > LIMIT_PER_BUYER {
                self.double(1, || format!("buyer {account_id} has {owned} units, {LIMIT_PER_BUYER} are allowed"));
            }
        }
    }

    /// Each answered order has its own entry, and there are no others.
    fn check_entries(&mut self, evidence: &Evidence) {
        let by_seq: HashMap<i64, &LedgerRecord> = evidence.records.iter().map(|record| (record.seq, record)).collect();
        let mut claims: HashMap<(i64, i32), &str> = HashMap::new();
        let placed = evidence.buyers.iter().flat_map(|(_, notes)| notes).flat_map(|purchase| {
            purchase.placed.iter().map(move |placed| (purchase, placed))
        });
        for (purchase, placed) in placed {
            if let Some(fault) = entry_fault(evidence, by_seq.get(&placed.seq), purchase, placed) {
                self.lose(1, || format!("order {}: {fault}", placed.order_id));
            }
            let other = claims.insert((placed.seq, placed.index), &placed.order_id);
            if other.is_some_and(|other| other != placed.order_id) {
                self.lose(1, || format!("order {} has the entry of another order", placed.order_id));
            }
        }
        let kinds = evidence.records.iter().flat_map(|record| &record.entries).map(|entry| entry.kind());
        let kinds = super::wire::count(kinds.map(|kind| kind as i32));
        let entries = |kind: LedgerEntryKind| kinds.get(&(kind as i32)).map_or(0, |count| *count as i64);
        let states = super::wire::count(evidence.orders.values().map(|order| order.state));
        let orders = |state: OrderState| states.get(&(state as i32)).map_or(0, |count| *count as i64);
        let known = evidence.orders.len() as i64;
        let strangers = entries(LedgerEntryKind::Held) - known;
        if strangers > 0 {
            self.double(strangers, || format!("{strangers} holds in the ledger belong to no answer"));
        } else if strangers < 0 {
            self.lose(-strangers, || format!("the ledger holds {} orders fewer than were answered", -strangers));
        }
        let ended = orders(OrderState::Cancelled) + orders(OrderState::Expired);
        for (kind, count) in [(LedgerEntryKind::Sold, orders(OrderState::Paid)), (LedgerEntryKind::Released, ended)] {
            let difference = (entries(kind) - count).abs();
            if difference > 0 {
                self.lose(difference, || format!("{} {kind:?} entries, and {count} such orders", entries(kind)));
            }
        }
    }

    /// The ledger's final counts against the orders and against `GetDrop`.
    fn check_units(&mut self, evidence: &Evidence, counts: &BTreeMap<String, Units>) {
        let mut by_orders: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for order in evidence.orders.values() {
            for line in &order.lines {
                let (held, sold) = by_orders.entry(&line.item_id).or_default();
                match order.state() {
                    OrderState::Held => *held += i64::from(line.quantity),
                    OrderState::Paid => *sold += i64::from(line.quantity),
                    OrderState::Cancelled | OrderState::Expired => {}
                    state @ (OrderState::Unspecified
                    | OrderState::PaymentPending
                    | OrderState::ActionRequired
                    | OrderState::PaymentUnknown
                    | OrderState::RefundPending
                    | OrderState::Refunded) => {
                        self.lose(1, || format!("order {} is {state:?}", order.order_id));
                    }
                }
            }
        }
        for item in &evidence.items {
            let units = counts.get(&item.item_id).copied().unwrap_or_default();
            let (held, sold) = by_orders.get(item.item_id.as_str()).copied().unwrap_or_default();
            let missing = (units.held - held).abs() + (units.sold - sold).abs();
            let unaccounted = (units.available + units.held + units.sold - item.stock).abs();
            if missing + unaccounted > 0 {
                let of = &item.item_id;
                self.lose(missing + unaccounted, || {
                    format!("item {of}: ledger {units:?} of {}, orders hold {held} and bought {sold}", item.stock)
                });
            }
            let shown = evidence.drop.items.iter().find(|shown| shown.item_id == item.item_id);
            let shown = shown.and_then(|shown| shown.stock).unwrap_or_default();
            if (Units { available: shown.available, held: shown.held, sold: shown.sold }) != units {
                self.lose(1, || format!("item {}: GetDrop says {shown:?}, the ledger {units:?}", item.item_id));
            }
        }
    }
}

/// What `GetOrder` says against what the buyer asked for and was told.
fn contradiction(evidence: &Evidence, account_id: &str, purchase: &Purchase, order: &Order) -> Option<String> {
    let wanted: Vec<(&str, i32, i64)> = purchase
        .lines
        .iter()
        .filter_map(|(item, quantity)| evidence.items.get(*item).map(|item| (item, *quantity)))
        .map(|(item, quantity)| (item.item_id.as_str(), quantity, item.price_minor))
        .collect();
    let price = |line: &livedrop_proto::v1::OrderLine| line.unit_price.as_ref().map_or(-1, |price| price.amount_minor);
    let got: Vec<_> = order.lines.iter().map(|line| (line.item_id.as_str(), line.quantity, price(line))).collect();
    if wanted != got || order.buyer_id != account_id {
        return Some("not what was ordered".to_owned());
    }
    let total: i64 = wanted.iter().map(|(_, quantity, price)| i64::from(*quantity) * price).sum();
    if order.total.as_ref().map(|total| total.amount_minor) != Some(total) {
        return Some(format!("costs {:?}, not {total}", order.total));
    }
    let updated_at = order.updated_at.as_ref().map(|time| (time.seconds, time.nanos));
    let is_early = updated_at < order.hold_expires_at.as_ref().map(|time| (time.seconds, time.nanos));
    let told: BTreeSet<&str> = purchase.placed.iter().map(|placed| placed.state.as_str_name()).collect();
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
    (!is_right).then(|| format!("is {:?}; the buyer was told {told:?}, cancelled: {cancel:?}", order.state()))
}

/// What is wrong with the entry that an answer names.
fn entry_fault(
    evidence: &Evidence,
    record: Option<&&LedgerRecord>,
    purchase: &Purchase,
    placed: &Placed,
) -> Option<&'static str> {
    let Some(record) = record else { return Some("its record is not in the ledger") };
    if record.hash != placed.record_hash {
        return Some("its record has another hash now");
    }
    let index = usize::try_from(placed.index).unwrap_or(usize::MAX);
    let Some(entry) = record.entries.get(index) else { return Some("its entry is not in the record") };
    let (kind, from_available) = match placed.state {
        OrderState::Paid => (LedgerEntryKind::Sold, false),
        OrderState::Held | OrderState::Cancelled | OrderState::Expired => (LedgerEntryKind::Held, true),
        OrderState::Unspecified
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::RefundPending
        | OrderState::Refunded => return Some("it was answered in a state that is never answered here"),
    };
    let moved: BTreeMap<&str, i64> = entry.moves.iter().map(|change| {
        let units = if from_available { -change.available_delta } else { -change.held_delta };
        (change.item_id.as_str(), units)
    }).collect();
    let lines = purchase.lines.iter().filter_map(|(item, quantity)| {
        evidence.items.get(*item).map(|item| (item.item_id.as_str(), i64::from(*quantity)))
    });
    if entry.kind() != kind || moved != lines.collect::<BTreeMap<_, _>>() {
        return Some("its entry is another one's");
    }
    None
}

#[cfg(test)]
mod tests;
