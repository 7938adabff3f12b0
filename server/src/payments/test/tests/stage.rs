//! The test provider on stage: in memory or on a file, with a receiver of webhooks that fails when told to.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;

use super::hand::HandEnv;
use crate::{
    domain::{
        Timestamp,
        payment::{FailReason, PaymentMethod},
    },
    env::SharedEnv,
    payments::{
        AttemptKey, Provider as _, SharedProvider, WebhookEvent,
        conformance::{Behaviour, Scene, Taken},
        test::{
            Deliver, FILE_NAME, FileError, PAGE_PATH, TestProvider,
            agenda::Work,
            books::{self, Books},
        },
    },
};

/// Longer than anything the provider does by itself takes.
const LONG: Duration = Duration::from_secs(20);

/// A message that has not come by then never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps every message that came; refuses the first ones if told to.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) messages: watch::Sender<Vec<(HeaderMap, Bytes)>>,
    pub(crate) refuse: Mutex<usize>,
}

impl Inbox {
    /// The messages, as soon as there are so many.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<(HeaderMap, Bytes)> {
        let mut messages = self.messages.subscribe();
        let enough = messages.wait_for(|messages| messages.len() >= count);
        let enough = tokio::time::timeout(PATIENCE, enough).await;
        enough.expect("the messages come").unwrap().clone()
    }
}

#[async_trait]
impl Deliver for Inbox {
    async fn deliver(&self, provider: &'static str, headers: HeaderMap, body: Bytes) -> bool {
        assert_eq!(provider, "test");
        self.messages
            .send_modify(|messages| messages.push((headers, body)));
        let mut refuse = self.refuse.lock();
        let taken = *refuse == 0;
        *refuse = refuse.saturating_sub(1);
        taken
    }
}

pub(crate) struct Stage {
    pub(crate) env: Arc<HandEnv>,
    pub(crate) inbox: Arc<Inbox>,
    provider: Mutex<Option<Arc<TestProvider>>>,
    folder: Option<TempDir>,
}

impl Stage {
    pub(crate) fn in_memory() -> Self {
        Self::new(None)
    }

    pub(crate) fn on_file() -> Self {
        Self::new(Some(TempDir::new().unwrap()))
    }

    fn new(folder: Option<TempDir>) -> Self {
        let stage = Self {
            env: Arc::new(HandEnv::new()),
            inbox: Arc::default(),
            provider: Mutex::default(),
            folder,
        };
        *stage.provider.lock() = Some(Arc::new(stage.open().unwrap()));
        stage
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(FILE_NAME)
    }

    pub(crate) fn test_provider(&self) -> Arc<TestProvider> {
        self.provider.lock().clone().unwrap()
    }

    pub(crate) fn open(&self) -> Result<TestProvider, FileError> {
        let env: SharedEnv = self.env.clone();
        let data = self.folder.as_ref().map(TempDir::path);
        let provider = TestProvider::open(env, data)?;
        provider.set_deliver(self.inbox.clone());
        Ok(provider)
    }

    /// Drops the provider without stopping it. Whoever calls holds none.
    pub(crate) async fn kill(&self) {
        let provider = self.provider.lock().take().unwrap();
        let tasks = provider.tasks.clone();
        drop(provider);
        tasks.close();
        tasks.wait().await;
    }

    pub(crate) fn restart(&self) {
        *self.provider.lock() = Some(Arc::new(self.open().unwrap()));
    }

    pub(crate) fn event(&self, (headers, body): &(HeaderMap, Bytes)) -> WebhookEvent {
        let provider = self.test_provider();
        provider
            .verify_webhook(headers, body, crate::env::Env::now(&*self.env))
            .unwrap()
    }

    pub(crate) fn books(&self) -> Books {
        let books = self.test_provider().books();
        if self.folder.is_some() {
            // The file may be ahead by what is on its way to its caller, never behind.
            assert_eq!(books::read(&self.file()).unwrap(), books);
        }
        books
    }
}

#[async_trait]
impl Scene for Stage {
    fn provider(&self) -> SharedProvider {
        self.test_provider()
    }

    fn now(&self) -> Timestamp {
        crate::env::Env::now(&*self.env)
    }

    fn method(&self, behaviour: Behaviour) -> Option<PaymentMethod> {
        let token = match behaviour {
            Behaviour::Captures => "pm_test_ok",
            Behaviour::Fails(FailReason::Declined) => "pm_test_declined",
            Behaviour::Fails(FailReason::InsufficientFunds) => "pm_test_insufficient_funds",
            Behaviour::Fails(FailReason::InvalidMethod) => "pm_of_another_provider",
            Behaviour::Fails(
                FailReason::AuthenticationFailed
                | FailReason::Cancelled
                | FailReason::ProviderError
                | FailReason::SettledByHand,
            ) => return None,
            Behaviour::AsksBuyer => "pm_test_3ds",
            Behaviour::CapturesLater => "pm_test_slow",
            Behaviour::LosesAnswer => "pm_test_unknown",
            Behaviour::FailsThenCaptures => "pm_test_late",
            Behaviour::RefundFailsOnce => "pm_test_refund_fails_once",
        };
        Some(token.parse().unwrap())
    }

    async fn act(&self, url: &str, approves: bool) {
        let (_, page) = url.split_once(&format!("{PAGE_PATH}/")).unwrap();
        let provider = self.test_provider();
        let challenge = if approves {
            provider.approve(page).await
        } else {
            provider.decline(page).await
        };
        assert!(challenge.unwrap().is_some());
    }

    async fn pass_time(&self, key: AttemptKey) {
        self.env.advance(LONG);
        // What the provider's own task does too; whoever is first does it.
        self.test_provider().engine.carry_out(Work::GoOn(key)).await;
    }

    async fn taken(&self, key: AttemptKey) -> Taken {
        let books = self.books();
        books
            .attempts
            .get(&key)
            .map_or_else(Taken::default, |sums| Taken {
                currency: Some(sums.currency),
                captured_minor: sums.captured_minor,
                refunded_minor: sums.refunded_minor,
            })
    }

    async fn reopen(&self) -> bool {
        if self.folder.is_none() {
            return false;
        }
        self.kill().await;
        self.restart();
        true
    }

    async fn webhook(&self, key: AttemptKey) -> (HeaderMap, Bytes) {
        let mut messages = self.inbox.messages.subscribe();
        let order = key.order_id.to_string();
        let of_key =
            |(_, body): &&(HeaderMap, Bytes)| String::from_utf8_lossy(body).contains(&order);
        let came = messages.wait_for(|messages| messages.iter().any(|message| of_key(&message)));
        let came = came.await.unwrap();
        came.iter().find(of_key).cloned().unwrap()
    }
}
