//! What is about the embedded store's own file, and therefore not in `integration`, whose tests are for every backend.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod backup;
mod bytes;
mod files;
mod moving;

#[path = "../harness/mod.rs"]
mod harness;
