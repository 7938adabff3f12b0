//! Collects all that is wrong with a request, so that one answer says it all.

use std::fmt::Display;

use super::{Error, Violation};

/// The violations found so far.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Takes the value of `field`, or notes what is wrong with it.
    pub fn check<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed
            .map_err(|problem| self.0.push(Violation::new(field, problem.to_string())))
            .ok()
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations.0)
    }
}
