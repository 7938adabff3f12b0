//! `[limits]` in the file: the fields of [`Limits`], which documents them. The compiler holds the two together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::span;
use crate::rpc::limits::{Limits, Rate};

#[derive(Serialize, Deserialize)]
#[serde(remote = "Limits", deny_unknown_fields)]
pub(super) struct LimitsSection {
    connections: usize,
    connections_per_network: usize,
    #[serde(with = "span")]
    first_bytes: Duration,
    #[serde(with = "span")]
    tls_handshake: Duration,
    #[serde(with = "span")]
    header_read: Duration,
    #[serde(with = "span")]
    ping: Duration,
    #[serde(with = "span")]
    unread: Duration,
    #[serde(with = "span")]
    connection_age: Duration,
    #[serde(with = "span")]
    connection_grace: Duration,
    streams_per_connection: u32,
    in_flight: usize,
    #[serde(with = "span")]
    deadline_default: Duration,
    #[serde(with = "span")]
    deadline_max: Duration,
    #[serde(with = "RateSection")]
    per_network: Rate,
    #[serde(with = "RateSection")]
    per_caller: Rate,
    #[serde(with = "RateSection")]
    credentials: Rate,
    watches: usize,
    watches_per_connection: usize,
    watches_per_caller: usize,
    #[serde(with = "span")]
    watch_heartbeat: Duration,
    #[serde(with = "span")]
    watch_age: Duration,
    #[serde(with = "span")]
    watch_age_web: Duration,
    #[serde(with = "span")]
    drain: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Rate", deny_unknown_fields)]
struct RateSection {
    burst: u32,
    #[serde(with = "span")]
    period: Duration,
}
