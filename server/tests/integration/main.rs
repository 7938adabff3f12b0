//! The server as clients see it: a real one per test, on a port of its own, driven through the Rust SDK.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod accounts;
mod backup;
mod bad_input;
mod drops;
mod errors;
mod events;
mod harness;
mod lists;
mod moving;
mod mutations;
mod orders;
mod payments;
mod process;
mod proofs;
mod recovery;
mod restarts;
mod stripe;
mod watch;
