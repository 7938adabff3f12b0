//! The requests that are made, each once, in Stripe's words. `server/tests/stripe_mock` shows them to Stripe's own description.

use serde::Deserialize;

use super::{
    client::{Answer, Client},
    fault::Fault,
    intent::{ATTEMPT, Intent, Metadata, ORDER_ID},
    refunds::StripeRefund,
};
use crate::payments::{AttemptKey, Charge};

/// Payments that a search reads. One attempt has one.
const FOUND_MAX: usize = 3;

/// Refunds that are read; more than fail before someone looks into it.
const REFUNDS_MAX: usize = 100;

const INTENTS: &str = "payment_intents";
const REFUNDS: &str = "refunds";

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// Makes and confirms a payment. Only who has the secret key can confirm it again (`confirmation_method`), and its client secret goes
/// to nobody.
pub(super) async fn create(
    client: &Client,
    charge: &Charge,
    amount: i64,
    return_url: &str,
) -> Result<Answer<Intent>, Fault> {
    let mut form = fields(amount, charge.amount.currency.as_str(), charge.key);
    form.extend([
        ("payment_method", charge.method.expose().to_owned()),
        ("confirm", "true".to_owned()),
        ("capture_method", "automatic".to_owned()),
        ("return_url", return_url.to_owned()),
        ("metadata[buyer_id]", charge.buyer_id.to_string()),
    ]);
    client
        .post(&[INTENTS], &form, Some(start(charge.key)))
        .await
}

/// Makes a payment that takes nothing, under the key that [`create`] uses: one that comes later finds its key used for something else.
pub(super) async fn occupy(client: &Client, key: AttemptKey) -> Result<Answer<Intent>, Fault> {
    // Any amount will do that every account may charge.
    let form = fields(100, "USD", key);
    client.post(&[INTENTS], &form, Some(start(key))).await
}

/// What each payment has.
fn fields(amount: i64, currency: &str, key: AttemptKey) -> Vec<(&'static str, String)> {
    let mut form = vec![
        ("amount", amount.to_string()),
        ("currency", currency.to_lowercase()),
        ("confirmation_method", "manual".to_owned()),
        ("payment_method_types[0]", "card".to_owned()),
    ];
    form.extend(names(key));
    form
}

fn names(key: AttemptKey) -> [(&'static str, String); 3] {
    [
        ("metadata[drop_id]", key.drop_id.to_string()),
        ("metadata[order_id]", key.order_id.to_string()),
        ("metadata[attempt]", key.attempt.to_string()),
    ]
}

fn start(key: AttemptKey) -> String {
    idempotency_key(key, "start")
}

fn idempotency_key(key: AttemptKey, what: &str) -> String {
    format!("livedrop-{}-{}-{what}", key.order_id, key.attempt)
}

/// The payment as it is now.
pub(super) async fn retrieve(client: &Client, id: &str) -> Result<Intent, Fault> {
    client.get(&[INTENTS, id], &[]).await
}

/// The ids of an attempt's payments; a payment is found a minute after it was made, in bad times later.
pub(super) async fn search(client: &Client, key: AttemptKey) -> Result<Vec<String>, Fault> {
    #[derive(Deserialize)]
    struct Found {
        id: String,
        metadata: Option<Metadata>,
    }
    let query = format!(
        "metadata['{ORDER_ID}']:'{}' AND metadata['{ATTEMPT}']:'{}'",
        key.order_id, key.attempt
    );
    let query = [("query", query), ("limit", FOUND_MAX.to_string())];
    let page: Page<Found> = client.get(&[INTENTS, "search"], &query).await?;
    let ours = |found: &Found| found.metadata.as_ref().and_then(Metadata::key) == Some(key);
    let found = page.data.into_iter().filter(ours).take(FOUND_MAX);
    Ok(found.map(|found| found.id).collect())
}

/// The same again is an error, not a second charge: what an intent may do depends on its status. So for the two below.
pub(super) async fn confirm(
    client: &Client,
    id: &str,
    return_url: &str,
) -> Result<Answer<Intent>, Fault> {
    let form = [("return_url", return_url.to_owned())];
    client.post(&[INTENTS, id, "confirm"], &form, None).await
}

pub(super) async fn capture(client: &Client, id: &str) -> Result<Answer<Intent>, Fault> {
    client.post(&[INTENTS, id, "capture"], &[], None).await
}

pub(super) async fn cancel(client: &Client, id: &str) -> Result<Answer<Intent>, Fault> {
    let form = [("cancellation_reason", "abandoned".to_owned())];
    client.post(&[INTENTS, id, "cancel"], &form, None).await
}

/// All refunds of a payment.
pub(super) async fn list_refunds(client: &Client, id: &str) -> Result<Page<StripeRefund>, Fault> {
    let query = [
        ("payment_intent", id.to_owned()),
        ("limit", REFUNDS_MAX.to_string()),
    ];
    client.get(&[REFUNDS], &query).await
}

/// Makes the refund that follows `before` others; of several calls that saw the same, one makes it.
pub(super) async fn create_refund(
    client: &Client,
    key: AttemptKey,
    id: &str,
    amount: i64,
    before: usize,
) -> Result<Answer<StripeRefund>, Fault> {
    let mut form = vec![
        ("payment_intent", id.to_owned()),
        ("amount", amount.to_string()),
    ];
    form.extend(names(key));
    let key = idempotency_key(key, &format!("refund-{before}"));
    client.post(&[REFUNDS], &form, Some(key)).await
}
