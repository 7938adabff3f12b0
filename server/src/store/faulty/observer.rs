//! Who sees what is done to a store: tests that have to know, or to stop, at a certain call.

use super::Method;
use crate::store::{LedgerRecord, outbox::EntityKind};

/// When a call is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is about to be done.
    Before,
    /// It has been done; a call that fails never comes so far.
    After,
}

/// What a call is about, where calls of one method have to be told apart.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// The method says it all.
    None,
    /// The record of an append.
    Record(&'a LedgerRecord),
    /// The consumer of a checkpoint.
    Consumer(&'a str),
    /// The kind of row of an intent or an announcement.
    Entity(EntityKind),
}

/// Sees the calls that reach a store, those that a fault keeps away excepted. Called on the caller's task: must not block.
pub trait Observer: Send + Sync {
    /// A call is seen.
    fn observe(&self, moment: Moment, method: Method, subject: Subject<'_>);
}
