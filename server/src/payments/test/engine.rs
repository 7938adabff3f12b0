//! What is behind the provider: the state, its file, and what goes on by itself.

use std::{future::pending, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use http::HeaderMap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    agenda::{Agenda, Work, backoff},
    draft::Draft,
    file::FileError,
    journal::{Broken, Journal},
    state::{Entry, State},
    webhook::{self, Signer},
};
use crate::{
    env::{SharedEnv, random},
    payments::{AttemptKey, ProviderError},
};

/// Works carried out at once: captures share an fsync, webhooks wait for their receiver.
const AT_ONCE: usize = 256;
/// A delivery that takes longer has failed.
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(30);
/// When what could not be done is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Takes webhooks, as `POST /webhooks/payments/{provider}` does.
#[async_trait]
pub trait Deliver: Send + Sync + std::fmt::Debug {
    /// Hands over a message; true if it was answered with 200, so that it need not come again.
    async fn deliver(&self, provider: &'static str, headers: HeaderMap, body: Bytes) -> bool;
}

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) env: SharedEnv,
    journal: Journal,
    pub(super) state: Mutex<State>,
    pub(super) agenda: Agenda,
    pub(super) signer: Signer,
    deliver: Mutex<Option<Arc<dyn Deliver>>>,
    pub(super) stop: CancellationToken,
}

impl Engine {
    pub(super) fn open(env: SharedEnv, file: Option<&Path>) -> Result<Self, FileError> {
        let mut state = State::default();
        let journal = match file {
            None => Journal::Memory,
            Some(path) => Journal::open(path, |line| {
                state.apply(&line).map_err(|illegal| illegal.to_string())
            })?,
        };
        Ok(Self::new(env, state, journal))
    }

    pub(super) fn new(env: SharedEnv, state: State, journal: Journal) -> Self {
        let agenda = Agenda::default();
        for (key, entry) in &state.payments {
            if let Some((at, _)) = entry.next() {
                agenda.add(at, Work::GoOn(*key));
            }
        }
        Self {
            signer: Signer::new(&random(&*env)),
            env,
            journal,
            state: Mutex::new(state),
            agenda,
            deliver: Mutex::default(),
            stop: CancellationToken::new(),
        }
    }

    /// Where webhooks go from now on; those that are owed go at once.
    pub(super) fn set_deliver(&self, deliver: Option<Arc<dyn Deliver>>) {
        let state = self.state.lock();
        let is_set = deliver.is_some();
        *self.deliver.lock() = deliver;
        if is_set {
            self.deliver_soon(state.owed.keys().cloned());
        }
    }

    /// Does what is due on a payment, then `work`; answers when everything that was seen and added is on disk.
    pub(super) async fn transact<T: Send>(
        &self,
        key: AttemptKey,
        work: impl FnOnce(&mut Draft<'_>) -> Result<T, ProviderError> + Send,
    ) -> Result<T, ProviderError> {
        let broken = "the test provider's file can't be written".to_owned();
        let slot = self.journal.reserve().await;
        let slot = slot.map_err(|Broken| ProviderError::Unavailable(broken.clone()))?;
        let (answer, written) = {
            let mut state = self.state.lock();
            let mut draft = Draft::new(&mut state, key, self.env.now());
            let answer = draft.go_on(true).and_then(|()| work(&mut draft));
            let Draft { lines, events, .. } = draft;
            if let Some((at, _)) = state.payments.get(&key).and_then(Entry::next)
                && !lines.is_empty()
            {
                self.agenda.add(at, Work::GoOn(key));
            }
            if self.deliver.lock().is_some() {
                self.deliver_soon(events);
            }
            (answer, slot.submit(lines))
        };
        let written = written.wait().await;
        written.map_err(|Broken| ProviderError::Unknown(broken))?;
        answer
    }

    fn deliver_soon(&self, events: impl IntoIterator<Item = String>) {
        let now = self.env.now();
        for event in events {
            self.agenda.add(now, Work::Deliver { event, tries: 0 });
        }
    }

    /// Carries out the agenda until it is stopped.
    pub(super) async fn run(self: Arc<Self>) {
        let mut running = FuturesUnordered::new();
        loop {
            let now = self.env.now();
            while running.len() < AT_ONCE
                && let Some(work) = self.agenda.take_due(now)
            {
                running.push(self.carry_out(work));
            }
            let next = self.agenda.next().filter(|_| running.len() < AT_ONCE);
            let alarm = async {
                match next {
                    Some(at) => self.env.sleep(at.since(now)).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.agenda.changed.notified() => {}
                () = alarm => {}
                Some(()) = running.next(), if !running.is_empty() => {}
            }
        }
    }

    pub(super) async fn carry_out(&self, work: Work) {
        match work {
            Work::GoOn(key) => {
                if let Err(error) = self.transact(key, |_| Ok(())).await {
                    tracing::warn!(%key, %error, "a test payment could not go on");
                    let again = self.env.now() + AGAIN_AFTER;
                    self.agenda.add(again, Work::GoOn(key));
                }
            }
            Work::Deliver { event, tries } => {
                if !self.deliver(&event).await {
                    let again = self.env.now() + backoff(tries);
                    let tries = tries.saturating_add(1);
                    self.agenda.add(again, Work::Deliver { event, tries });
                }
            }
        }
    }

    /// Sends a webhook; false if it has to be sent again.
    async fn deliver(&self, event: &str) -> bool {
        let owed = self.state.lock().owed.get(event).cloned();
        let deliver = self.deliver.lock().clone();
        // Without a receiver it stays owed until there is one.
        let (Some(owed), Some(deliver)) = (owed, deliver) else {
            return true;
        };
        // Nobody is told what is not on disk.
        if self.transact(owed.key, |_| Ok(())).await.is_err() {
            return false;
        }
        let body = webhook::body(event, &owed);
        let headers = self.signer.sign(self.env.now(), &body);
        let sends =
            (0..owed.copies).map(|_| deliver.deliver(super::NAME, headers.clone(), body.clone()));
        let taken = tokio::select! {
            answers = join_all(sends) => answers.into_iter().all(|taken| taken),
            () = self.env.sleep(DELIVERY_TIME_MAX) => false,
        };
        let delivered = async {
            let event = event.to_owned();
            self.transact(owed.key, |draft| draft.delivered(event))
                .await
                .is_ok()
        };
        taken && delivered.await
    }
}
