//! The server as clients see it: a real one per test, on a port of its own, driven through the Rust SDK. The same bodies run on every
//! backend: on a database with `LIVEDROP_TEST_CQL=HOST:PORT` (`scripts/test cql`), else embedded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod account_changes;
mod accounts;
mod bad_input;
mod catalog;
mod command_line;
mod drops;
mod errors;
mod events;
mod follows;
mod grpc_web;
mod images;
mod list_drops;
mod lists;
mod mutations;
mod orders;
mod payments;
mod proofs;
mod purchases;
mod recovery;
mod restarts;
mod search;
mod stripe;
mod tls;
mod update_drop;
mod watch;
mod watch_drop;

#[path = "../harness/mod.rs"]
mod harness;
