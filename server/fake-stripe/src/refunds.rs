//! Refunds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    books::Account,
    events::Message,
    form::Form,
    method,
    reply::{Outcome, Reply},
};

#[derive(Debug)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) status: &'static str,
    metadata: BTreeMap<String, String>,
}

impl Refund {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "refund", "amount": self.amount, "payment_intent": self.intent, "status": self.status,
            "metadata": self.metadata,
        })
    }
}

impl Account {
    pub(crate) fn refunded(&self, intent: &str) -> i64 {
        let of_it = self.refunds.iter().filter(|refund| refund.intent == intent);
        of_it
            .filter(|refund| refund.status != "failed")
            .map(|refund| refund.amount)
            .sum()
    }

    pub(crate) fn tell_refund(&mut self, kind: &str, at: usize) {
        let refund = &self.refunds[at];
        let message = Message::new(self.messages.len(), kind, &refund.json());
        self.messages.push((refund.metadata.clone(), message));
    }

    pub(crate) fn list_refunds(&self, form: &mut Form) -> Outcome {
        let intent = form.need("payment_intent")?;
        form.one_of("limit", &["100"])?;
        let of_it = self.refunds.iter().filter(|refund| refund.intent == intent);
        let data: Vec<Value> = of_it.rev().map(Refund::json).collect();
        Ok(json!({ "object": "list", "has_more": false, "data": data }))
    }

    pub(crate) fn create_refund(&mut self, form: &mut Form) -> Outcome {
        let (id, amount) = (form.need("payment_intent")?, form.need_amount()?);
        let metadata = form.metadata();
        form.clone().end()?;
        self.make_refund(&id, amount, metadata)
    }

    pub(crate) fn make_refund(
        &mut self,
        id: &str,
        amount: i64,
        metadata: BTreeMap<String, String>,
    ) -> Outcome {
        let intent = self.intents.iter().find(|intent| intent.id == id);
        let intent = intent.ok_or_else(|| Reply::missing("payment_intent"))?;
        let rest = intent.captured - self.refunded(id);
        if intent.captured > 0 && rest == 0 {
            return Err(Reply::invalid("charge_already_refunded", ""));
        }
        if amount > rest {
            return Err(Reply::invalid("", "amount"));
        }
        let is_first = self.refunds.iter().all(|refund| refund.intent != id);
        let status = if is_first && intent.has_method(method::REFUND_FAILS_ONCE) {
            "failed"
        } else if intent.has_method(method::REFUND_PENDS) {
            "pending"
        } else {
            "succeeded"
        };
        let at = self.refunds.len();
        self.refunds.push(Refund {
            id: format!("re_fake_{at}"),
            intent: id.to_owned(),
            amount,
            status,
            metadata,
        });
        self.tell_refund("refund.created", at);
        Ok(self.refunds[at].json())
    }
}
