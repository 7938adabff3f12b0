//! Records of a ledger for people.

use std::fmt::Write as _;

use super::ledger_entry::{kind, line};
use crate::{
    ledger::{Entry, codec, record},
    store::LedgerRecord,
};

const HEAD: [&str; 7] = [
    "seq",
    "time",
    "available",
    "held",
    "sold",
    "hash",
    "entries",
];

/// A record as a line of the table, and its entries as lines below it.
#[derive(Debug)]
pub(super) struct Row {
    cells: [String; 7],
    entries: Vec<String>,
}

impl Row {
    /// Reads a record without checking it; what can't be read says why.
    pub(super) fn of(record: &LedgerRecord, with_entries: bool) -> Self {
        let (summary, entries) = match read(record) {
            Ok(entries) if with_entries => (summary(&entries), entries.iter().map(line).collect()),
            Ok(entries) => (summary(&entries), Vec::new()),
            Err(why) => (format!("unreadable: {why}"), Vec::new()),
        };
        let cells = [
            record.seq.to_string(),
            record.recorded_at.to_string(),
            record.available.to_string(),
            record.held.to_string(),
            record.sold.to_string(),
            hash_prefix(&record.hash),
            summary,
        ];
        Self { cells, entries }
    }
}

/// Enough of a hash to tell two apart.
pub(super) fn hash_prefix(hash: &[u8; 32]) -> String {
    hash.iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn read(record: &LedgerRecord) -> Result<Vec<Entry>, String> {
    let body = record::read_body(record).map_err(|error| error.to_string())?;
    body.encoded
        .iter()
        .map(|entry| codec::decode(entry).map_err(|error| error.to_string()))
        .collect()
}

/// As in `Held 12, Released 1`, in the order of first appearance.
fn summary(entries: &[Entry]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for entry in entries {
        let kind = kind(&entry.event);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The table: numbers to the right, texts to the left.
pub(super) fn render(rows: &[Row]) -> String {
    let head = HEAD.map(ToOwned::to_owned);
    let all = || std::iter::once(&head).chain(rows.iter().map(|row| &row.cells));
    let mut widths = [0; HEAD.len()];
    for cells in all() {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = padded(&head, &widths);
    for row in rows {
        text.push_str(&padded(&row.cells, &widths));
        for entry in &row.entries {
            let _ = writeln!(text, "    {entry}");
        }
    }
    text
}

fn padded(cells: &[String; HEAD.len()], widths: &[usize; HEAD.len()]) -> String {
    let mut line = String::new();
    for ((cell, width), name) in cells.iter().zip(widths).zip(HEAD) {
        let _ = match name {
            "time" | "hash" | "entries" => write!(line, "{cell:<width$}  "),
            _ => write!(line, "{cell:>width$}  "),
        };
    }
    format!("{}\n", line.trim_end())
}
