//! The one error of all calls.

use std::{collections::BTreeMap, error::Error as StdError, fmt, time::Duration};

use livedrop_proto::{ERROR_DOMAIN, v1};
use tonic::{Code, ConnectError, Status, TimeoutExpired};
use tonic_types::StatusExt;

/// Why a call failed.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    message: String,
    reason: Option<String>,
    metadata: BTreeMap<String, String>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    correlation_id: Option<String>,
    request_id: Option<String>,
    retry_count: i32,
    effect: Effect,
}

/// What the server may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing: the call was answered or never sent.
    None,
    /// Nobody knows.
    Unknown,
}

/// A field of a request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Path of the field, as in `items[3].unit_price.amount_minor`.
    pub field: String,
    /// What the field must be.
    pub description: String,
}

impl Error {
    /// An error made on this side.
    pub(crate) fn local(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            message: message.into(),
            reason: None,
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after: None,
            correlation_id: None,
            request_id: None,
            retry_count: 0,
            effect: Effect::None,
        }))
    }

    /// An attempt took too long.
    pub(crate) fn timed_out() -> Self {
        let mut error = Self::local(Code::DeadlineExceeded, "no answer in time");
        error.0.effect = Effect::Unknown;
        error
    }

    pub(crate) fn from_status(status: &Status) -> Self {
        if let Some(error) = transport_error(status) {
            return error;
        }
        let details = status.get_error_details();
        let mut error = Self::local(status.code(), status.message());
        let parts = &mut *error.0;
        if let Some(info) = details
            .error_info()
            .filter(|info| info.domain == ERROR_DOMAIN)
        {
            parts.reason = Some(info.reason.clone());
            parts.metadata = info.metadata.clone().into_iter().collect();
        }
        if let Some(request) = details.bad_request() {
            let violation = |it: &tonic_types::FieldViolation| Violation {
                field: it.field.clone(),
                description: it.description.clone(),
            };
            parts.violations = request.field_violations.iter().map(violation).collect();
        }
        parts.retry_after = details.retry_info().and_then(|info| info.retry_delay);
        let correlation_id = status.metadata().get("x-correlation-id");
        parts.correlation_id = correlation_id
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        parts.effect = match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Effect::None,
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => Effect::Unknown,
        };
        error
    }

    /// Completes an attempt's error with what is known of the whole call.
    pub(crate) fn of_call(mut self, request_id: Option<String>, retry_count: i32) -> Self {
        // The last attempt did nothing; whether an earlier one did, only some refusals tell.
        let open = match self.0.code {
            Code::ResourceExhausted | Code::Unauthenticated | Code::Unavailable => true,
            Code::DeadlineExceeded => true,
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => false,
        };
        if open && retry_count > 0 {
            self.0.effect = Effect::Unknown;
        }
        self.0.request_id = request_id;
        self.0.retry_count = retry_count;
        self
    }

    /// The gRPC code. A broken connection is `Unavailable`, a call that took too long `DeadlineExceeded`, whoever noticed it.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason, if the server gave one that this version knows.
    #[must_use]
    pub fn reason(&self) -> Option<v1::ErrorReason> {
        v1::ErrorReason::from_wire_name(self.reason_text()?)
    }

    /// The reason as sent, such as `SOLD_OUT`; a newer server may send one that this version does not know.
    #[must_use]
    pub fn reason_text(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Facts for programs; [`v1::ErrorReason`] names the keys of each reason.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// The server's text, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// All fields of the request that break a rule.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// How long the server asks to wait before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What support can find the call by.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// The call's request id, if it has one: to be sent again when the outcome is open.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The `retry_count` that the next try with the same request id has to carry: how often it was sent without a known outcome.
    #[must_use]
    pub fn retry_count(&self) -> i32 {
        self.0.retry_count
    }

    /// True if nobody knows whether the call took effect: repeat it with the same request id to find out.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        self.0.effect == Effect::Unknown
    }

    /// True if the same request, with the same request id, may succeed later, after [`Self::retry_after`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.code {
            Code::Unavailable | Code::DeadlineExceeded => true,
            // Without a delay it is no limit in time, as for a message that is too large.
            Code::ResourceExhausted => self.0.retry_after.is_some(),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => false,
        }
    }
}

/// Reads a status that this side made because the connection failed. Only such a status has a source.
fn transport_error(status: &Status) -> Option<Error> {
    let Some(source) = status.source() else {
        // tonic's words for a stream that a proxy or a dying server cut.
        let cut =
            status.code() == Code::Unknown && status.message().contains("missing grpc-status");
        return cut.then(|| unavailable("connection was cut", Effect::Unknown));
    };
    let causes = chain(source);
    if causes.iter().any(|cause| cause.is::<TimeoutExpired>()) {
        return Some(Error::timed_out());
    }
    let never_sent = causes.iter().any(|cause| cause.is::<ConnectError>());
    let (what, effect) = match never_sent {
        true => ("can't reach the server", Effect::None),
        false => ("connection broke", Effect::Unknown),
    };
    let cause = causes.last().map(ToString::to_string).unwrap_or_default();
    Some(unavailable(&format!("{what}: {cause}"), effect))
}

/// An error and what caused it, outermost first.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut causes = vec![error];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

fn unavailable(message: &str, effect: Effect) -> Error {
    let mut error = Error::local(Code::Unavailable, message);
    error.0.effect = effect;
    error
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        match &parts.reason {
            Some(reason) => write!(f, "{reason}: {}", parts.message)?,
            None => write!(f, "{:?}: {}", parts.code, parts.message)?,
        }
        for violation in &parts.violations {
            write!(f, "; {} {}", violation.field, violation.description)?;
        }
        if let Some(delay) = parts.retry_after {
            write!(f, "; try again in {delay:?}")?;
        }
        if let Some(id) = &parts.correlation_id {
            write!(f, " [correlation id {id}]")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Error {}
