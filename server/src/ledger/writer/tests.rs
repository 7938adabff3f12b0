//! Writers and registries on a store in memory, in paused time: a whole world of processes, buyers and faults runs in milliseconds.

mod contention;
mod groups;
mod lifecycle;
mod settling;
