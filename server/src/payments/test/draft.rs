//! One call's view of the state, and what it adds: decisions only, no I/O.

use super::{
    kind::Kind,
    line::{Fact, Line},
    state::{Entry, Refunding, Stage, State},
};
use crate::{
    domain::{Money, Timestamp, payment::FailReason},
    payments::{AttemptKey, ProviderError, RefundStatus},
};

/// Most payments: with some 300 bytes each it is more than a test's machine should give.
const PAYMENTS_MAX: usize = 2_000_000;

/// A call on one payment, as long as the state is locked.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    state: &'a mut State,
    key: AttemptKey,
    now: Timestamp,
    /// What goes into the file.
    pub(super) lines: Vec<u8>,
    /// Webhooks owed because of it.
    pub(super) events: Vec<String>,
}

type Result<T> = std::result::Result<T, ProviderError>;

fn rejected<T>(why: &str) -> Result<T> {
    Err(ProviderError::Rejected(why.to_owned()))
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a mut State, key: AttemptKey, now: Timestamp) -> Self {
        Self {
            state,
            key,
            now,
            lines: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn entry(&self) -> Option<&Entry> {
        self.state.payments.get(&self.key)
    }

    /// The entry of a payment that a call takes for granted.
    pub(super) fn known(&self) -> Result<&Entry> {
        self.entry().map_or_else(|| rejected("no such payment"), Ok)
    }

    /// Starts the payment unless it has been; answers whether it is new.
    pub(super) fn start(
        &mut self,
        amount: Money,
        kind: Kind,
        page: Option<String>,
    ) -> Result<bool> {
        if let Some(entry) = self.entry() {
            let same = entry
                .origin
                .as_ref()
                .is_none_or(|origin| origin.amount == amount && origin.kind == kind);
            return if same {
                Ok(false)
            } else {
                rejected("the attempt was started with another amount or method")
            };
        }
        if amount.amount_minor <= 0 {
            return rejected("the amount must be above zero");
        }
        if self.state.payments.len() >= PAYMENTS_MAX {
            return Err(ProviderError::Unavailable("too many payments".to_owned()));
        }
        self.record(Some(amount), Fact::Started { kind, page })?;
        self.go_on(false)?;
        Ok(true)
    }

    /// Does what is due by itself. Only what happens outside a call needs to be told by webhook.
    pub(super) fn go_on(&mut self, with_webhook: bool) -> Result<()> {
        while let Some((at, stage)) = self.entry().and_then(Entry::next)
            && at <= self.now
        {
            let event = |name| with_webhook.then(|| self.event(name));
            let fact = match stage {
                Stage::Failed(reason) => Fact::Failed {
                    reason,
                    event: event("failed"),
                },
                Stage::Captured => Fact::Captured {
                    event: event("captured"),
                },
                Stage::Pending | Stage::ActionRequired | Stage::ActionDone => return Ok(()),
            };
            self.add(fact)?;
        }
        Ok(())
    }

    pub(super) fn confirm(&mut self) -> Result<()> {
        match self.known()?.stage {
            Stage::ActionDone => self.add(Fact::Captured { event: None }),
            Stage::Pending | Stage::ActionRequired | Stage::Captured | Stage::Failed(_) => Ok(()),
        }
    }

    pub(super) fn cancel(&mut self) -> Result<()> {
        if self.entry().is_none_or(Entry::can_cancel) {
            self.add(Fact::Cancelled)?;
        }
        Ok(())
    }

    pub(super) fn refund(&mut self, amount: Money) -> Result<RefundStatus> {
        let entry = self.known()?;
        let Some(origin) = entry
            .origin
            .as_ref()
            .filter(|_| entry.stage == Stage::Captured)
        else {
            return rejected("nothing was captured");
        };
        if origin.amount != amount {
            return rejected("only the whole capture goes back");
        }
        match (origin.kind, entry.refund) {
            (_, Refunding::Done) => Ok(RefundStatus::Done),
            (Kind::RefundFailsOnce, Refunding::No) => {
                self.add(Fact::RefundFailed)?;
                Ok(RefundStatus::Failed)
            }
            (_, Refunding::No | Refunding::FailedOnce) => {
                self.add(Fact::Refunded)?;
                Ok(RefundStatus::Done)
            }
        }
    }

    /// The buyer pressed a button on the 3-D Secure page; pressing again changes nothing.
    pub(super) fn answer(&mut self, approved: bool) -> Result<()> {
        if self.known()?.stage != Stage::ActionRequired {
            return Ok(());
        }
        self.add(if approved {
            Fact::ActionDone {
                event: self.event("action_done"),
            }
        } else {
            Fact::Failed {
                reason: FailReason::AuthenticationFailed,
                event: Some(self.event("failed")),
            }
        })
    }

    pub(super) fn delivered(&mut self, event: String) -> Result<()> {
        if self.state.owed.contains_key(&event) {
            self.add(Fact::WebhookDelivered { event })?;
        }
        Ok(())
    }

    fn event(&self, name: &str) -> String {
        format!("evt_{}_{}_{name}", self.key.order_id, self.key.attempt)
    }

    fn add(&mut self, fact: Fact) -> Result<()> {
        let origin = self.entry().and_then(|entry| entry.origin.as_ref());
        self.record(origin.map(|origin| origin.amount), fact)
    }

    fn record(&mut self, amount: Option<Money>, fact: Fact) -> Result<()> {
        let line = Line::new(self.now, self.key, amount, fact);
        let unavailable =
            |error: &dyn std::fmt::Display| ProviderError::Unavailable(error.to_string());
        let bytes = serde_json::to_vec(&line).map_err(|error| unavailable(&error))?;
        self.state
            .apply(&line)
            .map_err(|error| unavailable(&error))?;
        self.lines.extend_from_slice(&bytes);
        self.lines.push(b'\n');
        self.events.extend(line.fact.event().cloned());
        Ok(())
    }
}
