//! The CQL backend against a real database: `LIVEDROP_TEST_CQL` says where it is. `scripts/test cql` starts one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod conformance;
mod keyspace;
mod migrate;
mod moving;
mod pool;

#[path = "../harness/mod.rs"]
mod harness;
