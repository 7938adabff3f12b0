//! A fake Stripe and the adapter in front of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use fake_stripe::{FakeStripe, SECRET_KEY, WEBHOOK_SECRET, method};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use crate::{
    domain::{
        AccountId, DropId, Money, OrderId, Timestamp,
        payment::{FailReason, PaymentMethod},
    },
    env::{Env as _, SystemEnv},
    payments::{
        AttemptKey, Charge, Refund, SharedProvider,
        conformance::{Behaviour, Scene, Taken},
        stripe::{Stripe, StripeConfig},
    },
};

pub(super) struct Stage {
    pub(super) fake: FakeStripe,
}

pub(super) fn config(base_url: &str) -> StripeConfig {
    StripeConfig {
        secret_key: SECRET_KEY.into(),
        webhook_secrets: vec![WEBHOOK_SECRET.into()],
        base_url: base_url.to_owned(),
        return_url: "https://shop.example/paid".to_owned(),
        timeout: StripeConfig::TIMEOUT,
    }
}

/// A charge of 49.99 EUR that begins now.
pub(super) fn charge(token: &str) -> Charge {
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

pub(super) fn refund_of(charge: &Charge) -> Refund {
    Refund {
        key: charge.key,
        reference: None,
        amount: charge.amount,
    }
}

impl Stage {
    pub(super) async fn start() -> Self {
        Self {
            fake: FakeStripe::start().await,
        }
    }

    /// The adapter as a new process has it.
    pub(super) fn stripe(&self) -> Stripe {
        self.impatient(StripeConfig::TIMEOUT)
    }

    pub(super) fn impatient(&self, timeout: Duration) -> Stripe {
        let config = StripeConfig {
            timeout,
            ..config(self.fake.base_url())
        };
        Stripe::new(&config, Arc::new(SystemEnv)).unwrap()
    }

    /// Captured and refunded, in Stripe's unit.
    pub(super) fn books(&self, key: AttemptKey) -> (i64, i64) {
        let books = self.fake.books(&key.order_id.to_string(), key.attempt);
        (books.captured, books.refunded)
    }

    /// Requests so far to a path, with this method.
    pub(super) fn count(&self, verb: &str, path: &str) -> usize {
        let recorded = self.fake.recorded();
        let is = |seen: &&fake_stripe::Recorded| {
            seen.method == verb && seen.path.split('?').next() == Some(path)
        };
        recorded.iter().filter(is).count()
    }
}

pub(super) fn signed(signature: &str) -> HeaderMap {
    let value = HeaderValue::try_from(signature).unwrap();
    HeaderMap::from_iter([(http::HeaderName::from_static("stripe-signature"), value)])
}

#[async_trait]
impl Scene for Stage {
    fn provider(&self) -> SharedProvider {
        Arc::new(self.stripe())
    }

    fn now(&self) -> Timestamp {
        SystemEnv.now()
    }

    fn method(&self, behaviour: Behaviour) -> Option<PaymentMethod> {
        let token = match behaviour {
            Behaviour::Captures => method::CAPTURES,
            Behaviour::Fails(reason) => match reason {
                FailReason::Declined => method::DECLINED,
                FailReason::InsufficientFunds => method::INSUFFICIENT_FUNDS,
                FailReason::InvalidMethod => method::EXPIRED,
                FailReason::AuthenticationFailed
                | FailReason::Cancelled
                | FailReason::ProviderError
                | FailReason::SettledByHand => return None,
            },
            Behaviour::AsksBuyer => method::ASKS_BUYER,
            Behaviour::CapturesLater => method::CAPTURES_LATER,
            Behaviour::LosesAnswer => method::LOSES_ANSWER,
            Behaviour::FailsThenCaptures => method::DECLINED_THEN_CAPTURES,
            Behaviour::RefundFailsOnce => method::REFUND_FAILS_ONCE,
        };
        token.parse().ok()
    }

    async fn act(&self, url: &str, approves: bool) {
        self.fake.authenticate(url, approves);
    }

    async fn pass_time(&self, key: AttemptKey) {
        self.fake.pass_time(&key.order_id.to_string(), key.attempt);
    }

    async fn taken(&self, key: AttemptKey) -> Taken {
        let books = self.fake.books(&key.order_id.to_string(), key.attempt);
        let currency = books.currency.map(|code| code.to_uppercase());
        Taken {
            currency: currency.map(|code| code.parse().unwrap()),
            captured_minor: books.captured,
            refunded_minor: books.refunded,
        }
    }

    /// The adapter keeps nothing: each [`provider`](Scene::provider) is a new one already.
    async fn reopen(&self) -> bool {
        true
    }

    async fn webhook(&self, key: AttemptKey) -> (HeaderMap, Bytes) {
        let messages = self.fake.messages(&key.order_id.to_string(), key.attempt);
        let message = messages.last().unwrap();
        let signature = message.signature(SystemEnv.now().seconds());
        (signed(&signature), message.body.clone().into())
    }
}
