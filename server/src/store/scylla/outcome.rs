//! What is known after a call that failed: an error is a definite no only if it is on this list, all else is unknown.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not on the list is unknown, whatever the driver adds to it"
)]

use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::store::StoreError;

/// A failed execution. `what` says of which statement, for people.
pub(super) fn of(what: &str, error: &ExecutionError) -> StoreError {
    let message = format!("{what}: {error}");
    let is_no = match error {
        ExecutionError::BadQuery(_)
        | ExecutionError::EmptyPlan
        | ExecutionError::PrepareError(_)
        | ExecutionError::ConnectionPoolError(_) => true,
        ExecutionError::LastAttemptError(attempt) => is_definite_no(attempt),
        // Among them those that a later version of the driver will add.
        _ => false,
    };
    if is_no {
        StoreError::Determinate(message)
    } else {
        StoreError::Indeterminate(message)
    }
}

/// `Unavailable` is not on the list: Cassandra may say so after a proposal was accepted.
fn is_definite_no(error: &RequestAttemptError) -> bool {
    match error {
        RequestAttemptError::UnableToAllocStreamId
        | RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_) => true,
        RequestAttemptError::DbError(error, _) => matches!(
            error,
            DbError::SyntaxError
                | DbError::Invalid
                | DbError::Unauthorized
                | DbError::AuthenticationError
                | DbError::ConfigError
                | DbError::IsBootstrapping
        ),
        _ => false,
    }
}

/// A statement that could not be prepared was not done.
pub(super) fn of_prepare(cql: &str, error: &PrepareError) -> StoreError {
    StoreError::Determinate(format!("can't prepare `{cql}`: {error}"))
}

/// An answer that can't be read. What was asked may have been done.
pub(super) fn unreadable(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Indeterminate(format!("{what}: the answer can't be read: {error}"))
}
