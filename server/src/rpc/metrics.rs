//! The handles of the RPC metrics, resolved once: looking one up by its labels for each call would cost allocations.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Duration;
use tonic::Code;

use super::policy::METHODS;
use crate::telemetry::names;

/// Codes run from 0 (OK) to 16 (UNAUTHENTICATED).
const CODES: usize = 17;

struct MethodMetrics {
    by_code: [OnceLock<Counter>; CODES],
    seconds: OnceLock<Histogram>,
}

/// Metrics of all methods. Make it after the recorder is installed.
pub(crate) struct RpcMetrics {
    // One for each entry of METHODS and one for all unknown methods: those names come from outside and must not become labels.
    methods: Vec<MethodMetrics>,
    in_flight: Gauge,
}

impl RpcMetrics {
    pub(crate) fn new() -> Self {
        let method = || MethodMetrics {
            by_code: [const { OnceLock::new() }; CODES],
            seconds: OnceLock::new(),
        };
        let methods = (0..=METHODS.len()).map(|_| method()).collect();
        Self {
            methods,
            in_flight: gauge!(names::RPC_IN_FLIGHT),
        }
    }

    pub(crate) fn begun(&self) {
        self.in_flight.increment(1.0);
    }

    /// `index` is the method's in [`METHODS`].
    pub(crate) fn ended(&self, index: Option<usize>, code: Code, took: Duration) {
        self.in_flight.decrement(1.0);
        let index = index.unwrap_or(METHODS.len());
        let Some(method) = self.methods.get(index) else {
            return;
        };
        let name = METHODS.get(index).map_or("unknown", |method| method.name());
        let by_code = usize::try_from(code as i32)
            .ok()
            .and_then(|code| method.by_code.get(code));
        if let Some(slot) = by_code {
            let count =
                || counter!(names::RPC_REQUESTS, "method" => name, "code" => code_name(code));
            slot.get_or_init(count).increment(1);
        }
        method
            .seconds
            .get_or_init(|| histogram!(names::RPC_SECONDS, "method" => name))
            .record(took.as_secs_f64());
    }
}

/// The code as gRPC writes it.
pub(crate) const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
