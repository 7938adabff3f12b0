//! All that the account has, and the passing of time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    events::Message, form::Form, intents::Intent, refunds::Refund, reply::Reply, serve::Recorded,
    trouble::Trouble,
};

/// The money that moved for an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// In lower case; `None`: nothing moved.
    pub currency: Option<String>,
    /// Sum of captures in Stripe's unit.
    pub captured: i64,
    /// Sum of refunds that did not fail.
    pub refunded: i64,
}

/// All that became of an attempt, intent by intent and refund by refund: a second charge does not hide in a sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Movements {
    /// Its metadata, as the product set it.
    pub drop_id: String,
    /// The same.
    pub order_id: String,
    /// The same.
    pub attempt: i32,
    /// In lower case, of all that was captured.
    pub currencies: BTreeSet<String>,
    /// Each capture, in Stripe's unit.
    pub captures: Vec<i64>,
    /// Each refund that did not fail.
    pub refunds: Vec<i64>,
    /// Something of it will happen by itself: see [`crate::FakeStripe::pass_time`].
    pub is_waiting: bool,
}

/// What an idempotency key was used for.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) path: String,
    pub(crate) form: Form,
    /// `None`: in progress.
    pub(crate) reply: Option<Reply>,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) base: String,
    pub(crate) intents: Vec<Intent>,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) used: BTreeMap<String, Used>,
    pub(crate) messages: Vec<(BTreeMap<String, String>, Message)>,
    pub(crate) recorded: Vec<Recorded>,
    /// By route, such as `POST /v1/refunds`, with `:id` for ids.
    pub(crate) troubles: BTreeMap<String, VecDeque<Trouble>>,
    pub(crate) search_is_blind: bool,
    /// Intents of which one answer was lost.
    pub(crate) lost: BTreeSet<String>,
}

impl Account {
    pub(crate) fn tell(&mut self, kind: &str, index: usize) {
        let intent = &self.intents[index];
        let message = Message::new(self.messages.len(), kind, &intent.json(&self.base));
        self.messages.push((intent.metadata.clone(), message));
    }

    pub(crate) fn of(&self, order_id: &str, attempt: i32) -> Vec<usize> {
        let indices = 0..self.intents.len();
        indices
            .filter(|index| self.intents[*index].is_of(order_id, attempt))
            .collect()
    }

    /// What Stripe does by itself with an attempt's payments.
    pub(crate) fn pass_time(&mut self, order_id: &str, attempt: i32) {
        for index in self.of(order_id, attempt) {
            if self.intents[index].captures_by_itself() {
                self.intents[index].succeed();
                self.tell("payment_intent.succeeded", index);
            }
            let id = self.intents[index].id.clone();
            for at in 0..self.refunds.len() {
                if self.refunds[at].intent == id && self.refunds[at].status == "pending" {
                    self.refunds[at].status = "succeeded";
                    self.tell_refund("refund.updated", at);
                }
            }
        }
    }

    pub(crate) fn movements(&self) -> Vec<Movements> {
        let mut attempts: BTreeMap<(String, i32), Movements> = BTreeMap::new();
        for intent in &self.intents {
            let text = |name: &str| intent.metadata.get(name).cloned().unwrap_or_default();
            let (order_id, attempt) = (text("order_id"), text("attempt").parse().unwrap());
            let of_it = attempts.entry((order_id.clone(), attempt)).or_default();
            (of_it.order_id, of_it.attempt) = (order_id, attempt);
            of_it.drop_id = text("drop_id");
            if intent.captured > 0 {
                of_it.currencies.insert(intent.currency.clone());
                of_it.captures.push(intent.captured);
            }
            of_it.is_waiting |= intent.captures_by_itself();
            let refunds = self.refunds.iter().filter(|it| it.intent == intent.id);
            for refund in refunds.filter(|it| it.status != "failed") {
                of_it.refunds.push(refund.amount);
                of_it.is_waiting |= refund.status == "pending";
            }
        }
        attempts.into_values().collect()
    }

    pub(crate) fn books(&self, order_id: &str, attempt: i32) -> Books {
        let mut books = Books::default();
        for intent in self
            .of(order_id, attempt)
            .iter()
            .map(|at| &self.intents[*at])
        {
            if intent.captured > 0 {
                books.currency = Some(intent.currency.clone());
            }
            books.captured += intent.captured;
            books.refunded += self.refunded(&intent.id);
        }
        books
    }
}
