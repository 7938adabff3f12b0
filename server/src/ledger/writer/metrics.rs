//! What the writers tell operators. Handles are resolved once: looking one up costs more than counting.

use std::{fmt, time::Duration};

use metrics::{Counter, Histogram, counter, histogram};

use crate::ledger::command::{Command, Outcome, Refusal};

#[derive(Clone)]
pub(super) struct WriterMetrics {
    append_seconds: Histogram,
    group_commands: Histogram,
    group_entries: Histogram,
    pub(super) queue_depth: Histogram,
    pub(super) conflicts: Counter,
    pub(super) unknown: Counter,
    placed: Counter,
    sold_out: Counter,
}

impl fmt::Debug for WriterMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriterMetrics")
    }
}

const OUTCOMES: &str = "livedrop_orders_total";

impl WriterMetrics {
    pub(super) fn new() -> Self {
        Self {
            append_seconds: histogram!("livedrop_ledger_append_seconds"),
            group_commands: histogram!("livedrop_ledger_group_commands"),
            group_entries: histogram!("livedrop_ledger_group_entries"),
            queue_depth: histogram!("livedrop_ledger_queue_commands"),
            conflicts: counter!("livedrop_ledger_conflicts_total"),
            unknown: counter!("livedrop_ledger_unknown_outcomes_total"),
            placed: counter!(OUTCOMES, "outcome" => "placed"),
            sold_out: counter!(OUTCOMES, "outcome" => "SOLD_OUT"),
        }
    }

    pub(super) fn appended(&self, took: Duration, commands: usize, entries: usize) {
        self.append_seconds.record(took.as_secs_f64());
        self.group_commands.record(commands as f64);
        self.group_entries.record(entries as f64);
    }

    /// Counts what came of a `PlaceOrder`.
    pub(super) fn count(&self, command: &Command, outcome: &Outcome) {
        if !matches!(command, Command::PlaceOrder { .. }) {
            return;
        }
        match outcome {
            Outcome::Order(_) | Outcome::Attempt(..) | Outcome::Drop => self.placed.increment(1),
            Outcome::Refused(Refusal::SoldOut { .. }) => self.sold_out.increment(1),
            Outcome::Refused(refusal) => {
                counter!(OUTCOMES, "outcome" => refusal.name()).increment(1)
            }
        }
    }
}
