//! Holds what no compiler checks: the walls between modules, sizes, words, and that the contract is commented, guarded and tested.
//!
//! Each check is a function from text to [`Finding`]s with a test that plants a violation; the tests here run them on the repository.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where something is wrong"
)]

mod contract;
mod source;
mod uses;
mod walls;
mod words;

use std::fmt;

use source::Source;

/// A violation and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// From the repository's root.
    pub(crate) path: String,
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong, and why that matters.
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Fails with all findings, or if there was nothing to look at.
fn none(looked_at: &[Source], check: impl Fn(&Source) -> Vec<Finding>) {
    assert!(!looked_at.is_empty(), "no files were found");
    let findings: Vec<Finding> = looked_at.iter().flat_map(check).collect();
    assert!(findings.is_empty(), "\n{}\n", listed(&findings));
}

fn listed(findings: &[impl fmt::Display]) -> String {
    findings
        .iter()
        .map(|finding| format!("{finding}\n"))
        .collect()
}

#[test]
fn modules_keep_their_walls() {
    none(&source::under("server/src"), walls::check);
}

#[test]
fn files_are_short() {
    none(&source::under(""), words::too_long);
}

#[test]
fn nothing_is_left_unfinished() {
    none(&source::under(""), words::forbidden);
}

#[test]
fn the_contract_is_commented() {
    let undocumented = contract::undocumented(&contract::descriptors());
    assert!(
        undocumented.is_empty(),
        "without a comment:\n{}",
        listed(&undocumented)
    );
}

#[test]
fn every_rpc_has_a_policy() {
    let policies = source::under("server/src/rpc/policy.rs");
    let missing = contract::without_policy(&contract::rpcs(&contract::descriptors()), &policies);
    assert!(
        missing.is_empty(),
        "without an entry in rpc/policy.rs:\n{}",
        listed(&missing)
    );
}

#[test]
fn every_rpc_is_called_by_an_integration_test() {
    let mut tests = source::under("server/tests/integration");
    tests.extend(source::under("server/tests/harness"));
    let missing = contract::uncalled(&contract::rpcs(&contract::descriptors()), &tests);
    assert!(
        missing.is_empty(),
        "server/tests/integration never calls:\n{}",
        listed(&missing)
    );
}

#[test]
fn reasons_are_the_contracts_reasons() {
    let domain = source::under("server/src/domain/reason.rs");
    let [domain] = domain.as_slice() else {
        panic!("domain/reason.rs is gone")
    };
    let different =
        contract::different_reasons(&domain.text, &contract::reasons(&contract::descriptors()));
    assert!(different.is_empty(), "\n{}", listed(&different));
}
