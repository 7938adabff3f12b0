//! The pure core, driven at random and compared with a naive recount of all entries.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests pick the kinds that they are about"
)]

mod edges;
mod forbidden;
mod payments;
mod reference;
mod refunds;
mod shop;
mod steps;
