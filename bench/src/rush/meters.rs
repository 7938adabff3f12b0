//! What the servers count themselves, read again and again: what a killed one had counted since the last look is lost.

use std::{
    collections::BTreeMap,
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

    /// What all servers have counted, at least.
    pub(crate) fn total(&self, name: &'static str) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total(name)
    }
}

/// Counts by server and name: of processes that have ended, and of the present one.
#[derive(Debug, Default)]
struct Counts(BTreeMap<(String, &'static str), (u64, u64)>);

impl Counts {
    fn look(&mut self, url: &str, text: &str) {
        for name in [UNKNOWN_APPENDS, UNKNOWN_STATEMENTS, CONFLICTS] {
            let now = sum(text, name);
            let key = (url.to_owned(), name);
            let (ended, last) = self.0.entry(key).or_default();
            // A process counts from zero.
            if now < *last {
                *ended += *last;
            }
            *last = now;
        }
    }

    fn total(&self, name: &str) -> u64 {
        let of_it = self.0.iter().filter(|((_, it), _)| *it == name);
        of_it.map(|(_, (ended, last))| ended + last).sum()
    }
}

/// A counter over all its labels, in the text format of Prometheus.
fn sum(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let is_it = rest.starts_with(['{', ' ']);
        let value = rest.rsplit(' ').next().filter(|_| is_it)?;
        value.parse::<f64>().ok()
    });
    values.sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outlive_the_process_that_counted() {
        let text = |appends: u64, other: u64| {
            format!(
                "# TYPE {UNKNOWN_STATEMENTS} counter\n{UNKNOWN_STATEMENTS}{{table=\"a\"}} {appends}\n\
                 {UNKNOWN_STATEMENTS}{{table=\"b c\"}} {other}\n{UNKNOWN_STATEMENTS}_more 100\n"
            )
        };
        let mut counts = Counts::default();
        counts.look("one", &text(2, 3));
        counts.look("two", &text(1, 0));
        assert_eq!(counts.total(UNKNOWN_STATEMENTS), 6);
        counts.look("one", "");
        counts.look("one", &text(4, 0));
        assert_eq!(counts.total(UNKNOWN_STATEMENTS), 10);
        assert_eq!(counts.total(UNKNOWN_APPENDS), 0);
    }
}
