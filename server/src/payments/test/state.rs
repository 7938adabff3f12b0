//! Where every payment stands: a fold of the lines.

use std::collections::BTreeMap;

use super::{
    kind::{Course, Kind},
    line::{Fact, Line},
};
use crate::{
    domain::{Money, Timestamp, payment::FailReason},
    payments::AttemptKey,
};

/// All payments.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) payments: BTreeMap<AttemptKey, Entry>,
    /// 3-D Secure pages by their token.
    pub(super) pages: BTreeMap<String, AttemptKey>,
    /// Webhooks that nobody has taken yet, by event id.
    pub(super) owed: BTreeMap<String, Owed>,
}

/// One payment.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What it was started with; `None`: it was cancelled before it was ever started.
    pub(super) origin: Option<Origin>,
    pub(super) stage: Stage,
    pub(super) refund: Refunding,
}

#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) amount: Money,
    pub(super) kind: Kind,
    pub(super) started_at: Timestamp,
    pub(super) page: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Pending,
    ActionRequired,
    ActionDone,
    Captured,
    Failed(FailReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refunding {
    No,
    FailedOnce,
    Done,
}

/// A webhook to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) key: AttemptKey,
    pub(super) at: Timestamp,
    pub(super) what: &'static str,
    pub(super) copies: usize,
}

/// The line can't follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Illegal(&'static str);

impl Entry {
    /// The reason of a failure that the provider will take back by itself.
    fn is_late(&self) -> bool {
        self.stage == Stage::Failed(FailReason::Declined)
            && self
                .origin
                .as_ref()
                .is_some_and(|origin| origin.kind == Kind::Late)
    }

    /// Whether a cancellation still comes in time.
    pub(super) fn can_cancel(&self) -> bool {
        match self.stage {
            Stage::Pending | Stage::ActionRequired | Stage::ActionDone => true,
            Stage::Failed(_) => self.is_late(),
            Stage::Captured => false,
        }
    }

    /// What the provider does next by itself, and when.
    pub(super) fn next(&self) -> Option<(Timestamp, Stage)> {
        let origin = self.origin.as_ref()?;
        let start = origin.started_at;
        match (self.stage, origin.kind.course()) {
            (Stage::Pending, Course::Captures(after)) => Some((start + after, Stage::Captured)),
            (Stage::Pending, Course::Fails(reason, _)) => Some((start, Stage::Failed(reason))),
            (Stage::Failed(_), Course::Fails(_, Some(after))) if self.is_late() => {
                Some((start + after, Stage::Captured))
            }
            (
                Stage::Pending
                | Stage::ActionRequired
                | Stage::ActionDone
                | Stage::Captured
                | Stage::Failed(_),
                Course::Asks | Course::Captures(_) | Course::Fails(..),
            ) => None,
        }
    }
}

impl State {
    /// Takes one line in, or nothing of it.
    pub(super) fn apply(&mut self, line: &Line) -> Result<(), Illegal> {
        let key = line.key();
        let Some(entry) = self.payments.get_mut(&key) else {
            return self.begin(key, line);
        };
        if entry.origin.as_ref().map(|origin| origin.amount) != line.amount() {
            return Err(Illegal("the amount is not the payment's"));
        }
        let late = entry.is_late();
        match (&line.fact, entry.stage) {
            (Fact::ActionDone { .. }, Stage::ActionRequired) => entry.stage = Stage::ActionDone,
            (Fact::Captured { .. }, Stage::Pending | Stage::ActionDone) => {
                entry.stage = Stage::Captured;
            }
            (Fact::Captured { .. }, Stage::Failed(_)) if late => entry.stage = Stage::Captured,
            (Fact::Failed { reason, .. }, Stage::Pending | Stage::ActionRequired) => {
                entry.stage = Stage::Failed(*reason);
            }
            (Fact::Cancelled, _) if entry.can_cancel() => {
                entry.stage = Stage::Failed(FailReason::Cancelled);
            }
            (Fact::RefundFailed, Stage::Captured) if entry.refund == Refunding::No => {
                entry.refund = Refunding::FailedOnce;
            }
            (Fact::Refunded, Stage::Captured) if entry.refund != Refunding::Done => {
                entry.refund = Refunding::Done;
            }
            (Fact::WebhookDelivered { event }, _) => {
                let owed = self.owed.remove(event);
                return owed.map(drop).ok_or(Illegal("no such webhook is owed"));
            }
            (
                Fact::Started { .. }
                | Fact::ActionDone { .. }
                | Fact::Captured { .. }
                | Fact::Failed { .. }
                | Fact::Cancelled
                | Fact::RefundFailed
                | Fact::Refunded,
                _,
            ) => {
                return Err(Illegal(
                    "the payment does not stand where this could happen",
                ));
            }
        }
        self.owe(key, line);
        Ok(())
    }

    fn begin(&mut self, key: AttemptKey, line: &Line) -> Result<(), Illegal> {
        let (origin, stage) =
            if let (Fact::Started { kind, page }, Some(amount)) = (&line.fact, line.amount()) {
                if let Some(page) = page {
                    self.pages.insert(page.clone(), key);
                }
                let origin = Origin {
                    amount,
                    kind: *kind,
                    started_at: line.at,
                    page: page.clone(),
                };
                let stage = match kind.course() {
                    Course::Asks => Stage::ActionRequired,
                    Course::Captures(_) | Course::Fails(..) => Stage::Pending,
                };
                (Some(origin), stage)
            } else if line.fact == Fact::Cancelled && line.amount().is_none() {
                (None, Stage::Failed(FailReason::Cancelled))
            } else {
                return Err(Illegal("the payment was never started"));
            };
        let refund = Refunding::No;
        let entry = Entry {
            origin,
            stage,
            refund,
        };
        self.payments.insert(key, entry);
        Ok(())
    }

    fn owe(&mut self, key: AttemptKey, line: &Line) {
        let what = match &line.fact {
            Fact::ActionDone { .. } => "payment.action_done",
            Fact::Captured { .. } => "payment.captured",
            Fact::Failed { .. } => "payment.failed",
            Fact::Started { .. }
            | Fact::Cancelled
            | Fact::RefundFailed
            | Fact::Refunded
            | Fact::WebhookDelivered { .. } => return,
        };
        let origin = self
            .payments
            .get(&key)
            .and_then(|entry| entry.origin.as_ref());
        if let (Some(event), Some(origin)) = (line.fact.event(), origin) {
            let owed = Owed {
                key,
                at: line.at,
                what,
                copies: origin.kind.copies(),
            };
            self.owed.insert(event.clone(), owed);
        }
    }
}
