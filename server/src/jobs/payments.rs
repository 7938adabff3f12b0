//! The payment runner: goes on with every open payment and refund of the ledgers in memory until it has ended. Driven by applied records,
//! never by a call: after a crash the ledger is opened again, and its open attempts come back by themselves.
//!
//! Everything here may be dropped at any moment and done twice: providers know attempts by their keys, and the fold knows what it has.

mod charge;
mod refund;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    domain::Money,
    env::SharedEnv,
    ledger::{
        Answer, AttemptId, AttemptView, Command, LedgerError, Registry, Report, Share,
        state::AttemptState,
    },
    payments::{AttemptKey, PaymentStatus, ProviderError, Providers, SharedProvider},
    store::{Put, SharedStore, StoreError, payments::AttemptRow},
};

/// Calls to providers at once: one that hangs must not take the process' memory with it.
const CALLS_MAX: usize = 256;
/// How long a ledger may take to answer the runner; it asks again.
const LEDGER_WITHIN: Duration = Duration::from_secs(10);
/// Looks at one attempt come this far apart: at first, and at most. Webhooks are quicker.
const LOOK_AFTER: Duration = Duration::from_secs(1);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(15);

/// What another process began it has this long to go on with: longer than it takes to be known as dead. Two that work on one payment are
/// harmless, but the provider would be asked twice.
const OTHERS_WITHIN: Duration = Duration::from_secs(6);

/// Why nothing could be found out about an attempt.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No such attempt: nothing of ours.
    #[error("unknown attempt")]
    Unknown,
    /// The ledger, the store or the provider does not answer; later it may.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for LookError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ProviderError> for LookError {
    fn from(error: ProviderError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// What became of one look at an attempt.
enum Step {
    /// It stands so now; look again at once.
    Moved(Box<AttemptView>),
    /// Nothing new: look again later.
    Waits,
    /// Nobody has to go on with it.
    Ended,
}

/// Shared handle on the runner.
#[derive(Clone)]
pub struct PaymentRunner(Arc<Inner>);

struct Inner {
    env: SharedEnv,
    store: SharedStore,
    ledgers: Registry,
    providers: Providers,
    calls: Semaphore,
    /// Attempts that a task goes on with; true: it came up again meanwhile, as for its refund.
    running: Mutex<BTreeMap<AttemptId, bool>>,
    tasks: TaskTracker,
}

impl fmt::Debug for PaymentRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentRunner")
            .field("running", &self.0.running.lock().len())
            .finish_non_exhaustive()
    }
}

impl PaymentRunner {
    /// A runner that does nothing yet.
    #[must_use]
    pub fn new(
        env: SharedEnv,
        store: SharedStore,
        ledgers: Registry,
        providers: Providers,
    ) -> Self {
        Self(Arc::new(Inner {
            env,
            store,
            ledgers,
            providers,
            calls: Semaphore::new(CALLS_MAX),
            running: Mutex::default(),
            tasks: TaskTracker::new(),
        }))
    }

    /// The providers.
    #[must_use]
    pub fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let work = self.0.ledgers.work();
        while let Some(taken) = stop.run_until_cancelled(work.take()).await {
            for (id, share) in taken {
                if share == Share::Own && !self.begin(id) {
                    continue;
                }
                let (runner, stop) = (self.clone(), stop.clone());
                let task = self.0.tasks.track_future(async move {
                    stop.run_until_cancelled(runner.take_up(id, share)).await;
                });
                self.0.env.spawn("payment", Box::pin(task));
            }
        }
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Whether a task has to be started; one that runs already will look again.
    fn begin(&self, id: AttemptId) -> bool {
        let mut running = self.0.running.lock();
        let is_running = running.contains_key(&id);
        running.insert(id, is_running);
        count_running(running.len());
        !is_running
    }

    /// Whether the task may end: nothing came up since it looked.
    fn end(&self, id: AttemptId) -> bool {
        let mut running = self.0.running.lock();
        match running.get_mut(&id) {
            Some(again) if *again => {
                *again = false;
                false
            }
            Some(_) | None => {
                running.remove(&id);
                count_running(running.len());
                true
            }
        }
    }

    /// Goes on with an attempt, at once or when others had their time.
    async fn take_up(&self, id: AttemptId, share: Share) {
        if share == Share::Others {
            self.0.env.sleep(OTHERS_WITHIN).await;
            if !self.begin(id) {
                return;
            }
        }
        self.go_on(id).await;
    }

    /// Goes on with an attempt until it has ended.
    async fn go_on(&self, id: AttemptId) {
        let (mut known, mut wait) = (None, LOOK_AFTER);
        loop {
            match self.step(id, known.take()).await {
                Ok(Step::Moved(view)) => {
                    known = Some(*view);
                    wait = LOOK_AFTER;
                }
                Ok(Step::Ended) | Err(LookError::Unknown) => {
                    if self.end(id) {
                        return;
                    }
                }
                Ok(Step::Waits) => self.pause(id, &mut wait).await,
                Err(LookError::Unavailable(cause)) => {
                    tracing::debug!(order_id = %id.order_id, attempt = id.attempt, cause, "payment is looked at again");
                    self.pause(id, &mut wait).await;
                }
            }
        }
    }

    /// Waits before the next look, longer each time; not longer than until the drop is cancelled.
    async fn pause(&self, id: AttemptId, wait: &mut Duration) {
        let cancelled = async {
            let Ok(ledger) = self.0.ledgers.ledger(id.drop_id).await else {
                return std::future::pending().await;
            };
            let mut view = ledger.view.clone();
            drop(ledger);
            let is_cancelled = view.borrow().phase.is_cancelled();
            if is_cancelled || view.wait_for(|it| it.phase.is_cancelled()).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = self.0.env.sleep(*wait) => {}
            () = cancelled => {}
        }
        *wait = (*wait * 2).min(LOOK_AFTER_MAX);
    }

    /// Looks at an attempt once, asks the provider what there is to ask, and lets the ledger know.
    ///
    /// # Errors
    /// If it could not be found out; a webhook is then sent again.
    pub async fn look(&self, id: AttemptId) -> Result<(), LookError> {
        let view = self.attempt(id).await?;
        let mut known = if view.attempt.state == AttemptState::Failed {
            self.look_for_late_capture(id, &view).await?;
            None
        } else {
            // Not read again: an attempt that failed meanwhile would be left alone, whatever it has captured.
            Some(view)
        };
        // A payment may have to be confirmed, and what it captured to go back: three steps at most.
        for _ in 0..3 {
            match self.step(id, known.take()).await? {
                Step::Moved(view) => known = Some(*view),
                Step::Waits | Step::Ended => break,
            }
        }
        Ok(())
    }

    async fn step(&self, id: AttemptId, known: Option<AttemptView>) -> Result<Step, LookError> {
        let view = match known {
            Some(view) => view,
            None => self.attempt(id).await?,
        };
        match view.attempt.state {
            AttemptState::Open(waits_for) => self.go_on_with_payment(id, &view, waits_for).await,
            AttemptState::Refunding { .. } => self.go_on_with_refund(id, &view).await,
            AttemptState::Failed | AttemptState::Captured | AttemptState::Refunded => {
                Ok(Step::Ended)
            }
        }
    }

    async fn attempt(&self, id: AttemptId) -> Result<AttemptView, LookError> {
        let command = Command::GetAttempt {
            order_id: id.order_id,
            attempt: id.attempt,
        };
        self.ask(id, command).await
    }

    /// Lets the ledger know what the provider says.
    async fn report(&self, id: AttemptId, report: Report) -> Result<Step, LookError> {
        let command = Command::ReportPayment {
            call: None,
            order_id: id.order_id,
            attempt: id.attempt,
            report,
        };
        Ok(Step::Moved(Box::new(self.ask(id, command).await?)))
    }

    async fn ask(&self, id: AttemptId, command: Command) -> Result<AttemptView, LookError> {
        match self
            .0
            .ledgers
            .call(id.drop_id, command, LEDGER_WITHIN)
            .await
        {
            Ok((_, Answer::Attempt(view))) => Ok(*view),
            Ok((_, Answer::Refused(_) | Answer::Order(_) | Answer::Drop(_)))
            | Err(LedgerError::UnknownDrop | LedgerError::NotFrozen(_)) => Err(LookError::Unknown),
            Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
                Err(LookError::Unavailable(error.to_string()))
            }
        }
    }

    /// Calls a provider; waits while too many calls are under way.
    async fn call<T>(
        &self,
        provider: &SharedProvider,
        name: &'static str,
        call: impl Future<Output = T>,
    ) -> T {
        let _place = self.0.calls.acquire().await;
        let started = self.0.env.now();
        let answer = call.await;
        let took = self.0.env.now().since(started);
        metrics::histogram!("livedrop_payment_call_seconds", "provider" => provider.name(), "call" => name)
            .record(took);
        answer
    }

    /// The provider of an attempt; without it somebody has to configure it again, or settle by hand.
    fn provider(&self, view: &AttemptView) -> Result<&SharedProvider, LookError> {
        let name = &*view.attempt.provider;
        self.0.providers.get(name).ok_or_else(|| {
            tracing::error!(order_id = %view.order.order_id, provider = name, "a payment waits for a provider that is not configured");
            LookError::Unavailable("its provider is not configured".to_owned())
        })
    }

    /// The provider's id of a payment, if it was noted.
    async fn reference(&self, id: AttemptId) -> Result<Option<String>, LookError> {
        let row = self.0.store.get_attempt(id.order_id, id.attempt).await?;
        Ok(row.map(|row| row.reference))
    }

    /// Notes the provider's id of a payment before anything is told that rests on it.
    async fn note(&self, id: AttemptId, provider: &str, reference: &str) -> Result<(), LookError> {
        let row = AttemptRow {
            provider: provider.to_owned(),
            reference: reference.to_owned(),
            noted_at: self.0.env.now(),
        };
        match self
            .0
            .store
            .put_attempt(id.order_id, id.attempt, &row)
            .await?
        {
            Put::Exists(first) if first.reference != reference => {
                tracing::error!(order_id = %id.order_id, attempt = id.attempt, first = first.reference, second = reference, "two payments of one attempt");
            }
            Put::Exists(_) | Put::Done => {}
        }
        Ok(())
    }
}

const fn key(id: AttemptId) -> AttemptKey {
    AttemptKey {
        drop_id: id.drop_id,
        order_id: id.order_id,
        attempt: id.attempt,
    }
}

fn amount(view: &AttemptView) -> Money {
    Money {
        currency: view.terms.currency,
        amount_minor: view.attempt.amount_minor,
    }
}

fn count_running(running: usize) {
    metrics::gauge!("livedrop_payments_running").set(running as f64);
}

/// Counts what a provider said of a payment.
fn count(provider: &str, status: &PaymentStatus) {
    let outcome = match status {
        PaymentStatus::Captured => "captured",
        PaymentStatus::Failed(reason) => reason.as_str(),
        PaymentStatus::ActionRequired { .. } => "action_required",
        PaymentStatus::ConfirmationRequired => "confirmation_required",
        PaymentStatus::Pending => "pending",
    };
    metrics::counter!("livedrop_payment_answers_total", "provider" => provider.to_owned(), "outcome" => outcome)
        .increment(1);
}
