//! What is about the embedded store's own file, and therefore not in `integration`, whose tests are for every backend.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bytes;
mod files;

#[path = "../harness/mod.rs"]
mod harness;
