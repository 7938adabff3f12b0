//! What operators do by hand: look at an order's payments, and settle an attempt that never resolves. Needs no provider: that of the attempt
//! may be gone for good.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::requests::Fingerprint;
use crate::{
    domain::{AccountId, DropId, OrderId, Timestamp, payment::FailReason},
    env::SharedEnv,
    ledger::{
        Answer, Call, Command, LedgerError, Method, Registry, Report, StockState,
        entry::WaitReason,
        state::{Attempt, AttemptState},
        verify::{self, Problem},
    },
    store::{SharedStore, StoreError, audit::AuditEntry, orders::OrderRow},
};

/// How long the ledger may take; opening a large one takes seconds.
const WITHIN: Duration = Duration::from_secs(20);
/// A note is a sentence or two; with this it also fits into a question of the admin socket.
const NOTE_CHARS_MAX: usize = 500;
/// Names the action in `audit_log`.
const SETTLE: &str = "order.settle";

/// What the operator's tools work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Time and ids.
    pub env: SharedEnv,
    /// What lasts.
    pub store: SharedStore,
    /// The open ledgers.
    pub ledgers: Registry,
}

/// What became of an attempt's money, as the operator found out at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It was taken.
    Captured,
    /// It was not, and will not be.
    Failed,
    /// It went back.
    Refunded,
}

impl Settlement {
    const fn report(self) -> Report {
        match self {
            Self::Captured => Report::Captured,
            Self::Failed => Report::Failed(FailReason::SettledByHand),
            Self::Refunded => Report::Refunded,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
        }
    }

    /// Why it can't be told of an attempt that stands so: it would change nothing.
    const fn refusal(self, state: AttemptState) -> Option<&'static str> {
        match (state, self) {
            (AttemptState::Open(_), Self::Captured | Self::Failed)
            | (AttemptState::Failed, Self::Captured)
            | (AttemptState::Refunding { .. }, Self::Refunded) => None,
            (AttemptState::Open(_), Self::Refunded) => {
                Some("nothing is known to be taken that could be back: say captured or failed")
            }
            (AttemptState::Failed, Self::Failed)
            | (AttemptState::Captured, Self::Captured)
            | (AttemptState::Refunded, Self::Refunded) => Some("it stands so already"),
            (AttemptState::Failed, Self::Refunded) => {
                Some("nothing was taken; if it was all the same, say captured first")
            }
            (AttemptState::Captured, Self::Failed | Self::Refunded) => {
                Some("the money was taken; the drop's creator gives it back with RefundOrder")
            }
            (AttemptState::Refunding { .. }, Self::Captured | Self::Failed) => {
                Some("the money is on its way back; when it is there, say refunded")
            }
            (AttemptState::Refunded, Self::Captured | Self::Failed) => {
                Some("the money was taken and went back")
            }
        }
    }

    /// Whether an attempt that stands so has taken it in.
    const fn is_reached(self, state: AttemptState) -> bool {
        match (self, state) {
            // What comes too late is refunded at once.
            (
                Self::Captured,
                AttemptState::Captured | AttemptState::Refunding { .. } | AttemptState::Refunded,
            )
            | (Self::Failed, AttemptState::Failed)
            | (Self::Refunded, AttemptState::Refunded) => true,
            (Self::Captured, AttemptState::Open(_) | AttemptState::Failed)
            | (
                Self::Failed,
                AttemptState::Open(_)
                | AttemptState::Captured
                | AttemptState::Refunding { .. }
                | AttemptState::Refunded,
            )
            | (
                Self::Refunded,
                AttemptState::Open(_)
                | AttemptState::Failed
                | AttemptState::Captured
                | AttemptState::Refunding { .. },
            ) => false,
        }
    }
}

/// Settle an attempt to pay by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleOrder {
    /// The order's drop.
    pub drop_id: DropId,
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt, from 1.
    pub attempt: i32,
    /// What became of it.
    pub settlement: Settlement,
    /// Why, for those who read the audit log: 1 to 500 characters in one line.
    pub note: String,
    /// Who, as the operating system names them. Whoever can reach this is the owner of the store, and believed.
    pub actor: String,
}

/// An order with all that is known of its payments, but for the payment method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSheet {
    /// The order as of its ledger's newest record.
    pub order: OrderRow,
    /// The attempt that paid; 0 for none.
    pub paid_attempt: i32,
    /// All attempts, in their order.
    pub attempts: Vec<AttemptSheet>,
    /// What was done by hand, oldest first.
    pub audit: Vec<AuditEntry>,
}

/// An attempt to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSheet {
    /// Its number, from 1.
    pub attempt: i32,
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the payment, if one was noted.
    pub reference: Option<String>,
    /// How much, in minor units of the order's currency.
    pub amount_minor: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When the provider's id was noted.
    pub noted_at: Option<Timestamp>,
    /// Where it stands, such as `OPEN (UNKNOWN)`.
    pub state: String,
}

/// An order before and after it was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Before.
    pub before: OrderSheet,
    /// After.
    pub after: OrderSheet,
}

/// Why an operator's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The ledger knows no such order.
    #[error("drop {0} has no order {1}")]
    UnknownOrder(DropId, OrderId),
    /// The order has no such attempt.
    #[error("order {order_id} has no attempt {attempt}: it has had {attempts}")]
    UnknownAttempt {
        /// The order.
        order_id: OrderId,
        /// The attempt asked for.
        attempt: i32,
        /// How many there were.
        attempts: i32,
    },
    /// It would change nothing.
    #[error("attempt {attempt} is {state}: {why}")]
    NothingToSettle {
        /// Which attempt.
        attempt: i32,
        /// Where it stands.
        state: String,
        /// Why nothing would change.
        why: &'static str,
    },
    /// Somebody else was faster, such as the provider.
    #[error("attempt {attempt} was settled otherwise meanwhile: it is {state} now")]
    Overtaken {
        /// Which attempt.
        attempt: i32,
        /// Where it stands.
        state: String,
    },
    /// The note can't be read later.
    #[error("the note must have 1 to {NOTE_CHARS_MAX} characters, in one line")]
    Note,
    /// The ledger can't be read, or does not answer.
    #[error("the ledger does not answer: {0}")]
    Unavailable(String),
}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Operator {
    /// Reads an order, its attempts and what was done to it by hand. Folds the ledger from the store: nothing is opened, nothing written.
    ///
    /// # Errors
    /// If there is no such order, or its ledger can't be read.
    pub async fn show_order(
        &self,
        drop_id: DropId,
        order_id: OrderId,
    ) -> Result<OrderSheet, OperatorError> {
        let state = self.fold(drop_id).await?;
        self.sheet(&state, order_id).await
    }

    /// Tells the ledger what became of an attempt, in the provider's place. Who does so, and why, is noted before the ledger is told: a note
    /// without an effect is harmless, an effect without a note is not.
    ///
    /// # Errors
    /// If it would change nothing, or the ledger does not answer; then it may have been done: look at the order.
    pub async fn settle_order(&self, wish: &SettleOrder) -> Result<Settled, OperatorError> {
        let (order_id, attempt, settlement) = (wish.order_id, wish.attempt, wish.settlement);
        let is_line = !wish.note.trim().is_empty() && !wish.note.chars().any(char::is_control);
        if !is_line || wish.note.chars().count() > NOTE_CHARS_MAX {
            return Err(OperatorError::Note);
        }
        let state = self.fold(wish.drop_id).await?;
        let before = self.sheet(&state, order_id).await?;
        let Some(found) = state.attempt(order_id, attempt) else {
            return Err(OperatorError::UnknownAttempt {
                order_id,
                attempt,
                attempts: before.order.attempts,
            });
        };
        if let Some(why) = settlement.refusal(found.state) {
            return Err(OperatorError::NothingToSettle {
                attempt,
                state: told(found.state).to_owned(),
                why,
            });
        }
        self.note(wish, found).await?;
        let command = Command::ReportPayment {
            call: Some(call(wish)),
            order_id,
            attempt,
            report: settlement.report(),
        };
        match self.ledgers.call(wish.drop_id, command, WITHIN).await {
            Ok((_, Answer::Attempt(view))) if settlement.is_reached(view.attempt.state) => {
                let after = self.show_order(wish.drop_id, order_id).await?;
                Ok(Settled { before, after })
            }
            Ok((_, Answer::Attempt(view))) => Err(OperatorError::Overtaken {
                attempt,
                state: told(view.attempt.state).to_owned(),
            }),
            Ok((_, Answer::Order(_) | Answer::Drop(_) | Answer::Refused(_)))
            | Err(LedgerError::UnknownDrop | LedgerError::NotFrozen(_)) => {
                Err(OperatorError::UnknownOrder(wish.drop_id, order_id))
            }
            Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
                Err(OperatorError::Unavailable(error.to_string()))
            }
        }
    }

    async fn fold(&self, drop_id: DropId) -> Result<StockState, OperatorError> {
        let read = verify::verify(&*self.store, drop_id, |_, _| ()).await;
        let report = read.map_err(|problem: Problem| {
            OperatorError::Unavailable(format!("{problem} (see `livedrop ledger verify`)"))
        })?;
        Ok(report.state)
    }

    async fn sheet(
        &self,
        state: &StockState,
        order_id: OrderId,
    ) -> Result<OrderSheet, OperatorError> {
        let drop_id = state.ledger_id();
        let Some((order, terms)) = state.order(order_id).zip(state.terms()) else {
            return Err(OperatorError::UnknownOrder(drop_id, order_id));
        };
        let mut attempts = Vec::new();
        for attempt in (1..=order.attempts).filter_map(|n| state.attempt(order_id, n)) {
            let row = self.store.get_attempt(order_id, attempt.attempt).await?;
            attempts.push(AttemptSheet {
                attempt: attempt.attempt,
                provider: attempt.provider.to_string(),
                noted_at: row.as_ref().map(|row| row.noted_at),
                reference: row.map(|row| row.reference),
                amount_minor: attempt.amount_minor,
                started_at: attempt.started_at,
                state: told(attempt.state).to_owned(),
            });
        }
        Ok(OrderSheet {
            order: order.row(drop_id, terms),
            paid_attempt: order.paid_attempt,
            attempts,
            audit: self.store.list_audit(order_id.uuid()).await?,
        })
    }

    async fn note(&self, wish: &SettleOrder, attempt: &Attempt) -> Result<(), OperatorError> {
        let detail = format!(
            "attempt {} of drop {}, {} at {}: {}; {}",
            wish.attempt,
            wish.drop_id,
            told(attempt.state),
            attempt.provider,
            wish.settlement.as_str(),
            wish.note
        );
        let entry = AuditEntry {
            subject: wish.order_id.uuid(),
            at: self.env.now(),
            id: self.env.uuid(),
            actor: wish.actor.clone(),
            action: SETTLE.to_owned(),
            detail,
        };
        tracing::warn!(order_id = %wish.order_id, attempt = wish.attempt, actor = wish.actor, settlement = wish.settlement.as_str(), "order is settled by hand");
        Ok(self.store.put_audit(&entry).await?)
    }
}

/// The entry's call. Operators have no account.
fn call(wish: &SettleOrder) -> Call {
    let print = Fingerprint::new("SettleOrder")
        .bytes(wish.order_id.as_bytes())
        .number(i64::from(wish.attempt))
        .text(wish.settlement.as_str());
    Call {
        caller_id: AccountId::new(Uuid::nil()),
        method: Method::SettleOrder,
        request_id: None,
        fingerprint: print.finish(),
    }
}

/// Where an attempt stands, for people.
const fn told(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Open(WaitReason::Pending) => "OPEN (PENDING)",
        AttemptState::Open(WaitReason::ActionRequired) => "OPEN (ACTION_REQUIRED)",
        AttemptState::Open(WaitReason::Unknown) => "OPEN (UNKNOWN)",
        AttemptState::Failed => "FAILED",
        AttemptState::Captured => "CAPTURED",
        AttemptState::Refunding { is_stray: false } => "REFUNDING",
        AttemptState::Refunding { is_stray: true } => "REFUNDING (STRAY)",
        AttemptState::Refunded => "REFUNDED",
    }
}
