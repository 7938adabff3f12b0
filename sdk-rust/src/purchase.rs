//! A purchase, as an app keeps it.

use std::fmt;

use livedrop_proto::v1;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a buyer wants, with the request ids that make it harmless to ask for it again. [`Client::buy`](crate::Client::buy) carries it out.
///
/// Save it before it is bought, as JSON or any other form that serde writes. After a crash, read it and buy it again: wherever the app
/// died, there is one order, and it is paid once. One that was read counts as sent already, which the server has to know.
///
/// It belongs to one user, and holds the tokens of payment methods: a secret of that user's. There are no copies of it in memory, for a
/// copy would not know what was sent.
#[derive(Serialize, Deserialize)]
pub struct Purchase {
    drop_id: String,
    lines: Vec<Line>,
    /// Currency and minor units.
    expected_total: Option<(String, i64)>,
    payment_method: String,
    placing: Sent,
    /// The payment after the last one that failed.
    next_payment: Option<Payment>,
    /// The payment that the buyer was asked to confirm, by its number.
    #[serde(skip)]
    pub(crate) asked_to_confirm: Option<i32>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    item_id: String,
    quantity: i32,
}

/// A payment by another method than the first.
#[derive(Serialize, Deserialize)]
struct Payment {
    method: String,
    paying: Sent,
}

/// A request id, and how often it was sent without a known answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sent {
    request_id: String,
    /// Whoever wrote this down may have sent it then.
    #[serde(skip, default = "once")]
    count: i32,
}

const fn once() -> i32 {
    1
}

impl Purchase {
    /// A purchase of these lines of a drop, all or none.
    #[must_use]
    pub fn new(
        drop_id: impl Into<String>,
        lines: impl IntoIterator<Item = v1::PlaceOrderLine>,
    ) -> Self {
        let line = |it: v1::PlaceOrderLine| Line {
            item_id: it.item_id,
            quantity: it.quantity,
        };
        Self {
            drop_id: drop_id.into(),
            lines: lines.into_iter().map(line).collect(),
            expected_total: None,
            payment_method: String::new(),
            placing: Sent::new(),
            next_payment: None,
            asked_to_confirm: None,
        }
    }

    /// Buys only at this total, the one that the buyer was shown; at another it is refused with `PRICE_CHANGED`.
    #[must_use]
    pub fn at_total(mut self, total: v1::Money) -> Self {
        self.expected_total = Some((total.currency_code, total.amount_minor));
        self
    }

    /// Pays with this token of the payment provider's, in the same call that holds the units. Without one the units are only held.
    #[must_use]
    pub fn paying_with(mut self, payment_method: impl Into<String>) -> Self {
        self.payment_method = payment_method.into();
        self
    }

    /// Pays with another method, after an order that came back as `HELD`. Save the purchase again before it is bought again. A method that
    /// was refused may be given again too: it gets a request id of its own.
    pub fn pay_with(&mut self, payment_method: impl Into<String>) {
        self.next_payment = Some(Payment {
            method: payment_method.into(),
            paying: Sent::new(),
        });
    }

    /// The drop.
    #[must_use]
    pub fn drop_id(&self) -> &str {
        &self.drop_id
    }

    /// The request id of the order.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.placing.request_id
    }

    /// The call that places the order, and the note of how often it was sent.
    pub(crate) fn placing(&mut self) -> (v1::PlaceOrderRequest, &mut Sent) {
        let line = |it: &Line| v1::PlaceOrderLine {
            item_id: it.item_id.clone(),
            quantity: it.quantity,
        };
        let money = |(currency_code, amount_minor): &(String, i64)| v1::Money {
            currency_code: currency_code.clone(),
            amount_minor: *amount_minor,
        };
        let request = v1::PlaceOrderRequest {
            request_id: self.placing.request_id.clone(),
            drop_id: self.drop_id.clone(),
            lines: self.lines.iter().map(line).collect(),
            expected_total: self.expected_total.as_ref().map(money),
            retry_count: self.placing.count,
            payment_method: self.payment_method.clone(),
        };
        (request, &mut self.placing)
    }

    /// The call that pays by another method, if there is one.
    pub(crate) fn paying(&mut self, order_id: &str) -> Option<(v1::PayOrderRequest, &mut Sent)> {
        let Payment { method, paying } = self.next_payment.as_mut()?;
        let request = v1::PayOrderRequest {
            request_id: paying.request_id.clone(),
            drop_id: self.drop_id.clone(),
            order_id: order_id.to_owned(),
            payment_method: method.clone(),
            retry_count: paying.count,
        };
        Some((request, paying))
    }
}

impl Sent {
    fn new() -> Self {
        Self {
            request_id: Uuid::new_v4().to_string(),
            count: 0,
        }
    }

    /// Before it is sent: its answer may never be seen.
    pub(crate) fn send(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    /// After an error that tells how often its outcome is unknown.
    pub(crate) fn failed(&mut self, count: i32) {
        self.count = count;
    }
}

impl fmt::Debug for Purchase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purchase")
            .field("drop_id", &self.drop_id)
            .field("request_id", &self.placing.request_id)
            .field("sent", &self.placing.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purchase() -> Purchase {
        let line = v1::PlaceOrderLine {
            item_id: "i1".into(),
            quantity: 2,
        };
        let total = v1::Money {
            currency_code: "EUR".into(),
            amount_minor: 700,
        };
        let purchase = Purchase::new("d1", [line]).at_total(total);
        purchase.paying_with("pm_s3cret")
    }

    #[test]
    fn what_is_read_is_what_was_saved_but_counts_as_sent() {
        let mut first = purchase();
        first.pay_with("pm_other");
        assert_eq!(first.placing().0.retry_count, 0);
        assert_eq!(first.paying("o1").unwrap().0.retry_count, 0);

        let saved = serde_json::to_string(&first).unwrap();
        let mut read: Purchase = serde_json::from_str(&saved).unwrap();
        let expected = v1::PlaceOrderRequest {
            retry_count: 1,
            ..first.placing().0
        };
        assert_eq!(read.placing().0, expected);
        let expected = v1::PayOrderRequest {
            retry_count: 1,
            ..first.paying("o1").unwrap().0
        };
        assert_eq!(read.paying("o1").unwrap().0, expected);
    }

    #[test]
    fn each_purchase_and_each_payment_has_an_id_of_its_own() {
        let mut one = purchase();
        assert_ne!(one.request_id(), purchase().request_id());
        assert!(one.paying("o1").is_none(), "the first pays with the order");
        one.pay_with("pm_other");
        let first = one.paying("o1").unwrap().0.request_id;
        one.pay_with("pm_other");
        assert_ne!(one.paying("o1").unwrap().0.request_id, first);
    }

    #[test]
    fn methods_are_not_printed() {
        let printed = format!("{:?}", purchase());
        assert!(!printed.contains("s3cret") && printed.contains("d1"));
    }
}
