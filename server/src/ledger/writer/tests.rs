//! Writers and registries on a store in memory, in paused time: a whole world of processes, buyers and faults runs in milliseconds.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests pick the kinds that they are about"
)]

mod contention;
mod groups;
mod lifecycle;
mod settling;
mod sharing;
