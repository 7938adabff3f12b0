//! The fake Stripe beside the servers: outlives them when they are killed, tells them by webhooks what happens, and keeps the books that the
//! money is judged by.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use anyhow::ensure;
use fake_stripe::{FakeStripe, Message, SECRET_KEY, WEBHOOK_SECRET, method};
use futures::{StreamExt, stream};
use http::{Request, StatusCode};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep},
};

use super::{
    http::Http,
    provider::{Books, Payment},
    wallet::{self, LATE, THREE_D_SECURE},
};

/// What Stripe does by itself, such as a late capture, it does after this time.
const BY_ITSELF_AFTER: Duration = Duration::from_secs(4);
/// Between two rounds of messages. One that was not taken comes again in the next.
const ROUND_EVERY: Duration = Duration::from_millis(250);
/// Messages on their way at once.
const MESSAGES_AT_ONCE: usize = 8;
/// One of so many messages comes twice at the same time, to two servers if there are.
const TWICE_ONE_IN: usize = 3;

/// A running fake and its messenger, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stripe {
    fake: Arc<FakeStripe>,
    /// Messages that a server has taken.
    delivered: Arc<AtomicUsize>,
    messenger: Option<AbortHandle>,
}

impl Drop for Stripe {
    fn drop(&mut self) {
        if let Some(messenger) = &self.messenger {
            messenger.abort();
        }
    }
}

impl Stripe {
    /// Starts one that tells nobody yet.
    pub(crate) async fn start() -> Self {
        Self {
            fake: Arc::new(FakeStripe::start().await),
            delivered: Arc::default(),
            messenger: None,
        }
    }

    /// What a server needs to take payments here, as variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        [
            ("PROVIDER", "stripe"),
            ("STRIPE_SECRET", SECRET_KEY),
            ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("STRIPE_RETURN_URL", "https://shop.example/paid"),
            ("STRIPE_API_URL", self.fake.base_url()),
        ]
        .map(|(name, value)| (format!("LIVEDROP_PAYMENTS__{name}"), value.to_owned()))
        .into()
    }

    /// Sends messages to these servers from now on, to each in turn, until one takes them.
    pub(crate) fn tell(&mut self, endpoints: Vec<String>) {
        let messenger = Messenger {
            fake: Arc::clone(&self.fake),
            delivered: Arc::clone(&self.delivered),
            endpoints,
            http: Http::new(),
            known: 0,
            waiting: BTreeMap::new(),
        };
        self.messenger = Some(tokio::spawn(messenger.run()).abort_handle());
    }

    /// The buyer on the page of 3-D Secure.
    pub(crate) fn decide(&self, url: &str, approves: bool) {
        self.fake.authenticate(url, approves);
    }

    /// All that it has taken and given back.
    pub(crate) fn books(&self) -> Books {
        let mut books = Books::default();
        for it in self.fake.movements() {
            let payment = Payment {
                currencies: it.currencies.iter().map(|it| it.to_uppercase()).collect(),
                captures: it.captures,
                refunds: it.refunds,
                ..Payment::default()
            };
            if it.is_waiting {
                books.owed.insert(format!("{} {}", it.order_id, it.attempt));
            }
            let of_drop = books.drops.entry(it.drop_id).or_default();
            of_drop.insert((it.order_id, it.attempt), payment);
        }
        let told = self.fake.messages_after(0).len();
        let delivered = self.delivered.load(Relaxed);
        books
            .owed
            .extend((delivered..told).map(|it| it.to_string()));
        books
    }
}

/// What Stripe calls a card that the wallets call by the test provider's names. One that no provider knows stays as it is.
pub(crate) fn method(token: &'static str) -> &'static str {
    match token {
        wallet::OK | "pm_test_duplicate_webhook" => method::CAPTURES,
        "pm_test_declined" => method::DECLINED,
        "pm_test_insufficient_funds" => method::INSUFFICIENT_FUNDS,
        THREE_D_SECURE => method::ASKS_BUYER,
        LATE => method::DECLINED_THEN_CAPTURES,
        "pm_test_slow" => method::CAPTURES_LATER,
        "pm_test_unknown" => method::LOSES_ANSWER,
        "pm_test_refund_fails_once" => method::REFUND_FAILS_ONCE,
        other => other,
    }
}

/// Lets time pass at Stripe, and delivers its messages.
struct Messenger {
    fake: Arc<FakeStripe>,
    delivered: Arc<AtomicUsize>,
    endpoints: Vec<String>,
    http: Http,
    /// Messages that were seen.
    known: usize,
    /// Attempts that something will happen to by itself, and since when.
    waiting: BTreeMap<(String, i32), Instant>,
}

impl Messenger {
    async fn run(mut self) {
        let mut pending: Vec<(usize, Message)> = Vec::new();
        // Another server each round: one may be dead.
        for round in 0.. {
            self.pass_time();
            let new = self.fake.messages_after(self.known);
            let numbers = self.known..;
            self.known += new.len();
            pending.extend(numbers.zip(new));
            let deliveries = std::mem::take(&mut pending).into_iter();
            let deliveries = deliveries.map(|(number, message)| {
                let messenger = &self;
                async move {
                    let delivered = messenger.deliver(number, round, &message).await;
                    delivered.err().map(|_| (number, message))
                }
            });
            let undelivered = stream::iter(deliveries).buffer_unordered(MESSAGES_AT_ONCE);
            pending = undelivered.filter_map(async |it| it).collect().await;
            self.delivered.store(self.known - pending.len(), Relaxed);
            sleep(ROUND_EVERY).await;
        }
    }

    fn pass_time(&mut self) {
        let movements = self.fake.movements().into_iter();
        let waiting = movements.filter(|it| it.is_waiting);
        let waiting: BTreeSet<_> = waiting.map(|it| (it.order_id, it.attempt)).collect();
        self.waiting.retain(|key, _| waiting.contains(key));
        for key in waiting {
            let since = *self.waiting.entry(key.clone()).or_insert_with(Instant::now);
            if since.elapsed() >= BY_ITSELF_AFTER {
                self.fake.pass_time(&key.0, key.1);
            }
        }
    }

    async fn deliver(&self, number: usize, round: usize, message: &Message) -> anyhow::Result<()> {
        let turn = number + round;
        let first = self.post(turn, message);
        if !number.is_multiple_of(TWICE_ONE_IN) {
            return first.await;
        }
        let (first, second) = tokio::join!(first, self.post(turn + 1, message));
        first.or(second)
    }

    async fn post(&self, turn: usize, message: &Message) -> anyhow::Result<()> {
        let mut servers = self.endpoints.iter().cycle();
        let Some(endpoint) = servers.nth(turn % self.endpoints.len().max(1)) else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let signature = message.signature(i64::try_from(now.as_secs())?);
        let request = Request::builder()
            .uri(format!("{endpoint}/webhooks/payments/stripe"))
            .header("stripe-signature", signature);
        let (status, _) = self.http.post(request, message.body.clone()).await?;
        ensure!(status == StatusCode::OK, "the message is answered {status}");
        Ok(())
    }
}
