//! What was seen, as numbers and a verdict.

use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use livedrop::v1::{DropChangeKind, DropStock};

use super::{
    sale::Sold,
    watcher::{Late, Seen},
};

/// Whoever sees the opening later is behind the others by more than people notice.
const GOAL: Duration = Duration::from_millis(50);

/// A line of the table: its name, and what of each watcher it tells.
type Row = (&'static str, fn(&Seen) -> Duration);

/// A run.
pub(super) struct Report {
    pub(super) connections: u16,
    pub(super) buyers: u16,
    pub(super) sold: Sold,
    pub(super) seen: Vec<Seen>,
    pub(super) server_cpu: Duration,
    pub(super) own_cpu: Duration,
}

impl Report {
    /// Prints everything; whether all watchers have seen all.
    pub(super) fn print(&self) -> anyhow::Result<bool> {
        let (count, sold) = (self.seen.len(), &self.sold);
        let bought = match self.buyers {
            0 => "nobody buys".to_owned(),
            buyers => format!(
                "{buyers} buyers: {} orders in {:.2?}",
                sold.orders, sold.within
            ),
        };
        println!(
            "{count} watchers on {} connections; {bought}",
            self.connections
        );
        let cores = std::thread::available_parallelism()?;
        println!(
            "CPU of the server {:.1?}, of watchers and buyers {:.1?}; all on {cores} cores",
            self.server_cpu, self.own_cpu
        );
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY);
        table.set_header(["ms late", "p50", "p99", "last of all"]);
        let rows: [Row; 4] = [
            ("the opening, frame made", |seen| seen.opening.made),
            ("the opening, frame read", |seen| seen.opening.read),
            ("the end, frame made", |seen| seen.end.made),
            ("the end, frame read", |seen| seen.end.read),
        ];
        for (name, what) in rows {
            let mut late: Vec<_> = self.seen.iter().map(what).collect();
            late.sort_unstable();
            let at = |part: f64| late.get(((count - 1) as f64 * part) as usize);
            let ms = |part| at(part).map(|late| format!("{:.1}", late.as_secs_f64() * 1e3));
            let figures = [0.5, 0.99, 1.0].map(|part| ms(part).unwrap_or_default());
            table.add_row(std::iter::once(name.to_owned()).chain(figures));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        let in_time = |late: &Late| late.read <= GOAL;
        let in_time = self.seen.iter().filter(|seen| in_time(&seen.opening));
        println!(
            "the opening was seen within {GOAL:?} by {} of {count}",
            in_time.count()
        );

        let first = self.seen.first().context("nobody watched")?;
        let ordered = self.seen.iter().filter(|seen| seen.places.is_sorted());
        let ordered = ordered.filter(|seen| seen.changes == first.changes).count();
        let ended = self.seen.iter().filter(|seen| self.is_end(&seen.last));
        let ended = ended.count();
        let stocks: u64 = self.seen.iter().map(|seen| seen.stocks).sum();
        let kinds: Vec<_> = first.changes.iter().map(|(_, kind)| *kind).collect();
        let names: Vec<_> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
        println!(
            "{ended} of {count} saw the end as it is; {ordered} saw all changes in the ledger's order: {}; and the stock {} times each",
            names.join(", "),
            stocks / count as u64
        );
        let is_whole = kinds == self.expected();
        if !is_whole {
            println!("WRONG: these are not the changes that there were");
        }
        Ok(is_whole && ended == count && ordered == count)
    }

    fn expected(&self) -> Vec<DropChangeKind> {
        use DropChangeKind::{Ended, LowStock, SoldOut, WentLive};
        if self.sold.orders == 0 {
            return vec![WentLive, Ended];
        }
        vec![WentLive, LowStock, SoldOut, Ended]
    }

    /// Whether this is the stock that the drop has in the end.
    fn is_end(&self, told: &DropStock) -> bool {
        let drop = &self.sold.drop;
        let told = told.items.iter().map(|item| (&item.item_id, item.stock));
        let is = drop.items.iter().map(|item| (&item.item_id, item.stock));
        told.eq(is)
    }
}
