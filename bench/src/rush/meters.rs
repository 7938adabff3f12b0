//! What the servers count themselves, read again and again: what a killed one had counted since the last look is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task::AbortHandle, time::sleep};

use super::http::Http;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Appends whose outcome was unknown, each try.
pub(crate) const UNKNOWN_APPENDS: &str = "livedrop_ledger_unknown_outcomes_total";
/// Statements of the store whose outcome was unknown.
pub(crate) const UNKNOWN_STATEMENTS: &str = "livedrop_store_unknown_total";
/// Slots lost to another writer.
pub(crate) const CONFLICTS: &str = "livedrop_ledger_conflicts_total";

/// A reader, until it is dropped.
#[derive(Debug)]
pub(crate) struct Meters {
    counts: Arc<Mutex<Counts>>,
    reader: AbortHandle,
}

impl Drop for Meters {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Meters {
    /// Begins to read.
    pub(crate) fn start(urls: Vec<String>) -> Self {
        let counts: Arc<Mutex<Counts>> = Arc::default();
        let shared = Arc::clone(&counts);
        let reader = tokio::spawn(async move {
            let http = Http::new();
            loop {
                for url in &urls {
                    let Ok(uri) = url.parse() else { continue };
                    // One that is down or stuck has nothing to tell.
                    if let Ok((_, text)) = http.get(uri).await {
                        let mut counts = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        counts.look(url, &text);
                    }
                }
                sleep(LOOK_EVERY).await;
            }
        });
        Self {
            counts,
            reader: reader.abort_handle(),
        }
    }

    /// What all servers have counted since the first look, at least.
    pub(crate) fn total(&self, name: &'static str) -> u64 {
        self.by_labels(name).values().sum()
    }

    /// The same by labels, as they stand in the text: `{table="drops"}`.
    pub(crate) fn by_labels(&self, name: &'static str) -> BTreeMap<String, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.by_labels(name)
    }
}

/// What one server has counted under one name and labels.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    /// By processes that have ended, without what there was at the first look.
    before: i64,
    /// By the present process.
    now: i64,
}

/// Counts by server, name and labels.
#[derive(Debug, Default)]
struct Counts {
    counts: BTreeMap<(String, &'static str, String), Count>,
    /// Servers that were looked at.
    known: BTreeSet<String>,
}

impl Counts {
    fn look(&mut self, url: &str, text: &str) {
        let is_first = self.known.insert(url.to_owned());
        for name in [UNKNOWN_APPENDS, UNKNOWN_STATEMENTS, CONFLICTS] {
            let values = values(text, name);
            // What a new process has not counted yet is not in its text.
            for ((of, it, labels), count) in &mut self.counts {
                if of == url && *it == name && !values.contains_key(labels.as_str()) {
                    count.before += std::mem::take(&mut count.now);
                }
            }
            for (labels, now) in values {
                let key = (url.to_owned(), name, labels.to_owned());
                let count = self.counts.entry(key).or_default();
                if is_first {
                    count.before = -now;
                } else if now < count.now {
                    // A process counts from zero.
                    count.before += count.now;
                }
                count.now = now;
            }
        }
    }

    fn by_labels(&self, wanted: &str) -> BTreeMap<String, u64> {
        let mut totals = BTreeMap::new();
        let of_it = self.counts.iter().filter(|((_, it, _), _)| *it == wanted);
        for ((_, _, labels), count) in of_it {
            let counted = u64::try_from(count.before + count.now).unwrap_or(0);
            *totals.entry(labels.clone()).or_default() += counted;
        }
        totals.retain(|_, total| *total > 0);
        totals
    }
}

/// The values of a counter by their labels, in the text format of Prometheus.
fn values<'a>(text: &'a str, name: &str) -> BTreeMap<&'a str, i64> {
    let values = text.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let is_it = labels.is_empty() || labels.starts_with('{');
        Some((labels, value.parse::<f64>().ok().filter(|_| is_it)? as i64))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outlive_the_process_that_counted() {
        let text = |a: u64, b: u64| {
            format!(
                "# TYPE {UNKNOWN_STATEMENTS} counter\n{UNKNOWN_STATEMENTS}{{table=\"a\"}} {a}\n\
                 {UNKNOWN_STATEMENTS}{{table=\"b c\"}} {b}\n{UNKNOWN_STATEMENTS}_more 100\n"
            )
        };
        let mut counts = Counts::default();
        let total = |counts: &Counts| counts.by_labels(UNKNOWN_STATEMENTS).values().sum::<u64>();
        counts.look("one", &text(10, 0));
        counts.look("two", "");
        assert_eq!(total(&counts), 0, "what was before the first look");
        counts.look("one", &text(12, 3));
        counts.look("two", &text(1, 0));
        assert_eq!(total(&counts), 6);
        for ended in ["", &text(0, 0)] {
            let before = total(&counts);
            counts.look("one", ended);
            counts.look("one", &text(4, 0));
            counts.look("one", &text(4, 1));
            assert_eq!(total(&counts), before + 5, "after {ended:?}");
        }
        let of_a = counts.by_labels(UNKNOWN_STATEMENTS)["{table=\"a\"}"];
        assert_eq!(of_a, 2 + 4 + 4 + 1);
        assert_eq!(counts.by_labels(UNKNOWN_APPENDS).len(), 0);
    }
}
