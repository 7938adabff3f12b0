//! Going on with a payment: start it, look it up, confirm it, take it back. The provider's word alone ends it; nothing is guessed.

use std::time::Duration;

use super::{LookError, PaymentRunner, Step, amount, count, key};
use crate::{
    domain::{Timestamp, payment::FailReason},
    ledger::{AttemptId, AttemptView, Report, entry::WaitReason, state::AttemptState},
    payments::{Charge, Payment, PaymentStatus, ProviderError, SharedProvider},
};

/// No payment is taken back sooner after its start: the provider may need so long.
const CANCEL_AFTER: Duration = Duration::from_secs(30);
/// How long after the hold's end a buyer may still do what 3-D Secure asks for.
const ACTION_GRACE: Duration = Duration::from_secs(300);
/// An attempt older than this is looked up, never sent again: providers forget idempotency keys.
const SEND_WITHIN: Duration = Duration::from_secs(12 * 3_600);
/// A payment that the provider has never seen when so much time has passed was not sent: each call takes 30 s at most.
const UNSENT_AFTER: Duration = Duration::from_secs(120);

impl PaymentRunner {
    pub(super) async fn go_on_with_payment(
        &self,
        id: AttemptId,
        view: &AttemptView,
        waits_for: WaitReason,
    ) -> Result<Step, LookError> {
        let provider = self.provider(view)?;
        let reference = self.reference(id).await?;
        let now = self.0.env.now();
        let asked = if cancel_at(view, waits_for) <= now {
            self.cancel(id, provider, reference.as_deref()).await
        } else {
            self.find_or_start(id, view, provider, reference.as_deref(), now)
                .await
        };
        let payment = match asked {
            Ok(Some(payment)) => payment,
            Ok(None) if view.attempt.started_at + UNSENT_AFTER <= now => {
                return self.report(id, Report::Failed(FailReason::Cancelled)).await;
            }
            Ok(None) => return Ok(Step::Waits),
            Err(ProviderError::Rejected(cause)) => {
                tracing::warn!(order_id = %id.order_id, attempt = id.attempt, cause, "payment rejected");
                if reference.is_some() || waits_for != WaitReason::Pending {
                    return Ok(Step::Waits);
                }
                let failed = Report::Failed(FailReason::ProviderError);
                return self.report(id, failed).await;
            }
            Err(ProviderError::Unavailable(cause)) => return Err(LookError::Unavailable(cause)),
            Err(ProviderError::Unknown(cause)) if waits_for == WaitReason::Unknown => {
                return Err(LookError::Unavailable(cause));
            }
            Err(ProviderError::Unknown(_)) => {
                return self.waits(id, view, WaitReason::Unknown, "").await;
            }
        };
        count(provider.name(), &payment.status);
        if reference.as_deref() != Some(&payment.reference) {
            self.note(id, provider.name(), &payment.reference).await?;
        }
        self.tell(id, view, waits_for, &payment).await
    }

    async fn tell(
        &self,
        id: AttemptId,
        view: &AttemptView,
        waits_for: WaitReason,
        payment: &Payment,
    ) -> Result<Step, LookError> {
        match &payment.status {
            PaymentStatus::Captured => self.report(id, Report::Captured).await,
            PaymentStatus::Failed(reason) => self.report(id, Report::Failed(*reason)).await,
            PaymentStatus::ActionRequired { url } if waits_for != WaitReason::ActionRequired => {
                self.waits(id, view, WaitReason::ActionRequired, url).await
            }
            PaymentStatus::Pending if waits_for != WaitReason::Pending => {
                self.waits(id, view, WaitReason::Pending, "").await
            }
            PaymentStatus::ActionRequired { .. }
            | PaymentStatus::Pending
            | PaymentStatus::ConfirmationRequired => Ok(Step::Waits),
        }
    }

    /// Lets the ledger know that the payment waits; then there is nothing to do for a while.
    async fn waits(
        &self,
        id: AttemptId,
        view: &AttemptView,
        reason: WaitReason,
        url: &str,
    ) -> Result<Step, LookError> {
        let before = view.attempt.state;
        match self
            .report(id, Report::Waiting(reason, url.to_owned()))
            .await?
        {
            Step::Moved(view) if view.attempt.state != before && reason == WaitReason::Unknown => {
                // The answer was lost: the truth is a question away.
                Ok(Step::Moved(view))
            }
            Step::Moved(_) | Step::Waits | Step::Ended => Ok(Step::Waits),
        }
    }

    async fn find_or_start(
        &self,
        id: AttemptId,
        view: &AttemptView,
        provider: &SharedProvider,
        reference: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Payment>, ProviderError> {
        let is_sent =
            reference.is_some() || view.attempt.state != AttemptState::Open(WaitReason::Pending);
        let may_send = now.since(view.attempt.started_at) < SEND_WITHIN;
        let found = if is_sent || !may_send {
            let look_up = provider.look_up(key(id), reference);
            self.call(provider, "look_up", look_up).await?
        } else {
            None
        };
        let found = match found {
            None if may_send => {
                let charge = Charge {
                    key: key(id),
                    buyer_id: view.order.buyer_id,
                    amount: amount(view),
                    method: view.attempt.method.clone(),
                    started_at: view.attempt.started_at,
                };
                Some(
                    self.call(provider, "start", provider.start(&charge))
                        .await?,
                )
            }
            found => found,
        };
        match found {
            Some(Payment {
                status: PaymentStatus::ConfirmationRequired,
                reference,
            }) => {
                let confirm = provider.confirm(key(id), &reference);
                self.call(provider, "confirm", confirm).await.map(Some)
            }
            found => Ok(found),
        }
    }

    async fn cancel(
        &self,
        id: AttemptId,
        provider: &SharedProvider,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        let cancel = provider.cancel(key(id), reference);
        self.call(provider, "cancel", cancel).await
    }

    /// A payment that failed may have captured all the same: only a webhook makes us ask.
    pub(super) async fn look_for_late_capture(
        &self,
        id: AttemptId,
        view: &AttemptView,
    ) -> Result<Step, LookError> {
        let provider = self.provider(view)?;
        let reference = self.reference(id).await?;
        let look_up = provider.look_up(key(id), reference.as_deref());
        let found = self.call(provider, "look_up", look_up).await?;
        match found.map(|payment| payment.status) {
            Some(PaymentStatus::Captured) => self.report(id, Report::Captured).await,
            Some(
                PaymentStatus::Failed(_)
                | PaymentStatus::ActionRequired { .. }
                | PaymentStatus::ConfirmationRequired
                | PaymentStatus::Pending,
            )
            | None => Ok(Step::Ended),
        }
    }
}

/// When the payment is taken back: at the hold's end, at once if the drop is cancelled.
fn cancel_at(view: &AttemptView, waits_for: WaitReason) -> Timestamp {
    if view.phase.is_cancelled() {
        return Timestamp::default();
    }
    let expires_at = view.order.hold_expires_at;
    let last = match waits_for {
        WaitReason::ActionRequired => expires_at + ACTION_GRACE,
        WaitReason::Pending | WaitReason::Unknown => expires_at,
    };
    last.max(view.attempt.started_at + CANCEL_AFTER)
}
