//! Giving money back, once: what Stripe lists is counted, and the next refund's idempotency key has that number.

use serde::Deserialize;

use super::{
    api,
    client::{Answer, Client},
    fault::Fault,
};
use crate::payments::{ProviderError, Refund, RefundStatus};

/// Stripe's refund, as far as it is of use.
#[derive(Debug, Deserialize)]
pub(super) struct StripeRefund {
    amount: i64,
    /// Never missing, says its documentation, but for old ones.
    status: Option<String>,
}

impl StripeRefund {
    fn status(&self) -> RefundStatus {
        match self.status.as_deref() {
            Some("succeeded") => RefundStatus::Done,
            Some("failed" | "canceled") => RefundStatus::Failed,
            // `pending`, `requires_action`: the bank's turn, or the buyer's.
            _ => RefundStatus::Pending,
        }
    }
}

/// What has gone back.
struct Refunded {
    /// How many refunds there are, failed ones too.
    count: usize,
    amount: i64,
    /// Of the refunds that did not fail.
    status: RefundStatus,
}

pub(super) async fn refund(
    client: &Client,
    wanted: &Refund,
) -> Result<RefundStatus, ProviderError> {
    let Some(amount) = super::amount::in_stripes_unit(wanted.amount) else {
        return rejected("Stripe has no such amount");
    };
    let found = super::charges::find(client, wanted.key, wanted.reference.as_deref()).await?;
    let Some(intent) = found else {
        let text = "payment can't be found yet";
        return Err(ProviderError::Unavailable(text.to_owned()));
    };
    if intent.status != "succeeded" {
        return rejected("nothing was captured");
    }
    let before = refunded(client, &intent.id).await?;
    // Operators may have given back a part by hand.
    let rest = amount.saturating_sub(before.amount);
    if rest <= 0 {
        return Ok(before.status);
    }
    match api::create_refund(client, wanted.key, &intent.id, rest, before.count).await {
        Ok(Answer { value, .. }) => Ok(value.status()),
        // Someone was faster, by hand perhaps.
        Err(Fault::Refused(refused)) if refused.has_code("charge_already_refunded") => {
            let after = refunded(client, &intent.id).await?;
            let unsure = || ProviderError::Unknown("refunded, and not in the list".to_owned());
            (after.amount >= amount)
                .then_some(after.status)
                .ok_or_else(unsure)
        }
        Err(fault) => Err(fault.of_write()),
    }
}

async fn refunded(client: &Client, id: &str) -> Result<Refunded, ProviderError> {
    let page = api::list_refunds(client, id)
        .await
        .map_err(Fault::of_read)?;
    if page.has_more {
        let text = "too many refunds have failed";
        return Err(ProviderError::Rejected(text.to_owned()));
    }
    let mut sum = Refunded {
        count: page.data.len(),
        amount: 0,
        status: RefundStatus::Done,
    };
    for refund in &page.data {
        match refund.status() {
            RefundStatus::Done => sum.amount = sum.amount.saturating_add(refund.amount),
            RefundStatus::Pending => {
                sum.amount = sum.amount.saturating_add(refund.amount);
                sum.status = RefundStatus::Pending;
            }
            RefundStatus::Failed => {}
        }
    }
    Ok(sum)
}

fn rejected(why: &str) -> Result<RefundStatus, ProviderError> {
    Err(ProviderError::Rejected(why.to_owned()))
}
