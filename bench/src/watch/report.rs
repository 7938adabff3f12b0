//! What the watchers saw, in figures.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use livedrop::v1::{self, DropChangeKind};

use super::Seen;

/// How late frames came, in microseconds.
#[derive(Debug)]
pub(super) struct Report {
    watchers: usize,
    records: usize,
    /// `WENT_LIVE` after `opens_at`.
    opening: Histogram<u64>,
    /// Other changes after their records.
    changes: Histogram<u64>,
    /// The stock after its record.
    stocks: Histogram<u64>,
    /// Watchers who did not see everything, in order.
    wrong: usize,
}

impl Report {
    /// Compares what was seen with the ledger and with how the drop ended.
    pub(super) fn new(
        opens_at: i64,
        recorded: &BTreeMap<i64, i64>,
        seen: &[Vec<Seen>],
        over: &v1::Drop,
    ) -> anyhow::Result<Self> {
        let mut report = Self {
            watchers: seen.len(),
            records: recorded.len(),
            opening: Histogram::new(3)?,
            changes: Histogram::new(3)?,
            stocks: Histogram::new(3)?,
            wrong: 0,
        };
        for frames in seen {
            report.add(opens_at, recorded, frames);
            report.wrong += usize::from(!is_whole(frames, over));
        }
        Ok(report)
    }

    fn add(&mut self, opens_at: i64, recorded: &BTreeMap<i64, i64>, frames: &[Seen]) {
        for frame in frames {
            let since = match frame.kind {
                Some(DropChangeKind::WentLive) => Some(&opens_at),
                Some(_) | None => recorded.get(&frame.seq),
            };
            let Some(since) = since else { continue };
            let late = (frame.at_micros - since).max(1).unsigned_abs();
            let of = match frame.kind {
                Some(DropChangeKind::WentLive) => &mut self.opening,
                Some(_) => &mut self.changes,
                None => &mut self.stocks,
            };
            of.saturating_record(late);
        }
    }

    pub(super) const fn is_good(&self) -> bool {
        self.wrong == 0
    }

    pub(super) fn print(&self) {
        println!(
            "{} watchers, {} records; from the record (its fsync included) to the frame, in ms:",
            self.watchers, self.records
        );
        println!(
            "{:<34}{:>9}{:>8}{:>8}{:>8}",
            "", "frames", "p50", "p99", "max"
        );
        for (name, of) in [
            ("WENT_LIVE, after opens_at", &self.opening),
            ("other changes", &self.changes),
            ("stock, at most every 50 ms", &self.stocks),
        ] {
            let ms = |micros: u64| micros as f64 / 1_000.0;
            println!(
                "{name:<34}{:>9}{:>8.1}{:>8.1}{:>8.1}",
                of.len(),
                ms(of.value_at_quantile(0.5)),
                ms(of.value_at_quantile(0.99)),
                ms(of.max())
            );
        }
        match self.wrong {
            0 => println!("every watcher saw every change, in the ledger's order, and the end"),
            wrong => println!("WRONG: {wrong} watchers missed something"),
        }
    }
}

/// Whether a watcher saw the drop's whole life in the ledger's order, and its last stock.
fn is_whole(frames: &[Seen], over: &v1::Drop) -> bool {
    let kinds: Vec<_> = frames.iter().filter_map(|it| it.kind).collect();
    let expected = [
        DropChangeKind::WentLive,
        DropChangeKind::SoldOut,
        DropChangeKind::Ended,
    ];
    let is_sorted = frames.iter().map(|it| it.seq).is_sorted();
    is_sorted && kinds == expected && frames.last().is_some_and(|it| it.seq >= over.seq)
}
