//! The test provider: in process, deterministic, without money. The token of the payment method says what happens:
//!
//! | token | what happens |
//! |---|---|
//! | `pm_test_ok` | captures at once |
//! | `pm_test_declined`, `pm_test_insufficient_funds` | fails so |
//! | `pm_test_3ds` | the buyer approves or declines on a page; an approved payment captures when it is confirmed |
//! | `pm_test_slow` | pending; captures 15 s after its start |
//! | `pm_test_unknown` | captures, and the answer to `start` is lost |
//! | `pm_test_late` | fails as declined, and captures 3 s later |
//! | `pm_test_duplicate_webhook` | pending; captures after 1 s, and every webhook comes twice at the same time |
//! | `pm_test_refund_fails_once` | captures; the first refund fails, the next works |
//! | any other | fails as invalid |
//!
//! Whatever happens outside a call (a capture by time, a button pressed by the buyer) is told by webhook until it is taken. What a call
//! answers is not.
//!
//! # The file
//! `test-provider.jsonl` is the provider's whole memory: one JSON object per line, appended, one fsync for all that wait, and no answer
//! before its lines are there. A last line without `\n` was torn by a crash and does not count. Every line has
//!
//! | name | value |
//! |---|---|
//! | `at` | microseconds since 1970, by the provider's clock |
//! | `drop_id`, `order_id`, `attempt` | the attempt |
//! | `amount_minor`, `currency` | the payment's amount in minor units, ISO 4217; 0 and absent if it was never started |
//! | `fact` | what happened |
//!
//! and by `fact` (`event`, where present, is the id of the webhook that is owed from then on):
//!
//! | `fact` | when, and what else is in the line |
//! |---|---|
//! | `started` | with `kind` (the token without `pm_test_`, or `invalid`) and for `3ds` `page`, the secret of its page's address |
//! | `action_done` | the buyer approved; `event` |
//! | `captured` | the amount was taken; at most once per attempt; `event` if outside a call |
//! | `failed` | nothing was taken; `reason` (`DECLINED`, ...); `event` if outside a call; `captured` may follow for `late` |
//! | `cancelled` | nothing was taken, nor will be |
//! | `refund_failed` | a refund did not work this time |
//! | `refunded` | the amount was given back; at most once per attempt |
//! | `webhook_delivered` | `event` was taken by its receiver |

mod agenda;
pub mod books;
mod draft;
mod engine;
mod file;
mod journal;
mod kind;
mod line;
mod state;
mod webhook;

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

pub use self::{books::Books, engine::Deliver, file::FileError};
use self::{draft::Draft, engine::Engine, kind::Kind, state::Stage};
use super::{
    AttemptKey, Charge, Payment, PaymentStatus, Provider, ProviderError, Refund, RefundStatus,
    WebhookError, WebhookEvent,
};
use crate::{
    domain::{Money, Timestamp},
    env::{SharedEnv, random},
};

/// The provider's name.
pub const NAME: &str = "test";
/// The file's name in the data directory.
pub const FILE_NAME: &str = "test-provider.jsonl";
/// Where 3-D Secure pages are served; the page's secret follows.
pub const PAGE_PATH: &str = "/test-provider/3ds";

/// The provider. It goes on by itself until it is stopped or dropped.
pub struct TestProvider {
    engine: Arc<Engine>,
    public_url: Mutex<String>,
    tasks: TaskTracker,
}

/// A payment as its 3-D Secure page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// How much.
    pub amount: Money,
    /// The buyer is asked only at `ActionRequired`.
    pub status: PaymentStatus,
}

impl fmt::Debug for TestProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestProvider").finish_non_exhaustive()
    }
}

impl TestProvider {
    /// Opens the provider on its file in the directory `data`, or in memory; goes on with what was open. Reads the whole file: blocks.
    ///
    /// # Errors
    /// If the file can't be used, is damaged or in use.
    pub fn open(env: SharedEnv, data: Option<&Path>) -> Result<Self, FileError> {
        let path = data.map(|data| data.join(FILE_NAME));
        Ok(Self::on(Engine::open(env, path.as_deref())?))
    }

    fn on(engine: Engine) -> Self {
        let (engine, tasks) = (Arc::new(engine), TaskTracker::new());
        let run = tasks.track_future(Arc::clone(&engine).run());
        engine.env.spawn("test-provider", Box::pin(run));
        Self {
            engine,
            public_url: Mutex::new("http://localhost".to_owned()),
            tasks,
        }
    }

    /// Says where webhooks go. Those of before, also of before a restart, follow at once.
    pub fn set_deliver(&self, deliver: Arc<dyn Deliver>) {
        self.engine.set_deliver(Some(deliver));
    }

    /// Sets the base of the addresses that buyers are sent to, such as `http://127.0.0.1:8080`.
    pub fn set_public_url(&self, url: String) {
        *self.public_url.lock() = url;
    }

    /// Ends what goes on by itself, and lets go of the receiver of webhooks. Calls are still answered.
    pub async fn stop(&self) {
        self.engine.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.engine.set_deliver(None);
    }

    /// What was captured and refunded.
    #[must_use]
    pub fn books(&self) -> Books {
        Books::of(&self.engine.state.lock())
    }

    /// What the 3-D Secure page with this secret shows; `None` if there is no such page.
    ///
    /// # Errors
    /// If the file can't be written any more.
    pub async fn challenge(&self, page: &str) -> Result<Option<Challenge>, ProviderError> {
        self.on_page(page, |_| Ok(())).await
    }

    /// The buyer approves. Only the first answer counts. `None` if there is no such page.
    ///
    /// # Errors
    /// If the file can't be written any more.
    pub async fn approve(&self, page: &str) -> Result<Option<Challenge>, ProviderError> {
        self.on_page(page, |draft| draft.answer(true)).await
    }

    /// The buyer declines. Only the first answer counts. `None` if there is no such page.
    ///
    /// # Errors
    /// If the file can't be written any more.
    pub async fn decline(&self, page: &str) -> Result<Option<Challenge>, ProviderError> {
        self.on_page(page, |draft| draft.answer(false)).await
    }

    async fn on_page(
        &self,
        page: &str,
        work: impl FnOnce(&mut Draft<'_>) -> Result<(), ProviderError> + Send,
    ) -> Result<Option<Challenge>, ProviderError> {
        let key = self.engine.state.lock().pages.get(page).copied();
        let Some(key) = key else { return Ok(None) };
        let work = |draft: &mut Draft<'_>| {
            work(draft)?;
            let amount = draft.known()?.origin.as_ref().map(|origin| origin.amount);
            Ok((amount, self.payment(key, draft)?.status))
        };
        let (amount, status) = self.engine.transact(key, work).await?;
        Ok(amount.map(|amount| Challenge { amount, status }))
    }

    /// The payment as callers see it.
    fn payment(&self, key: AttemptKey, draft: &Draft<'_>) -> Result<Payment, ProviderError> {
        let entry = draft.known()?;
        let page = entry
            .origin
            .as_ref()
            .and_then(|origin| origin.page.as_deref());
        let status = match entry.stage {
            Stage::Pending => PaymentStatus::Pending,
            Stage::ActionRequired => PaymentStatus::ActionRequired {
                url: format!(
                    "{}{PAGE_PATH}/{}",
                    self.public_url.lock(),
                    page.unwrap_or_default()
                ),
            },
            Stage::ActionDone => PaymentStatus::ConfirmationRequired,
            Stage::Captured => PaymentStatus::Captured,
            Stage::Failed(reason) => PaymentStatus::Failed(reason),
        };
        let reference = webhook::reference(key);
        Ok(Payment { reference, status })
    }
}

impl Drop for TestProvider {
    fn drop(&mut self) {
        self.engine.stop.cancel();
    }
}

fn check_reference(key: AttemptKey, reference: Option<&str>) -> Result<(), ProviderError> {
    match reference {
        Some(given) if given != webhook::reference(key) => Err(ProviderError::Rejected(
            "the reference is another payment's".to_owned(),
        )),
        Some(_) | None => Ok(()),
    }
}

#[async_trait]
impl Provider for TestProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn start(&self, charge: &Charge) -> Result<Payment, ProviderError> {
        let (key, kind) = (charge.key, Kind::of(&charge.method));
        let page =
            (kind == Kind::ThreeDSecure).then(|| hex::encode(random::<16>(&*self.engine.env)));
        let work = |draft: &mut Draft<'_>| {
            let is_new = draft.start(charge.amount, kind, page)?;
            Ok((is_new, self.payment(key, draft)?))
        };
        let (is_new, payment) = self.engine.transact(key, work).await?;
        if is_new && kind == Kind::Unknown {
            return Err(ProviderError::Unknown("the answer was lost".to_owned()));
        }
        Ok(payment)
    }

    async fn confirm(&self, key: AttemptKey, reference: &str) -> Result<Payment, ProviderError> {
        check_reference(key, Some(reference))?;
        let work = |draft: &mut Draft<'_>| {
            draft.confirm()?;
            self.payment(key, draft)
        };
        self.engine.transact(key, work).await
    }

    async fn cancel(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        check_reference(key, reference)?;
        let work = |draft: &mut Draft<'_>| {
            draft.cancel()?;
            self.payment(key, draft).map(Some)
        };
        self.engine.transact(key, work).await
    }

    async fn look_up(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        check_reference(key, reference)?;
        let work = |draft: &mut Draft<'_>| match draft.entry() {
            None => Ok(None),
            Some(_) => self.payment(key, draft).map(Some),
        };
        self.engine.transact(key, work).await
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundStatus, ProviderError> {
        check_reference(refund.key, refund.reference.as_deref())?;
        let work = |draft: &mut Draft<'_>| draft.refund(refund.amount);
        self.engine.transact(refund.key, work).await
    }

    fn verify_webhook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError> {
        self.engine.signer.verify(headers, body, now)
    }
}

#[cfg(test)]
mod tests;
