//! Going on with a refund: asked for again and again until the provider says that the money is back.

use super::{LookError, PaymentRunner, Step, amount, key};
use crate::{
    ledger::{AttemptId, AttemptView, Report},
    payments::{Refund, RefundStatus},
};

impl PaymentRunner {
    pub(super) async fn go_on_with_refund(
        &self,
        id: AttemptId,
        view: &AttemptView,
    ) -> Result<Step, LookError> {
        let provider = self.provider(view)?;
        let refund = Refund {
            key: key(id),
            reference: self.reference(id).await?,
            amount: amount(view),
        };
        let asked = provider.refund(&refund);
        let status = self.call(provider, "refund", asked).await?;
        let outcome = match status {
            RefundStatus::Done => "done",
            RefundStatus::Pending => "pending",
            RefundStatus::Failed => "failed",
        };
        metrics::counter!("livedrop_refund_answers_total", "provider" => provider.name(), "outcome" => outcome)
            .increment(1);
        match status {
            RefundStatus::Done => self.report(id, Report::Refunded).await,
            RefundStatus::Pending | RefundStatus::Failed => Ok(Step::Waits),
        }
    }
}
