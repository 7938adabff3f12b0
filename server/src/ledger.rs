//! The stock engine. Each drop has a ledger: an append-only log of records, each with the entries of many commands.
//!
//! The way of a command: [`registry`] finds or opens the ledger, [`writer`] queues it, [`state`] decides what to append and folds it,
//! [`record`] gives it its stored bytes and hash, the store puts it into the next empty slot, and only then is it answered.
//!
//! Everything that can be right or wrong about stock is in [`state`]: no I/O, no clock, no randomness, no hash order.

pub mod answer;
pub mod applied;
pub mod codec;
pub mod command;
pub mod entry;
pub mod feed;
pub mod freeze;
mod journal;
pub mod projector;
pub mod receipt;
pub mod record;
pub mod registry;
pub mod rows;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod verify;
pub mod watches;
pub mod work_list;
pub mod writer;

pub use answer::{Answer, AttemptView, DropView, OrderView};
pub use applied::Applied;
pub use command::{Command, Outcome, PayBy, Refusal, Report};
pub use entry::{Call, Entry, Event, Line, Method, Move, Terms};

pub use registry::{LedgerError, Registry};
pub use state::StockState;
pub use work_list::{AttemptId, Share, WorkList};
