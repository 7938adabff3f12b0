//! What an order costs the database and, with all its rows, the server.

use super::Report;

/// Tables with less than one statement in a thousand orders are left out.
const LEAST: f64 = 0.001;

impl Report<'_> {
    /// Statements of a plain rush on CQL.
    pub(super) fn statements(&mut self, holds: usize) {
        let measured = self.measured;
        let Some(asked) = &measured.asked else {
            return;
        };
        let per_hold = |count: u64| count as f64 / holds.max(1) as f64;
        self.section(
            "Statements per durable hold",
            "until all order rows are written",
        );
        let mut tables: Vec<_> = asked.by_table.iter().collect();
        tables.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let all: u64 = asked.by_table.values().sum();
        self.row("all", format!("{:.3}", per_hold(all)), "");
        for (table, count) in tables {
            if per_hold(*count) >= LEAST {
                self.row(format!("  {table}"), format!("{:.3}", per_hold(*count)), "");
            }
        }
        let after = format!("{:.2} s", asked.rows_after.as_secs_f64());
        self.row("rows written after", after, "the last buyer's answer");
        let micros = asked.server_cpu.as_secs_f64() * 1e6 / holds.max(1) as f64;
        let note = "CPU time per durable hold, with these rows";
        self.row("server", format!("{micros:.0} µs"), note);
    }
}
