//! What the servers ask of the database for the orders of a rush, by table.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use super::{fleet::Fleet, http::Http};

/// As servers name it.
const COUNTER: &str = "livedrop_store_statements_total{table=\"";
/// Tables of order rows and lists: they follow the ledgers.
const ROWS: &str = "orders";
/// No row was written for so long: none will be. Projectors gather for a tenth of it.
const QUIET: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Statements by table.
type Counts = BTreeMap<String, u64>;

/// Statements, counted from a moment on.
#[derive(Debug)]
pub(crate) struct Statements {
    http: Http,
    urls: Vec<String>,
    before: Counts,
}

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Statements by table.
    pub(crate) by_table: Counts,
    /// Until all order rows were written, from the last buyer's answer.
    pub(crate) rows_after: Duration,
    /// CPU time of the servers, from the opening until then.
    pub(crate) server_cpu: Duration,
}

impl Statements {
    /// Counts from now on what the servers with these metrics ask.
    pub(crate) async fn begin(urls: Vec<String>) -> anyhow::Result<Self> {
        let mut statements = Self {
            http: Http::new(),
            urls,
            before: Counts::new(),
        };
        statements.before = statements.read().await?;
        Ok(statements)
    }

    /// Waits until all order rows are written.
    pub(crate) async fn until_quiet(self, fleet: &Fleet) -> anyhow::Result<Asked> {
        let begun = Instant::now();
        let mut rows_after = Duration::ZERO;
        let mut last = self.read().await?;
        while begun.elapsed() < rows_after + QUIET {
            sleep(LOOK_EVERY).await;
            let now = self.read().await?;
            if rows(&now) != rows(&last) {
                rows_after = begun.elapsed();
            }
            last = now;
        }
        for (table, count) in &mut last {
            *count -= self.before.get(table).copied().unwrap_or(0);
        }
        Ok(Asked {
            by_table: last,
            rows_after,
            server_cpu: fleet.cpu(),
        })
    }

    async fn read(&self) -> anyhow::Result<Counts> {
        let mut counts = Counts::new();
        for url in &self.urls {
            let (_, text) = self.http.get(url.parse()?).await.context("no metrics")?;
            count(&text, &mut counts);
        }
        Ok(counts)
    }
}

/// Adds the counters in the text format of Prometheus.
fn count(text: &str, counts: &mut Counts) {
    for line in text.lines() {
        let found = line.strip_prefix(COUNTER);
        if let Some((table, value)) = found.and_then(|rest| rest.split_once("\"} "))
            && let Ok(value) = value.parse::<u64>()
        {
            *counts.entry(table.to_owned()).or_default() += value;
        }
    }
}

/// Rows of orders that were written or read.
fn rows(counts: &Counts) -> u64 {
    let of_orders = counts.iter().filter(|(table, _)| table.starts_with(ROWS));
    of_orders.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_counted_by_table() {
        let text = "# TYPE livedrop_store_statements_total counter\n\
            livedrop_store_statements_total{table=\"orders\"} 3\n\
            livedrop_store_statements_total{table=\"orders_by_buyer\"} 4\n\
            livedrop_store_statements_total{table=\"drop_ledger\"} 1\n\
            livedrop_store_unknown_total{table=\"orders\"} 9\n";
        let mut counts = Counts::new();
        count(text, &mut counts);
        count(text, &mut counts);
        assert_eq!(rows(&counts), 14);
        assert_eq!(counts.get("drop_ledger"), Some(&2));
        assert_eq!(counts.len(), 3);
    }
}
