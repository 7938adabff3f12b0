//! The only place where a gRPC status is made: each error gets its code, an `ErrorInfo`, and the details its reason promises.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    domain::{AccountId, reason::Reason},
    service::{Error, Violation},
};

mod foreign;

pub(crate) use foreign::ours_for;

/// The one text for all causes of UNAUTHENTICATED: it must not tell which of them it is.
const SIGN_IN: &str = "sign in first";
/// Details travel in a header, and many clients take 8 KiB of headers: this much text, in base64 and with its framing, fits.
const DETAILS_BYTES_MAX: usize = 4 * 1024;
const VIOLATIONS_MAX: usize = 50;
const MESSAGE_BYTES_MAX: usize = 512;
/// No client is told to come back sooner: it would only queue again.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(50);

/// The code each reason comes with.
#[must_use]
pub const fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidRequest => Code::InvalidArgument,
        Reason::Unauthenticated => Code::Unauthenticated,
        Reason::NotOwner | Reason::NotCreator | Reason::WrongPassword => Code::PermissionDenied,
        Reason::EmailTaken | Reason::HandleTaken => Code::AlreadyExists,
        Reason::AccountNotFound
        | Reason::CreatorNotFound
        | Reason::DropNotFound
        | Reason::OrderNotFound
        | Reason::ReceiptNotFound
        | Reason::ProductNotFound => Code::NotFound,
        Reason::AlreadyCreator
        | Reason::SoldOut
        | Reason::DropNotOpen
        | Reason::DropEnded
        | Reason::DropCancelled
        | Reason::BuyerLimitReached
        | Reason::TooManyHolds
        | Reason::OrderState
        | Reason::PriceChanged
        | Reason::RequestIdReused
        | Reason::RequestIdVoid
        | Reason::PaymentInProgress
        | Reason::HoldExpired
        | Reason::TooManyAttempts
        | Reason::SelfFollow
        | Reason::AccountInUse
        | Reason::ProductArchived
        | Reason::DropFrozen => Code::FailedPrecondition,
        Reason::StaleEtag => Code::Aborted,
        Reason::ResumeTokenExpired => Code::OutOfRange,
        Reason::RateLimited | Reason::Overloaded | Reason::TooLarge => Code::ResourceExhausted,
        Reason::Unavailable => Code::Unavailable,
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::Internal => Code::Internal,
        Reason::Unimplemented => Code::Unimplemented,
    }
}

/// Turns what a use case answers into what the client sees. Logs what the client must not see, once.
#[must_use]
pub fn to_status(error: Error) -> Status {
    match error {
        Error::Invalid(violations) => invalid(violations),
        Error::Unauthenticated => unauthenticated(),
        Error::Refused {
            reason,
            message,
            metadata,
        } => build(reason, message, metadata, ErrorDetails::new()),
        Error::NotFound {
            reason,
            resource_type,
            resource_name,
        } => not_found(reason, resource_type, resource_name),
        Error::Overloaded { retry_after } => overloaded(retry_after),
        Error::Unavailable { retry_after, cause } => {
            tracing::warn!(cause, "answered unavailable");
            unavailable(retry_after)
        }
        Error::Internal(cause) => internal(&cause),
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        to_status(error)
    }
}

fn invalid(violations: Vec<Violation>) -> Status {
    let mut details = ErrorDetails::new();
    let (mut bytes_left, count) = (DETAILS_BYTES_MAX, violations.len());
    for (i, Violation { field, description }) in violations.into_iter().enumerate() {
        let (field, description) = (shortened(field, 256), shortened(description, 256));
        let left = bytes_left.checked_sub(field.len() + description.len());
        let Some(left) = left.filter(|_| i < VIOLATIONS_MAX) else {
            let rest = format!("{} more violations are not listed", count - i);
            details.add_bad_request_violation("", rest);
            break;
        };
        bytes_left = left;
        details.add_bad_request_violation(field, description);
    }
    build(
        Reason::InvalidRequest,
        "request is malformed".to_owned(),
        Vec::new(),
        details,
    )
}

fn not_found(reason: Reason, resource_type: &'static str, name: String) -> Status {
    let message = format!("{resource_type} not found");
    let mut details = ErrorDetails::new();
    details.set_resource_info(resource_type, shortened(name.clone(), 256), "", &message);
    let key = match resource_type {
        "account" => "accountId",
        "creator" if name.parse::<AccountId>().is_err() => "handle",
        "creator" => "creatorId",
        "order" | "receipt" => "orderId",
        "product" => "productId",
        _ => "dropId",
    };
    build(reason, message, vec![(key, name)], details)
}

/// No or bad credentials.
#[must_use]
pub(crate) fn unauthenticated() -> Status {
    build(
        Reason::Unauthenticated,
        SIGN_IN.to_owned(),
        Vec::new(),
        ErrorDetails::new(),
    )
}

/// Too many calls. `subject` says whose, `rule` what is allowed.
#[must_use]
pub(crate) fn rate_limited(retry_after: Duration, subject: &str, rule: &str) -> Status {
    let mut details = retry_in(retry_after);
    details.add_quota_failure_violation(subject, rule);
    build(
        Reason::RateLimited,
        format!("too many calls of this {subject}"),
        Vec::new(),
        details,
    )
}

/// The server is full; nothing was done.
#[must_use]
pub(crate) fn overloaded(retry_after: Duration) -> Status {
    build(
        Reason::Overloaded,
        "the server is full".to_owned(),
        Vec::new(),
        retry_in(retry_after),
    )
}

/// It can't be done or confirmed now.
fn unavailable(retry_after: Duration) -> Status {
    build(
        Reason::Unavailable,
        "temporarily unavailable".to_owned(),
        Vec::new(),
        retry_in(retry_after),
    )
}

/// The message is larger than the server takes.
#[must_use]
pub(crate) fn too_large() -> Status {
    build(
        Reason::TooLarge,
        "the message is too large".to_owned(),
        Vec::new(),
        ErrorDetails::new(),
    )
}

/// The caller's time is up.
#[must_use]
pub(crate) fn deadline_exceeded() -> Status {
    build(
        Reason::DeadlineExceeded,
        "deadline exceeded".to_owned(),
        Vec::new(),
        ErrorDetails::new(),
    )
}

/// There is no such method.
#[must_use]
pub(crate) fn unimplemented() -> Status {
    build(
        Reason::Unimplemented,
        "the server does not know this call".to_owned(),
        Vec::new(),
        ErrorDetails::new(),
    )
}

/// A bug: the client gets the id of the log line and nothing else.
#[must_use]
pub(crate) fn internal(cause: &str) -> Status {
    let error_id = new_error_id();
    tracing::error!(error_id, cause, "internal error");
    let metadata = vec![("errorId", error_id)];
    build(
        Reason::Internal,
        "internal error".to_owned(),
        metadata,
        ErrorDetails::new(),
    )
}

fn new_error_id() -> String {
    hex::encode(rand::random::<[u8; 8]>())
}

/// The delay, jittered upwards by up to a half so that those sent away together don't come back together.
fn retry_in(delay: Duration) -> ErrorDetails {
    let delay = delay.max(RETRY_AFTER_MIN);
    ErrorDetails::with_retry_info(Some(delay.mul_f64(rand::random_range(1.0..1.5))))
}

fn build(
    reason: Reason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    details: ErrorDetails,
) -> Status {
    build_as(code(reason), reason, message, metadata, details)
}

fn build_as(
    code: Code,
    reason: Reason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    mut details: ErrorDetails,
) -> Status {
    let metadata: HashMap<String, String> = metadata
        .into_iter()
        .map(|(key, value)| (key.to_owned(), shortened(value, 256)))
        .collect();
    details.set_error_info(reason.as_str(), livedrop_proto::ERROR_DOMAIN, metadata);
    Status::with_error_details(code, shortened(message, MESSAGE_BYTES_MAX), details)
}

fn shortened(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

#[cfg(test)]
mod tests;
