//! The numbers, as tables.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::{
    Contender, Options,
    turn::{EngineTurn, Turn},
};

/// What was measured, turn by turn.
#[derive(Debug)]
pub(super) struct Report {
    machine: Vec<String>,
    turns: Vec<(Contender, Turn)>,
}

/// The median of several turns, and how far they were apart.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
        Self {
            median: at(values.len() / 2),
            least: at(0),
            most: at(values.len().saturating_sub(1)),
        }
    }
}

impl Report {
    pub(super) fn new(machine: Vec<String>) -> Self {
        let turns = Vec::new();
        Self { machine, turns }
    }

    pub(super) fn add(&mut self, contender: Contender, turn: Turn) {
        self.turns.push((contender, turn));
    }

    fn of(&self, contender: Contender) -> impl Iterator<Item = &Turn> {
        let is_it = move |(it, _): &&(Contender, Turn)| *it == contender;
        self.turns.iter().filter(is_it).map(|(_, turn)| turn)
    }

    fn rate(&self, contender: Contender) -> Spread {
        Spread::of(self.of(contender).map(Turn::rate))
    }

    /// Prints everything.
    pub(super) fn print(&self, options: &Options) {
        self.machine.iter().for_each(|line| println!("{line}"));
        let (rounds, seconds) = (options.rounds, options.seconds);
        println!(
            "{rounds} turns of {seconds} s each, in turns; medians, and the range of all turns"
        );
        let mut orders = table([
            "orders",
            "a second",
            "range",
            "p50",
            "p99",
            "lost races",
            "unknown",
        ]);
        let mut engine = table([
            "engine",
            "appends/s",
            "bytes/hold",
            "body KiB",
            "store waited for",
            "own CPU/hold",
            "projected after",
        ]);
        for contender in Contender::of(options.store) {
            self.orders(*contender, options, &mut orders);
            self.engine(*contender, options, &mut engine);
        }
        println!("{orders}\n{engine}");
        println!("orders in a record, all buyers:\n{}", self.groups());
        for against in Contender::of(options.store) {
            if *against != Contender::AllBuyers {
                let ratio = self.rate(Contender::AllBuyers).median / self.rate(*against).median;
                println!("{ratio:.1} times {}", against.name(options));
            }
        }
    }

    fn orders(&self, contender: Contender, options: &Options, table: &mut Table) {
        let rate = self.rate(contender);
        let mut micros: Vec<u64> = self
            .of(contender)
            .flat_map(|turn| turn.orders.micros.iter().copied())
            .collect();
        micros.sort_unstable();
        let at = |share: usize| {
            let index = (micros.len() * share / 100).min(micros.len().saturating_sub(1));
            Duration::from_micros(micros.get(index).copied().unwrap_or(0))
        };
        let sum = |of: fn(&Turn) -> u64| self.of(contender).map(of).sum::<u64>().to_string();
        table.add_row([
            contender.name(options),
            format!("{:.0}", rate.median),
            format!("{:.0} to {:.0}", rate.least, rate.most),
            format!("{:.1?}", at(50)),
            format!("{:.1?}", at(99)),
            sum(|turn| turn.orders.lost_races),
            sum(|turn| turn.orders.unknown),
        ]);
    }

    fn engine(&self, contender: Contender, options: &Options, table: &mut Table) {
        let median = |of: fn(&Turn, &EngineTurn) -> f64| {
            let turns = self.of(contender);
            let values = turns.filter_map(|turn| Some(of(turn, turn.engine.as_ref()?)));
            Spread::of(values).median
        };
        if self.of(contender).any(|turn| turn.engine.is_some()) {
            table.add_row([
                contender.name(options),
                format!(
                    "{:.0}",
                    median(|turn, it| it.log.groups.len() as f64 / turn.span.as_secs_f64())
                ),
                format!(
                    "{:.0}",
                    median(|_, it| it.log.body_bytes as f64 / it.log.holds() as f64)
                ),
                format!(
                    "{:.1}",
                    median(|_, it| it.log.body_bytes as f64 / it.log.groups.len() as f64 / 1024.0)
                ),
                format!("{:.0} %", median(|_, it| it.waited) * 100.0),
                format!(
                    "{:.1} µs",
                    median(|turn, it| it.cpu.as_secs_f64() * 1e6 / turn.orders.micros.len() as f64)
                ),
                format!("{:.1} s", median(|_, it| it.projected_after.as_secs_f64())),
            ]);
        }
    }

    /// How many records had how many orders, by powers of two.
    fn groups(&self) -> Table {
        let mut table = table(["orders", "records", "share of orders"]);
        let all = self.of(Contender::AllBuyers);
        let all = all.filter_map(|turn| turn.engine.as_ref());
        let groups = all.flat_map(|it| it.log.groups.iter().copied());
        // Records and their orders, by how many bits the number of orders has.
        let mut by_size = std::collections::BTreeMap::<u32, (u64, u64)>::new();
        for orders in groups {
            let size = by_size.entry(u64::BITS - orders.leading_zeros());
            let (records, sum) = size.or_default();
            (*records, *sum) = (*records + 1, *sum + orders);
        }
        let all: u64 = by_size.values().map(|(_, orders)| orders).sum();
        for (bits, (records, orders)) in by_size {
            let range = match bits {
                0 | 1 => bits.to_string(),
                _ => format!("{} to {}", 1_u64 << (bits - 1), (1_u64 << bits) - 1),
            };
            let share = orders as f64 / all as f64 * 100.0;
            table.add_row([range, records.to_string(), format!("{share:.1} %")]);
        }
        table
    }
}

impl Contender {
    fn name(self, options: &Options) -> String {
        match self {
            Self::OneWriter => "one LWT per order, one writer".to_owned(),
            Self::ManyWriters => format!("one LWT per order, {} writers", options.writers),
            Self::OneBuyer => "engine, one buyer".to_owned(),
            Self::AllBuyers => format!("engine, {} buyers", options.buyers),
        }
    }
}

/// An empty table; all columns but the first are numbers.
fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{log::Log, turn::Orders};

    #[test]
    fn the_middle_turn_counts() {
        let spread = Spread::of([30.0, 10.0, 20.0].into_iter());
        assert_eq!(
            (spread.median, spread.least, spread.most),
            (20.0, 10.0, 30.0)
        );
        assert_eq!(Spread::of(std::iter::empty()).median, 0.0);
    }

    #[test]
    fn records_are_counted_by_their_orders() {
        let mut report = Report::new(Vec::new());
        let log = Log {
            groups: vec![0, 1, 2, 3, 10],
            ..Log::default()
        };
        let engine = EngineTurn {
            log,
            waited: 0.0,
            cpu: Duration::ZERO,
            projected_after: Duration::ZERO,
        };
        let turn = Turn {
            span: Duration::from_secs(1),
            orders: Orders::default(),
            engine: Some(engine),
        };
        report.add(Contender::AllBuyers, turn);
        let table = report.groups();
        let rows: Vec<Vec<String>> = table
            .row_iter()
            .map(|row| row.cell_iter().map(|cell| cell.content()).collect())
            .collect();
        let expected = [
            ["0", "1", "0.0 %"],
            ["1", "1", "6.2 %"],
            ["2 to 3", "2", "31.2 %"],
            ["8 to 15", "1", "62.5 %"],
        ];
        assert_eq!(rows, expected);
    }
}
