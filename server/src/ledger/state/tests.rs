//! The pure core, driven at random and compared with a naive recount of all entries.

mod edges;
mod reference;
mod steps;
