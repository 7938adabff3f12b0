//! What can go wrong in a use case, in the words of the contract.

use std::time::Duration;

use crate::{
    auth::{PasswordError, SetupError, passwords},
    domain::reason::Reason,
    store::StoreError,
};

/// One field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path, as in `items[3].unit_price.amount_minor`.
    pub field: String,
    /// What the field must be.
    pub description: String,
}

impl Violation {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            description: description.into(),
        }
    }
}

/// An answer other than success. `rpc/status.rs` turns each into a gRPC status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is malformed; all violations at once.
    #[error("request is malformed")]
    Invalid(Vec<Violation>),
    /// No or bad credentials. One text for all causes.
    #[error("sign in first")]
    Unauthenticated,
    /// The state of things forbids it, or the caller may not: the reason names code and meaning.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        reason: Reason,
        /// Why, for people.
        message: String,
        /// Facts for programs; keys are camelCase.
        metadata: Vec<(&'static str, String)>,
    },
    /// Unknown, or not the caller's.
    #[error("{resource_type} not found")]
    NotFound {
        /// `..._NOT_FOUND`.
        reason: Reason,
        /// Such as `drop`.
        resource_type: &'static str,
        /// The id asked for.
        resource_name: String,
    },
    /// Too much work at the moment.
    #[error("too many requests in progress")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// It can't be done or confirmed now. Safe to repeat with the same request id.
    #[error("temporarily unavailable")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// For the log.
        cause: String,
    },
    /// A bug. Clients see nothing of the text.
    #[error("internal error")]
    Internal(String),
}

impl Error {
    /// A refusal without metadata.
    pub fn refused(reason: Reason, message: impl Into<String>) -> Self {
        Self::Refused {
            reason,
            message: message.into(),
            metadata: Vec::new(),
        }
    }

    /// Other changes of the same row were faster, as often as it was tried.
    #[must_use]
    pub fn outrun(row: &'static str) -> Self {
        Self::Unavailable {
            retry_after: Duration::from_millis(250),
            cause: format!("other changes of the same {row} were always faster"),
        }
    }

    /// One violation.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }

    /// Something with an id that is not there for this caller.
    pub fn not_found(
        reason: Reason,
        resource_type: &'static str,
        id: impl std::fmt::Display,
    ) -> Self {
        Self::NotFound {
            reason,
            resource_type,
            resource_name: id.to_string(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Unavailable {
            retry_after: Duration::from_millis(250),
            cause: error.to_string(),
        }
    }
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::QueueFull => Self::Overloaded {
                retry_after: passwords::RETRY_AFTER,
            },
            PasswordError::Failed(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        Self::Internal(error.to_string())
    }
}
