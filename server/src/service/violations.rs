//! Collects all that is wrong with a request, so that one answer says it all.

use std::fmt::Display;

use super::{Error, Violation};

/// The violations found so far.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Takes the value of `field`, whose path is written out only if it is needed, or notes what is wrong with it.
    pub fn check<T, E: Display>(&mut self, field: impl Display, parsed: Result<T, E>) -> Option<T> {
        parsed
            .map_err(|problem| self.note(&field.to_string(), &problem.to_string()))
            .ok()
    }

    /// Notes a violation.
    pub fn note(&mut self, field: &str, rule: &str) {
        self.0.push(Violation::new(field, rule));
    }

    /// Notes violations that were found elsewhere.
    pub fn extend(&mut self, violations: Vec<Violation>) {
        self.0.extend(violations);
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations.0)
    }
}
