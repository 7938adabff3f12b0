//! Work that nobody calls for: opening and closing drops in time, going on with payments and with what dead processes left, telling what
//! changed, and keeping search at it.

pub mod indexer;
pub mod membership;
pub mod outbox;
pub mod payments;
pub mod rebuild;
pub mod relay;
pub mod sweeper;
#[cfg(test)]
mod tests;
pub mod timer;
pub mod transfer;
mod unfinished;

pub use membership::Membership;
pub use outbox::Outbox;
pub use payments::PaymentRunner;
pub use sweeper::Sweeper;
pub use timer::Timer;
pub use unfinished::Work;
