//! PaymentIntents.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    books::Account,
    form::Form,
    method,
    reply::{Outcome, Reply},
};

#[derive(Debug)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) status: &'static str,
    /// As it was given; Stripe shows none after a decline.
    pub(crate) method: Option<String>,
    pub(crate) captured: i64,
    error: Option<Value>,
}

impl Intent {
    pub(crate) fn is_of(&self, order_id: &str, attempt: i32) -> bool {
        let is = |name: &str, value: &str| self.metadata.get(name).is_some_and(|has| has == value);
        is("order_id", order_id) && is("attempt", &attempt.to_string())
    }

    pub(crate) fn has_method(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    pub(crate) fn captures_by_itself(&self) -> bool {
        self.status == "processing"
            || (self.status == "requires_payment_method"
                && self.has_method(method::DECLINED_THEN_CAPTURES))
    }

    pub(crate) fn succeed(&mut self) {
        self.status = "succeeded";
        self.captured += self.amount;
        self.error = None;
    }

    fn fail(&mut self, kind: &str, code: &str, decline_code: Option<&str>) {
        self.status = "requires_payment_method";
        self.error = Some(json!({ "type": kind, "code": code, "decline_code": decline_code }));
    }

    pub(crate) fn json(&self, base: &str) -> Value {
        let url = format!("{base}/3ds/{}", self.id);
        let next_action = (self.status == "requires_action").then(
            || json!({ "type": "redirect_to_url", "redirect_to_url": { "url": url, "return_url": null } }),
        );
        json!({
            "id": self.id, "object": "payment_intent", "amount": self.amount, "amount_received": self.captured,
            "currency": self.currency, "metadata": self.metadata, "status": self.status, "next_action": next_action,
            "last_payment_error": self.error, "client_secret": format!("{}_secret_fake", self.id), "livemode": false,
        })
    }
}

impl Account {
    fn index(&self, id: &str) -> Result<usize, Reply> {
        let at = self.intents.iter().position(|intent| intent.id == id);
        at.ok_or_else(|| Reply::missing("intent"))
    }

    fn shown(&self, index: usize) -> Value {
        self.intents[index].json(&self.base)
    }

    fn unexpected_state(&self, index: usize) -> Reply {
        let mut reply = Reply::invalid("payment_intent_unexpected_state", "");
        reply.body["error"]["payment_intent"] = self.shown(index);
        reply
    }

    pub(crate) fn retrieve_intent(&self, id: &str) -> Outcome {
        self.index(id).map(|index| self.shown(index))
    }

    pub(crate) fn search_intents(&self, form: &mut Form) -> Outcome {
        let query = form.need("query")?;
        form.one_of("limit", &["3"])?;
        let parts = query
            .strip_prefix("metadata['order_id']:'")
            .and_then(|rest| rest.strip_suffix('\''))
            .and_then(|rest| rest.split_once("' AND metadata['attempt']:'"));
        let (order_id, attempt) =
            parts.ok_or_else(|| Reply::invalid("parameter_invalid", "query"))?;
        let attempt = attempt.parse().unwrap();
        let mut found = self.of(order_id, attempt);
        if self.search_is_blind {
            found.clear();
        }
        let data: Vec<Value> = found.into_iter().map(|index| self.shown(index)).collect();
        Ok(json!({ "object": "search_result", "has_more": false, "data": data }))
    }

    pub(crate) fn create_intent(&mut self, form: &mut Form) -> Outcome {
        let amount = form.need_amount()?;
        let currency = form.need("currency")?;
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(Reply::invalid("parameter_invalid_string", "currency"));
        }
        form.one_of("confirmation_method", &["manual"])?;
        form.one_of("capture_method", &["automatic"])?;
        form.one_of("payment_method_types[0]", &["card"])?;
        let confirms = form.one_of("confirm", &["true"])?.is_some();
        let returns = form.take("return_url").is_some();
        if returns && !confirms {
            return Err(Reply::invalid("parameter_missing", "confirm"));
        }
        let method = form.take("payment_method");
        if method.as_deref().is_some_and(|method| !is_known(method)) {
            return Err(Reply::invalid("resource_missing", "payment_method"));
        }
        if confirms && method.is_none() {
            return Err(Reply::invalid("parameter_missing", "payment_method"));
        }
        let (index, metadata) = (self.intents.len(), form.metadata());
        form.clone().end()?;
        self.intents.push(Intent {
            id: format!("pi_fake_{index}"),
            amount,
            currency,
            metadata,
            status: "requires_payment_method",
            method,
            captured: 0,
            error: None,
        });
        self.tell("payment_intent.created", index);
        if confirms {
            return self.charge(index);
        }
        Ok(self.shown(index))
    }

    /// What the payment method brings about.
    fn charge(&mut self, index: usize) -> Outcome {
        let intent = &mut self.intents[index];
        let declined = Some("generic_decline");
        match intent.method.as_deref().unwrap_or_default() {
            method::DECLINED | method::DECLINED_THEN_CAPTURES => {
                intent.fail("card_error", "card_declined", declined);
            }
            method::INSUFFICIENT_FUNDS => {
                intent.fail("card_error", "card_declined", Some("insufficient_funds"));
            }
            method::EXPIRED => intent.fail("card_error", "expired_card", Some("expired_card")),
            method::ASKS_BUYER => intent.status = "requires_action",
            method::CAPTURES_LATER => intent.status = "processing",
            method::REQUIRES_CAPTURE => intent.status = "requires_capture",
            _ => intent.succeed(),
        }
        self.told(index)
    }

    fn told(&mut self, index: usize) -> Outcome {
        let kind = match self.intents[index].status {
            "succeeded" => "payment_intent.succeeded",
            "requires_action" => "payment_intent.requires_action",
            "processing" => "payment_intent.processing",
            "requires_capture" => "payment_intent.amount_capturable_updated",
            _ => "payment_intent.payment_failed",
        };
        self.tell(kind, index);
        let shown = self.shown(index);
        if kind != "payment_intent.payment_failed" {
            return Ok(shown);
        }
        let mut error = shown["last_payment_error"].clone();
        error["payment_intent"] = shown;
        Err(Reply {
            status: 402,
            body: json!({ "error": error }),
        })
    }

    pub(crate) fn confirm_intent(&mut self, id: &str, form: &mut Form) -> Outcome {
        let index = self.index(id)?;
        form.need("return_url")?;
        form.clone().end()?;
        if self.intents[index].status != "requires_confirmation" {
            return Err(self.unexpected_state(index));
        }
        self.intents[index].succeed();
        self.told(index)
    }

    pub(crate) fn capture_intent(&mut self, id: &str) -> Outcome {
        let index = self.index(id)?;
        if self.intents[index].status != "requires_capture" {
            return Err(self.unexpected_state(index));
        }
        self.intents[index].succeed();
        self.told(index)
    }

    pub(crate) fn cancel_intent(&mut self, id: &str, form: &mut Form) -> Outcome {
        let index = self.index(id)?;
        form.one_of("cancellation_reason", &["abandoned"])?;
        form.clone().end()?;
        if ["succeeded", "canceled"].contains(&self.intents[index].status) {
            return Err(self.unexpected_state(index));
        }
        self.intents[index].status = "canceled";
        self.tell("payment_intent.canceled", index);
        Ok(self.shown(index))
    }

    /// The buyer at the page of 3-D Secure; too late is without effect.
    pub(crate) fn authenticate(&mut self, id: &str, approves: bool) {
        let index = self.index(id).unwrap();
        let intent = &mut self.intents[index];
        if intent.status != "requires_action" {
            return;
        }
        if approves {
            intent.status = "requires_confirmation";
        } else {
            let code = "payment_intent_authentication_failure";
            intent.fail("invalid_request_error", code, None);
            self.tell("payment_intent.payment_failed", index);
        }
    }
}

fn is_known(method: &str) -> bool {
    method.starts_with("pm_card_") || method.starts_with("pm_fake_")
}
