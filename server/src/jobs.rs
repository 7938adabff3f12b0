//! Work that nobody calls for: opening and closing drops in time, going on with what dead processes left, telling what changed.

pub mod outbox;
pub mod relay;
pub mod sweeper;
#[cfg(test)]
mod tests;
pub mod timer;

pub use outbox::Outbox;
pub use sweeper::sweep;
pub use timer::Timer;
