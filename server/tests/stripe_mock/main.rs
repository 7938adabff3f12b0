//! Every request of the Stripe adapter, held against Stripe's own description of its API by `stripe-mock`. That keeps no state, so the
//! requests are made by driving the adapter against the fake, and sent on from there.
//!
//! `scripts/test stripe` installs the binary and puts it on `PATH`; without it this fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeSet,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fake_stripe::{FakeStripe, Recorded, SECRET_KEY, method};
use livedrop_server::{
    domain::{AccountId, DropId, Money, OrderId},
    env::{Env as _, SystemEnv},
    payments::{
        AttemptKey, Charge, PaymentStatus, Provider as _, Refund, RefundStatus,
        stripe::{Stripe, StripeConfig},
    },
};
use uuid::Uuid;

/// All that the adapter may ask for.
const ROUTES: [&str; 8] = [
    "GET /v1/payment_intents/:id",
    "GET /v1/payment_intents/search",
    "GET /v1/refunds",
    "POST /v1/payment_intents",
    "POST /v1/payment_intents/:id/cancel",
    "POST /v1/payment_intents/:id/capture",
    "POST /v1/payment_intents/:id/confirm",
    "POST /v1/refunds",
];

/// Time to come up, on a machine that is busy with builds.
const START_TIME_MAX: Duration = Duration::from_secs(20);

/// A `stripe-mock` of its own, which ends with the test.
struct Mock {
    process: Child,
    base: String,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mock {
    async fn start() -> Self {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().to_string()
        };
        let (http, https) = (free(), free());
        let process = Command::new("stripe-mock")
            .args(["-http-addr", &http, "-https-addr", &https])
            .stdout(Stdio::null())
            .spawn()
            .expect("stripe-mock is on PATH: `scripts/test stripe` sees to it");
        let mut mock = Self {
            process,
            base: format!("http://{http}"),
        };
        let began = tokio::time::Instant::now();
        while tokio::net::TcpStream::connect(&http).await.is_err() {
            assert_eq!(mock.process.try_wait().unwrap(), None, "it has ended");
            assert!(began.elapsed() < START_TIME_MAX, "it does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        mock
    }

    /// Sends a request as the adapter made it; answers status and body.
    async fn send(&self, seen: &Recorded) -> (u16, String) {
        let url = format!("{}{}", self.base, seen.path);
        let mut headers = seen.headers.clone();
        headers.remove("host");
        headers.remove("content-length");
        let request = reqwest::Client::new().request(seen.method.clone(), url);
        let request = request.headers(headers).body(seen.body.clone());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

fn charge(token: &str) -> Charge {
    Charge {
        key: AttemptKey {
            drop_id: DropId::new(Uuid::now_v7()),
            order_id: OrderId::new(Uuid::now_v7()),
            attempt: 1,
        },
        buyer_id: AccountId::new(Uuid::now_v7()),
        amount: Money {
            currency: "EUR".parse().unwrap(),
            amount_minor: 4_999,
        },
        method: token.parse().unwrap(),
        started_at: SystemEnv.now(),
    }
}

/// Takes the adapter through all that it can do.
async fn requests() -> Vec<Recorded> {
    let fake = FakeStripe::start().await;
    let config = StripeConfig {
        secret_key: SECRET_KEY.into(),
        webhook_secrets: Vec::new(),
        base_url: fake.base_url().to_owned(),
        return_url: "https://shop.example/paid".to_owned(),
        timeout: StripeConfig::TIMEOUT,
    };
    let stripe = Stripe::new(&config, Arc::new(SystemEnv)).unwrap();

    let asked = charge(method::ASKS_BUYER);
    let payment = stripe.start(&asked).await.unwrap();
    let PaymentStatus::ActionRequired { url } = &payment.status else {
        panic!("{payment:?}");
    };
    fake.authenticate(url, true);
    let confirmed = stripe.confirm(asked.key, &payment.reference).await.unwrap();
    assert_eq!(confirmed.status, PaymentStatus::Captured);
    let refund = Refund {
        key: asked.key,
        reference: None,
        amount: asked.amount,
    };
    assert_eq!(stripe.refund(&refund).await, Ok(RefundStatus::Done));

    let waits = charge(method::REQUIRES_CAPTURE);
    stripe.start(&waits).await.unwrap();
    let pending = charge(method::CAPTURES_LATER);
    stripe.start(&pending).await.unwrap();
    stripe.cancel(pending.key, None).await.unwrap();
    let never_sent = charge(method::CAPTURES);
    stripe.cancel(never_sent.key, None).await.unwrap();
    fake.recorded()
}

fn route(seen: &Recorded) -> String {
    let path = seen.path.split('?').next().unwrap_or_default();
    let is_id = |part: &str| part.starts_with("pi_");
    let parts = path
        .split('/')
        .map(|part| if is_id(part) { ":id" } else { part });
    format!("{} {}", seen.method, parts.collect::<Vec<_>>().join("/"))
}

#[tokio::test]
async fn stripes_own_description_takes_every_request() {
    let (mock, requests) = (Mock::start().await, requests().await);
    let routes: BTreeSet<String> = requests.iter().map(route).collect();
    assert_eq!(routes, ROUTES.map(str::to_owned).into());
    for seen in &requests {
        let (status, body) = mock.send(seen).await;
        assert_eq!(status, 200, "{} {:?}: {body}", route(seen), seen.body);
    }
}

/// What is asked for wrongly is refused, or the test above would say nothing.
#[tokio::test]
async fn a_wrong_request_is_refused() {
    let (mock, requests) = (Mock::start().await, requests().await);
    for seen in requests.iter().filter(|seen| seen.method == "POST") {
        for wrong in ["&no_such_parameter=1", "&metadata=1", "&amount=many"] {
            let mut changed = seen.clone();
            changed.body = [seen.body.as_ref(), wrong.as_bytes()].concat().into();
            let form = "application/x-www-form-urlencoded".parse().unwrap();
            changed.headers.insert("content-type", form);
            let (status, body) = mock.send(&changed).await;
            assert_eq!(status, 400, "{} {wrong}: {body}", route(seen));
        }
    }
    let mut unsigned = requests.first().unwrap().clone();
    unsigned.headers.remove("authorization");
    assert_eq!(mock.send(&unsigned).await.0, 401);
}
