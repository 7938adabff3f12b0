//! Answers in Stripe's form.

use serde_json::{Value, json};

/// Status and body.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// `Err` is a refusal.
pub(crate) type Outcome = Result<Value, Reply>;

impl Reply {
    pub(crate) fn error(status: u16, kind: &str, code: &str, param: &str) -> Self {
        let body = json!({ "error": { "type": kind, "code": code, "param": param, "message": "No, says the fake." } });
        Self { status, body }
    }

    pub(crate) fn invalid(code: &str, param: &str) -> Self {
        Self::error(400, "invalid_request_error", code, param)
    }

    pub(crate) fn missing(param: &str) -> Self {
        Self::error(404, "invalid_request_error", "resource_missing", param)
    }

    /// Stripe remembers what it has begun to carry out; not what it refused to look at.
    pub(crate) fn is_remembered(&self) -> bool {
        !matches!(self.status, 400 | 401 | 404 | 409 | 429)
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(body) => Self { status: 200, body },
            Err(reply) => reply,
        }
    }
}
