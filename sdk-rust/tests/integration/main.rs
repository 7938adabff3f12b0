//! The client against a server whose answers are written down beforehand.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests panic like tests"
)]

mod lists;
mod purchases;
mod refresh;
mod retry;
mod scripted;
mod till;
mod watch;
