//! The numbers, as a table.

use std::{collections::BTreeSet, time::Duration};

use comfy_table::{CellAlignment, Table, presets};
use livedrop::v1::OrderState;

use super::{
    evidence::in_state,
    notes::{Cancel, Purchase},
    options::Options,
    shop::Shop,
    verdict::{Evidence, Verdict},
    wire::count,
};

/// The span that the rate of durable holds is taken over, unless the rush was shorter.
const BUSIEST: Duration = Duration::from_secs(10);

/// What was measured from outside.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// From the opening until the last buyer was through.
    pub(crate) rush: Duration,
    /// CPU time of the server meanwhile; none if it runs elsewhere.
    pub(crate) server_cpu: Option<Duration>,
    /// CPU time of this process meanwhile.
    pub(crate) own_cpu: Duration,
    /// Orders answered when the server was killed, each time.
    pub(crate) kills: Vec<u64>,
}

/// Prints table and verdict.
pub(crate) fn print(
    options: &Options,
    shop: &Shop,
    measured: &Measured,
    evidence: &Evidence,
    verdict: &Verdict,
) {
    let purchases: Vec<&Purchase> = evidence
        .buyers
        .iter()
        .flat_map(|(_, notes)| notes)
        .collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row(
        "buyers",
        format!(
            "{} over {} connections",
            options.buyers, options.connections
        ),
    );
    row(
        "units for sale",
        format!("{} of {} items", options.stock, options.items),
    );
    row("orders", evidence.orders.len().to_string());
    let states = [
        ("  held", OrderState::Held),
        ("  sold", OrderState::Paid),
        ("  cancelled", OrderState::Cancelled),
        ("  expired", OrderState::Expired),
    ];
    for (name, state) in states {
        row(name, in_state(evidence, state).to_string());
    }
    let reasons = purchases
        .iter()
        .flat_map(|purchase| &purchase.refused)
        .map(|refused| refused.reason.as_str());
    for (reason, times) in count(reasons) {
        row(&format!("refused {reason}"), times.to_string());
    }
    let settled = |purchase: &&&Purchase| purchase.was_open && !purchase.is_open;
    row(
        "tries given up, settled later",
        purchases.iter().filter(settled).count().to_string(),
    );
    row(
        "retries",
        shop.tally
            .retries
            .load(std::sync::atomic::Ordering::Relaxed)
            .to_string(),
    );
    if !measured.kills.is_empty() {
        let at: Vec<_> = measured.kills.iter().map(ToString::to_string).collect();
        row("server killed after so many orders", at.join(", "));
    }
    let mut seen = BTreeSet::new();
    let mut holds: Vec<Duration> = purchases
        .iter()
        .filter_map(|purchase| purchase.order())
        .filter(|placed| seen.insert(&placed.order_id))
        .map(|placed| placed.at)
        .collect();
    holds.sort_unstable();
    row("rush took", format!("{:.2} s", measured.rush.as_secs_f64()));
    row("durable holds/s", format!("{:.0}", rate(&holds)));
    if let Some(latency) = shop.tally.latency() {
        row("PlaceOrder answered", latency.len().to_string());
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            let micros = latency.value_at_quantile(quantile);
            row(
                &format!("PlaceOrder {name}"),
                format!(
                    "{:.1} ms",
                    Duration::from_micros(micros).as_secs_f64() * 1e3
                ),
            );
        }
        let per = |cpu: Duration, count: u64| {
            format!("{:.0} µs", cpu.as_secs_f64() * 1e6 / count.max(1) as f64)
        };
        if let Some(cpu) = measured.server_cpu {
            row("server CPU per durable hold", per(cpu, holds.len() as u64));
            row("server CPU per PlaceOrder", per(cpu, latency.len()));
        }
        row(
            "load generator CPU per PlaceOrder",
            per(measured.own_cpu, latency.len()),
        );
    }
    let cancels = purchases
        .iter()
        .filter(|purchase| purchase.cancel == Cancel::Refused)
        .count();
    if cancels > 0 {
        row("CancelOrder refused", cancels.to_string());
    }
    row("ledger records", evidence.records.len().to_string());
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    for finding in &verdict.findings {
        println!("  {finding}");
    }
    if verdict.unsettled > 0 {
        println!("  {} requests have no answer", verdict.unsettled);
    }
    println!(
        "verdict: oversold {}, doubled {}, lost {}",
        verdict.oversold, verdict.doubled, verdict.lost
    );
}

/// Holds per second over the busiest ten seconds, or from the opening to the last hold if that is shorter. `holds` ascend.
fn rate(holds: &[Duration]) -> f64 {
    let Some(last) = holds.last() else { return 0.0 };
    if *last <= BUSIEST {
        // The clock of a remote server may be ahead.
        return holds.len() as f64 / last.as_secs_f64().max(1e-3);
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
        assert_eq!(rate(&[]), 0.0);
        assert_eq!(rate(&[at(500), at(1000), at(2000)]), 1.5);
        let slow = (0..20).map(|second| at(second * 1000));
        let fast = (0..1000).map(|tick| at(60_000 + tick * 10));
        let holds: Vec<_> = slow.chain(fast).collect();
        assert_eq!(rate(&holds), 100.0);
    }
}
