//! Logs and metrics of the process.

use std::{io::IsTerminal as _, time::Duration};

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// The metrics that `rpc` counts. `ledger` and `store` know nothing of telemetry and name theirs where they count them (`ledger/writer.rs`,
/// `ledger/writer/metrics.rs`, `store/embedded/committer.rs`). All are described here.
pub mod names {
    /// Calls answered, by `method` and `code`.
    pub const RPC_REQUESTS: &str = "livedrop_rpc_requests_total";
    /// Time from a call's head to the end of its answer, by `method`.
    pub const RPC_SECONDS: &str = "livedrop_rpc_seconds";
    /// Calls in progress.
    pub const RPC_IN_FLIGHT: &str = "livedrop_rpc_in_flight";
    /// Open streams, by `method`.
    pub const STREAMS: &str = "livedrop_streams_open";
    /// Frames sent on streams, by `method` and `kind`: news, heartbeat, goodbye.
    pub const STREAM_FRAMES: &str = "livedrop_stream_frames_total";
    /// Open connections.
    pub const CONNECTIONS: &str = "livedrop_connections";
    /// Connections closed by the server against the client's will, by `reason`.
    pub const CONNECTIONS_CUT: &str = "livedrop_connections_cut_total";
}

/// Spans from a group commit in memory to the longest deadline; quantiles at the low end matter most.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// How often measured values are moved into their buckets; until then each takes memory, scraped or not.
const UPKEEP: Duration = Duration::from_secs(5);

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Readable on a terminal, JSON otherwise.
    Auto,
    /// Readable.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    fn is_text(self) -> bool {
        match self {
            Self::Auto => std::io::stderr().is_terminal(),
            Self::Text => true,
            Self::Json => false,
        }
    }
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `RUST_LOG` or the setting is not a filter.
    #[error("log filter {filter:?} is not understood")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// A log or metrics recorder is installed already.
    #[error("telemetry is installed already")]
    Installed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends logs to standard error. `filter` as in `info,livedrop_server=debug`; `RUST_LOG` wins.
/// Panics are logged too, with the correlation id of the call they happened in.
///
/// # Errors
/// If the filter is malformed or logging is installed already.
pub fn install_logs(filter: &str, format: LogFormat) -> Result<(), Error> {
    let filter = std::env::var(EnvFilter::DEFAULT_ENV)
        .ok()
        .filter(|set| !set.is_empty())
        .unwrap_or(filter.to_owned());
    let env_filter =
        EnvFilter::try_new(&filter).map_err(|source| Error::Filter { filter, source })?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(env_filter)
        .with_writer(std::io::stderr);
    let installed = if format.is_text() {
        logs.with_target(false).try_init()
    } else {
        logs.json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    };
    installed.map_err(Error::Installed)?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(location, cause = panic_text(panic.payload()), "panic");
    }));
    Ok(())
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a text")
}

/// Makes the process record metrics. Call it before anything that counts; the handle renders them for `/metrics`.
///
/// # Errors
/// If a recorder is installed already.
pub fn install_metrics() -> Result<PrometheusHandle, Error> {
    let recorder = builder().map_err(|error| Error::Installed(error.into()))?;
    let handle = recorder
        .install_recorder()
        .map_err(|error| Error::Installed(error.into()))?;
    describe();
    register_alarms();
    Ok(handle)
}

/// What operators watch is there from the start: for an alarm, absent is not zero.
fn register_alarms() {
    counter!("livedrop_ledger_halted_total").increment(0);
    counter!("livedrop_projector_halted_total").increment(0);
    counter!("livedrop_store_unknown_total", "table" => "drop_ledger").increment(0);
    gauge!("livedrop_payments_running").set(0.0);
    gauge!("livedrop_search_is_whole").set(0.0);
}

fn builder() -> Result<PrometheusBuilder, metrics_exporter_prometheus::BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("seconds".to_owned()), SECONDS)
}

fn describe() {
    describe_counter!(names::RPC_REQUESTS, "Calls answered, by method and code");
    describe_histogram!(
        names::RPC_SECONDS,
        Unit::Seconds,
        "Time from a call's head to the end of its answer"
    );
    describe_gauge!(names::RPC_IN_FLIGHT, "Calls in progress");
    describe_gauge!(names::STREAMS, "Open streams, by method");
    describe_counter!(
        names::STREAM_FRAMES,
        "Frames sent on streams, by method and kind"
    );
    describe_gauge!(names::CONNECTIONS, "Open connections");
    describe_counter!(
        names::CONNECTIONS_CUT,
        "Connections closed by the server against the client's will, by reason"
    );
    describe_counter!(
        "livedrop_orders_total",
        "PlaceOrder commands decided, by outcome: placed, or why not"
    );
    describe_histogram!(
        "livedrop_ledger_append_seconds",
        Unit::Seconds,
        "Time to put a record into its slot, until the outcome is known"
    );
    describe_histogram!("livedrop_ledger_group_commands", "Commands in a record");
    describe_histogram!("livedrop_ledger_group_entries", "Entries in a record");
    describe_histogram!(
        "livedrop_ledger_queue_commands",
        "Commands waiting when a record is begun"
    );
    describe_counter!(
        "livedrop_ledger_conflicts_total",
        "Slots that another process' record had filled"
    );
    describe_counter!(
        "livedrop_ledger_unknown_outcomes_total",
        "Appends whose outcome the store did not tell; they are settled by asking again"
    );
    describe_counter!(
        "livedrop_ledger_halted_total",
        "Ledgers that this process can't fold and writes no more: run `livedrop ledger verify`"
    );
    describe_counter!(
        "livedrop_store_statements_total",
        "Statements sent to the database, by table; each of a batch, each page of a read"
    );
    describe_counter!(
        "livedrop_store_unknown_total",
        "Conditional writes whose outcome the database did not tell, by table; they are asked again"
    );
    describe_gauge!(
        "livedrop_processes_alive",
        "Processes that share the store and were heard of lately"
    );
    describe_gauge!(
        "livedrop_clock_offset_seconds",
        "How far this machine's clock is before that of the database and the other processes"
    );
    describe_gauge!(
        "livedrop_payments_running",
        "Payments and refunds that somebody goes on with"
    );
    describe_counter!(
        "livedrop_payment_answers_total",
        "What providers said of payments, by provider and outcome"
    );
    describe_counter!(
        "livedrop_refund_answers_total",
        "What providers said of refunds, by provider and outcome"
    );
    describe_histogram!(
        "livedrop_payment_call_seconds",
        Unit::Seconds,
        "Time of a call to a payment provider"
    );
    describe_counter!(
        "livedrop_projector_halted_total",
        "Ledgers that a consumer can't follow: run `livedrop rebuild`"
    );
    describe_gauge!(
        "livedrop_search_is_whole",
        "1 if searches are answered, 0 while the index is being made"
    );
    describe_counter!(
        "livedrop_search_changes_total",
        "Changes written into the search index"
    );
    describe_histogram!(
        "livedrop_search_seconds",
        Unit::Seconds,
        "Time to ask the search index, without reading the rows"
    );
    describe_histogram!(
        "livedrop_store_commit_operations",
        "Writes in one commit of the embedded store"
    );
    describe_histogram!(
        "livedrop_store_commit_seconds",
        Unit::Seconds,
        "Time of one commit of the embedded store, fsync included"
    );
}

/// Keeps the recorder's memory bounded. Never ends; run it as a task of its own.
pub async fn upkeep(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Texts of the sources that record.
    fn sources(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| match path.is_dir() {
                true => sources(&path),
                false => vec![std::fs::read_to_string(path).unwrap()],
            })
            .filter(|text| text.contains("!(\"livedrop_"))
            .collect()
    }

    /// Wherever they are named.
    #[test]
    fn all_metrics_are_described() {
        let described: Vec<_> = include_str!("telemetry.rs")
            .split("describe_")
            .skip(1)
            .collect();
        let mut count = 0;
        let sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        for name in sources
            .iter()
            .flat_map(|text| text.split(['"', '\n']))
            .filter(|text| text.starts_with("livedrop_") && !text.contains([':', '=', ' ', ';']))
        {
            count += 1;
            assert!(
                described
                    .iter()
                    .any(|it| it.contains(&format!("\"{name}\""))),
                "{name}"
            );
        }
        assert!(count >= 10, "{count}");
    }

    #[test]
    fn metrics_have_help_and_buckets() {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            register_alarms();
            metrics::histogram!(names::RPC_SECONDS, "method" => "m").record(0.003);
            metrics::counter!(names::RPC_REQUESTS, "method" => "m", "code" => "OK").increment(2);
        });
        let text = recorder.handle().render();
        assert!(
            text.contains("# HELP livedrop_rpc_requests_total Calls answered"),
            "{text}"
        );
        assert!(text.contains("livedrop_ledger_halted_total 0"), "{text}");
        assert!(
            text.contains(r#"livedrop_rpc_requests_total{method="m",code="OK"} 2"#),
            "{text}"
        );
        assert!(
            text.contains(r#"livedrop_rpc_seconds_bucket{method="m",le="0.005"} 1"#),
            "{text}"
        );
        assert!(
            text.contains(r#"livedrop_rpc_seconds_bucket{method="m",le="0.0025"} 0"#),
            "{text}"
        );
    }
}
