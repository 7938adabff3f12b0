//! Statuses that tonic makes itself carry no details and, some of them, codes that our contract reserves for bugs. Here they become ours.

use tonic::{Code, Status};
use tonic_types::ErrorDetails;

use super::{build, deadline_exceeded, internal, invalid, too_large, unimplemented};
use crate::{domain::reason::Reason, service::Violation};

/// What we say instead of a status that came without details; `None` if it is fine as it is (health and reflection have their own).
///
/// The texts compared are tonic 0.14's, and tests in `rpc/tests.rs` provoke them: an update that changes one fails there.
pub(crate) fn ours_for(code: Code, message: &str) -> Option<Status> {
    match code {
        Code::OutOfRange if message.starts_with("Error, decoded message length too large") => {
            Some(too_large())
        }
        // Pages are cut to fit, so a reply over the limit is a bug.
        Code::OutOfRange if message.starts_with("Error, encoded message") => {
            Some(internal(message))
        }
        Code::ResourceExhausted if message.starts_with("Error decompressing") => Some(too_large()),
        Code::Cancelled if message.starts_with("Timeout expired") => Some(deadline_exceeded()),
        Code::Internal => Some(instead_of_internal(message)),
        Code::Unknown | Code::DataLoss => Some(internal(message)),
        Code::Unimplemented if message.is_empty() => Some(unimplemented()),
        Code::Unimplemented => Some(unsupported(message)),
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::Unauthenticated => None,
    }
}

fn instead_of_internal(message: &str) -> Status {
    // What the client broke, in the message or below it. gRPC prescribes INTERNAL for the latter; here that word is kept for our bugs.
    let broken = [
        "failed to decode Protobuf message",
        "Error decompressing",
        "protocol error",
        "Missing request message",
        "Unexpected EOF",
        "h2 protocol error",
        "tonic-web: ",
    ];
    if broken.iter().any(|start| message.starts_with(start)) {
        return invalid(vec![Violation::new("", "must be a well-formed message")]);
    }
    internal(message)
}

/// Such as an unknown `grpc-encoding`: tonic's text says which and is safe to pass on.
fn unsupported(message: &str) -> Status {
    build(
        Reason::Unimplemented,
        message.to_owned(),
        Vec::new(),
        ErrorDetails::new(),
    )
}
