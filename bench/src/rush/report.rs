//! The numbers, as a table in sections.

mod faults;
mod payments;
mod statements;

use std::{fmt::Display, sync::atomic::Ordering::Relaxed, time::Duration};

use comfy_table::{CellAlignment, Table, presets};
use livedrop::v1::OrderState;

use super::{
    evidence::in_state,
    fault::{Fault, Outage},
    meters::Meters,
    notes::{Cancel, Purchase},
    options::Options,
    shop::Shop,
    statements::Asked,
    verdict::{Evidence, Verdict},
    wire::count,
};

/// The span that the rate of durable holds is taken over, unless the selling window was shorter.
const BUSIEST: Duration = Duration::from_secs(10);

/// Once nobody called any more, until all was settled, in the row of that name.
const SETTLED_NOTE: &str = "after the last call, with no client's help";

/// What was measured from outside.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// The selling window: from the opening until the last buyer was through.
    pub(crate) window: Duration,
    /// From then until nothing was open any more.
    pub(crate) settled_in: Duration,
    /// CPU time of the server meanwhile; none if it runs elsewhere.
    pub(crate) server_cpu: Option<Duration>,
    /// CPU time of this process meanwhile.
    pub(crate) own_cpu: Duration,
    /// Each time that the server was killed.
    pub(crate) kills: Vec<Kill>,
    /// What was broken half-way.
    pub(crate) fault: Option<Fault>,
    /// What that meant for sales.
    pub(crate) outage: Option<Outage>,
    /// What a plain rush asked of the database.
    pub(crate) asked: Option<Asked>,
}

/// How far the rush was when the server was killed.
#[derive(Debug)]
pub(crate) struct Kill {
    /// Orders answered.
    pub(crate) orders: u64,
    /// Buyers not through.
    pub(crate) sending: u64,
}

/// All that the table is made of.
struct Report<'a> {
    options: &'a Options,
    shop: &'a Shop,
    measured: &'a Measured,
    /// Of the drop of the rush.
    evidence: &'a Evidence,
    /// Of all drops.
    all: &'a [Evidence],
    purchases: Vec<&'a Purchase>,
    table: Table,
}

/// Prints table and verdict. The first shop and evidence are those of the rush's drop.
pub(crate) fn print(
    options: &Options,
    shops: &[&Shop],
    measured: &Measured,
    meters: &Meters,
    all: &[Evidence],
    verdict: &Verdict,
) {
    let Some((shop, evidence)) = shops.first().zip(all.first()) else {
        return;
    };
    let notes = evidence.buyers.iter().flat_map(|(_, notes)| notes);
    let mut report = Report {
        options,
        shop,
        measured,
        evidence,
        all,
        purchases: notes.collect(),
        table: Table::new(),
    };
    report.table.load_style(presets::UTF8_BORDERS_ONLY);
    report.sales();
    report.refusals();
    if options.is_paid() {
        report.payments();
        report.cancelled_drop();
        report.left_drop();
        report.money(verdict);
    }
    report.kills();
    report.faults(meters);
    report.speed();
    report.verdict(verdict);
    if let Some(column) = report.table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{}", report.table);
    for finding in verdict.findings.iter().chain(&verdict.money.differences) {
        println!("  {finding}");
    }
    if verdict.unsettled > 0 {
        println!("  {} requests have no answer", verdict.unsettled);
    }
    if let Some(stalled) = &verdict.stalled {
        println!("  {stalled}");
    }
    let (oversold, doubled, lost) = (verdict.oversold, verdict.doubled, verdict.lost);
    let (money, rows) = (verdict.money.word(), verdict.rows_word());
    println!(
        "verdict: oversold {oversold}, doubled {doubled}, lost {lost}, money {money}, rows {rows}"
    );
    println!("{oversold}/{doubled}/{lost}/{money}/{rows}");
}

impl Report<'_> {
    fn section(&mut self, title: &str, note: &str) {
        if self.table.row_count() > 0 {
            self.table.add_row([""; 3]);
        }
        self.table.add_row([title, "", note]);
    }

    fn row(&mut self, name: impl Display, value: impl Display, note: impl Display) {
        let name = format!("  {name}");
        self.table
            .add_row([name, value.to_string(), note.to_string()]);
    }

    fn sales(&mut self) {
        let (options, evidence) = (self.options, self.evidence);
        self.section("Sales", "");
        let over = format!("over {} connections", options.connections);
        self.row("buyers", options.buyers, over);
        let items = format!("of {} items", options.items);
        self.row("units offered", options.stock, items);
        let taken = evidence.records.iter().map(|it| it.held + it.sold).max();
        self.row("units at the peak", taken.unwrap_or(0), "held or sold");
        let end = evidence.records.last();
        let (held, sold, available) = end.map_or((0, 0, options.stock), |record| {
            (record.held, record.sold, record.available)
        });
        let parts = format!("{sold} sold, {held} held; {available} available");
        self.row("units at the end", held + sold, parts);
        let lines = evidence.orders.values().flat_map(|order| &order.lines);
        let units: i64 = lines.map(|line| i64::from(line.quantity)).sum();
        let of = format!("of {units} units, also of those that came back");
        self.row("orders", evidence.orders.len(), of);
        self.states(evidence);
    }

    /// How many orders ended how.
    fn states(&mut self, evidence: &Evidence) {
        let sold = if self.options.is_paid() {
            "sold and paid"
        } else {
            "free, so sold at once"
        };
        let states = [
            (OrderState::Paid, "paid", sold),
            (OrderState::Held, "held", "priced, and not paid yet"),
            (OrderState::Cancelled, "cancelled", "on purpose"),
            (OrderState::Expired, "expired", "left unpaid, on purpose"),
            (OrderState::Refunded, "refunded", "the money is back"),
        ];
        for (state, name, note) in states {
            let orders = in_state(evidence, state);
            if orders > 0 {
                self.row(format!("  {name}"), orders, note);
            }
        }
    }

    fn refusals(&mut self) {
        self.section("Refusals", "");
        let refused = self.purchases.iter().flat_map(|it| &it.refused);
        let reasons = count(refused.map(|refused| refused.reason.clone()));
        if reasons.is_empty() {
            self.row("none", 0, "");
        }
        for (reason, times) in reasons {
            let note = meaning(&reason);
            self.row(reason, times, note);
        }
        let cancels = self.purchases.iter();
        let cancels = cancels.filter(|it| it.cancel == Cancel::Refused).count();
        if cancels > 0 {
            self.row("cancellations", cancels, "what is sold stays sold");
        }
        let retries = self.shop.tally.retries.load(Relaxed);
        self.row(
            "retries",
            retries,
            "with the same request id, after no answer",
        );
        let hung_up = self.purchases.iter();
        let hung_up = hung_up.filter(|it| it.was_open && !it.is_open).count();
        if hung_up > 0 {
            let note = "did not wait, on purpose; a repeat told the outcome";
            self.row("hung up", hung_up, note);
        }
    }

    fn kills(&mut self) {
        let (measured, buyers) = (self.measured, self.options.buyers);
        if measured.kills.is_empty() {
            return;
        }
        self.section("Kills", "by SIGKILL");
        for (number, kill) in measured.kills.iter().enumerate() {
            let note = format!("orders answered, {} of {buyers} buyers at it", kill.sending);
            self.row(format!("kill {} after", number + 1), kill.orders, note);
        }
    }

    fn speed(&mut self) {
        let holds = self.evidence.sales_at();
        let (measured, plain) = (self.measured, self.options.plain);
        let seconds = |span: Duration| format!("{:.2} s", span.as_secs_f64());
        let note = "no measure: buyers pause on purpose, see --plain";
        self.section("Speed", if plain { "" } else { note });
        let note = "opening until the last buyer was through";
        self.row("selling window", seconds(measured.window), note);
        let over = if measured.window > BUSIEST {
            format!("over the busiest {} s of it", BUSIEST.as_secs())
        } else {
            "over all of it".to_owned()
        };
        let per_second = format!("{:.0}", rate(&holds, measured.window));
        self.row("durable holds/s", per_second, over);
        if !plain {
            let settled = seconds(measured.settled_in);
            self.row("time to settle", settled, SETTLED_NOTE);
        }
        let mut tries = 0;
        for (name, latency) in self.shop.tally.latencies() {
            if latency.is_empty() {
                continue;
            }
            tries += latency.len();
            self.row(name, latency.len(), "tries answered");
            for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
                let took = Duration::from_micros(latency.value_at_quantile(quantile));
                let took = format!("{:.1} ms", took.as_secs_f64() * 1e3);
                self.row(format!("  {name}"), took, "");
            }
        }
        if !plain {
            return;
        }
        let per = |cpu: Duration, count: u64| {
            format!("{:.0} µs", cpu.as_secs_f64() * 1e6 / count.max(1) as f64)
        };
        if let Some(cpu) = measured.server_cpu {
            let note = "CPU time per durable hold";
            self.row("server", per(cpu, holds.len() as u64), note);
        }
        let note = "CPU time per PlaceOrder";
        self.row("load generator", per(measured.own_cpu, tries), note);
        self.statements(holds.len());
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.section("Verdict", "");
        let records: usize = self.all.iter().map(|it| it.records.len()).sum();
        self.row("ledger records", records, "recounted from the first one");
        let note = "units held or sold beyond those there were";
        self.row("oversold", verdict.oversold, note);
        let note = "orders that nobody asked for";
        self.row("doubled", verdict.doubled, note);
        let note = "orders and units that are not where a buyer was told";
        self.row("lost", verdict.lost, note);
        let note = "captured minus refunded against the orders paid, per order";
        self.row("money", verdict.money.word(), note);
        let note = "of each order: the newest one, in both lists, read through them";
        self.row("order rows", verdict.rows_word(), note);
    }
}

/// What a reason of refusal means in a rush.
fn meaning(reason: &str) -> &'static str {
    match reason {
        "SOLD_OUT" => "too few units left",
        "BUYER_LIMIT_REACHED" => "wanted more than the limit, on purpose",
        "DROP_NOT_OPEN" => "came too early, on purpose",
        "TOO_MANY_HOLDS" => "has an open hold already",
        "REQUEST_ID_VOID" => "a twin or earlier try was refused before",
        _ => "",
    }
}

/// Holds per second over the busiest ten seconds of the selling window, or all of it if that is shorter. `holds` ascend.
fn rate(holds: &[Duration], window: Duration) -> f64 {
    if window <= BUSIEST {
        return holds.len() as f64 / window.as_secs_f64().max(1e-3);
    }
    let mut start = 0;
    let busiest = holds.iter().enumerate().map(|(end, at)| {
        while holds.get(start).is_some_and(|first| *first + BUSIEST < *at) {
            start += 1;
        }
        end + 1 - start
    });
    busiest.max().unwrap_or(0) as f64 / BUSIEST.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_busiest_ten_seconds() {
        let at = |millis: u64| Duration::from_millis(millis);
        assert_eq!(rate(&[], at(0)), 0.0);
        assert_eq!(rate(&[at(500), at(1000), at(1500)], at(2000)), 1.5);
        let slow = (0..20).map(|second| at(second * 1000));
        let fast = (0..1000).map(|tick| at(60_000 + tick * 10));
        let holds: Vec<_> = slow.chain(fast).collect();
        assert_eq!(rate(&holds, at(80_000)), 100.0);
    }
}
