//! What the buyers wrote down: every request and every answer. The verdict holds them against the ledger.

use std::time::Duration;

use livedrop::v1::{OrderState, PlaceOrderResponse};
use uuid::Uuid;

use super::wallet::Wallet;

/// One thing a buyer wanted: a request id and all that was heard of it.
#[derive(Debug, Clone)]
pub(crate) struct Purchase {
    /// The key of idempotency.
    pub(crate) request_id: Uuid,
    /// Index of the item, and units.
    pub(crate) lines: Vec<(usize, i32)>,
    /// What the buyer pays with.
    pub(crate) wallet: Wallet,
    /// How often it was sent.
    pub(crate) sent: u32,
    /// Every OK.
    pub(crate) placed: Vec<Placed>,
    /// Every final no.
    pub(crate) refused: Vec<Refused>,
    /// A try has no answer yet.
    pub(crate) is_open: bool,
    /// It once had none.
    pub(crate) was_open: bool,
    /// What became of cancelling it.
    pub(crate) cancel: Cancel,
    /// Every `PayOrder`.
    pub(crate) pays: Vec<Pay>,
    /// The buyer was told that it is paid.
    pub(crate) told_paid: bool,
    /// What was said that can't be true of an order that was answered, such as that it is not known.
    pub(crate) denials: Vec<String>,
}

/// One `PayOrder`: a request id and what was heard of it.
#[derive(Debug, Clone)]
pub(crate) struct Pay {
    /// The card.
    pub(crate) token: &'static str,
    /// No answer yet.
    pub(crate) is_open: bool,
    /// The final no.
    pub(crate) refused: Option<Refused>,
}

/// An order whose buyer wants the money back, and what the creator was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Return {
    /// Which order.
    pub(crate) order_id: String,
    /// Its units are sold again.
    pub(crate) restock: bool,
    /// Why it was refused, if it was.
    pub(crate) refused: Option<String>,
}

/// An order as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Which order.
    pub(crate) order_id: String,
    /// How it stood.
    pub(crate) state: OrderState,
    /// Record of the ledger that has it.
    pub(crate) seq: i64,
    /// Entry of that record.
    pub(crate) index: i32,
    /// Hash of that record.
    pub(crate) record_hash: Vec<u8>,
    /// When the answer came, after the opening.
    pub(crate) at: Duration,
}

/// A final no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Why.
    pub(crate) reason: String,
    /// It was a retry: the server promised that no earlier try will land any more.
    pub(crate) is_promise: bool,
}

/// What became of cancelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// Never wanted.
    Never,
    /// Asked, but not answered.
    Open,
    /// The server said it is cancelled.
    Done,
    /// The server said that it can't be.
    Refused,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// OK.
    Placed(Placed),
    /// No.
    Refused(Refused),
    /// None in time.
    Unknown,
}

impl Purchase {
    /// A wish that was not sent yet.
    pub(crate) fn new(request_id: Uuid, lines: Vec<(usize, i32)>, wallet: Wallet) -> Self {
        Self {
            request_id,
            lines,
            wallet,
            sent: 0,
            placed: Vec::new(),
            refused: Vec::new(),
            is_open: false,
            was_open: false,
            cancel: Cancel::Never,
            pays: Vec::new(),
            told_paid: false,
            denials: Vec::new(),
        }
    }

    /// The cards of all payments that may have begun, the first attempt's first.
    pub(crate) fn cards(&self) -> impl Iterator<Item = &'static str> {
        let begun = self.pays.iter().filter(|pay| pay.refused.is_none());
        self.wallet
            .at_once
            .into_iter()
            .chain(begun.map(|pay| pay.token))
    }

    /// Whether anything has no answer.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.is_open || self.cancel == Cancel::Open || self.pays.iter().any(|pay| pay.is_open)
    }

    /// Writes down what came of some tries.
    pub(crate) fn note(&mut self, answers: impl IntoIterator<Item = Answer>) {
        let mut is_open = false;
        for answer in answers {
            match answer {
                Answer::Placed(placed) => {
                    self.told_paid |= placed.state == OrderState::Paid;
                    self.placed.push(placed);
                }
                Answer::Refused(refused) => self.refused.push(refused),
                Answer::Unknown => is_open = true,
            }
        }
        // An order is an order, whatever became of its twin.
        self.is_open = is_open && self.placed.is_empty();
        self.was_open |= self.is_open;
    }

    /// Writes down what came of asking again for an order that was answered: it is an order for ever.
    pub(crate) fn note_again(&mut self, answer: Answer) {
        match answer {
            Answer::Placed(placed) => self.placed.push(placed),
            Answer::Refused(refused) => {
                let denial = format!("the same request again was refused as {}", refused.reason);
                self.denials.push(denial);
            }
            Answer::Unknown => {}
        }
    }

    /// Writes down why a call on the order was refused: one of another server may not say that there is no such order.
    pub(crate) fn note_refusal(&mut self, call: &str, reason: &str) {
        if reason == "ORDER_NOT_FOUND" {
            self.denials.push(format!("{call} was refused as {reason}"));
        }
    }

    /// The order, if there is one.
    pub(crate) fn order(&self) -> Option<&Placed> {
        self.placed.first()
    }

    /// Whether the last word was a refusal with this reason.
    pub(crate) fn is_refused_as(&self, reason: &str) -> bool {
        self.placed.is_empty()
            && !self.is_open
            && self
                .refused
                .last()
                .is_some_and(|refused| refused.reason == reason)
    }
}

impl Placed {
    /// Reads an answer that came `at` after the opening. What is missing in it reads as empty, and fails the verdict.
    pub(crate) fn of(response: PlaceOrderResponse, at: Duration) -> Self {
        let receipt = response.receipt.unwrap_or_default();
        let order = response.order.unwrap_or_default();
        Self {
            state: order.state(),
            order_id: order.order_id,
            seq: receipt.seq,
            index: receipt.index,
            record_hash: receipt.record_hash.to_vec(),
            at,
        }
    }
}
