//! What can go wrong on demand.

use std::sync::Arc;

use tokio::sync::Notify;

/// Befalls the next request that it is set for.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It is carried out, and the connection is lost before the answer.
    LosesAnswer,
    /// Status 500, and nothing is done or remembered.
    FailsBefore,
    /// It is carried out and answered with 500, which is remembered for its idempotency key.
    FailsAfter,
    /// Status 500 without anything done, which is remembered for its idempotency key.
    FailsForGood,
    /// Status 429.
    TooMany,
    /// No answer, and nothing is done.
    Hangs,
    /// It is carried out after the signal, in progress until then.
    Waits(Arc<Notify>),
    /// It is carried out, and the answer is cut in the middle.
    Garbled,
    /// It is carried out, and the answer is longer than a MiB.
    TooLong,
}
