//! What the suite needs besides the provider: how to bring it to a behaviour, and what it really did.

use std::{str::FromStr as _, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use uuid::Uuid;

use crate::{
    domain::{
        AccountId, Currency, DropId, Money, OrderId, Timestamp,
        payment::{FailReason, PaymentMethod},
    },
    payments::{
        AttemptKey, Charge, Payment, PaymentStatus, ProviderError, Refund, RefundStatus,
        SharedProvider,
    },
};

/// How a payment can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// `start` captures.
    Captures,
    /// `start` fails like this.
    Fails(FailReason),
    /// `start` asks for the buyer.
    AsksBuyer,
    /// `start` says pending; it is captured when time passes, and told by webhook.
    CapturesLater,
    /// `start` captures and its answer is lost: [`ProviderError::Unknown`].
    LosesAnswer,
    /// `start` says failed; it is captured all the same when time passes.
    FailsThenCaptures,
    /// `start` captures; the first try to refund fails.
    RefundFailsOnce,
}

/// What a provider really took and gave back for an attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Of which the sums are; `None`: no money moved.
    pub currency: Option<Currency>,
    /// All captures, in minor units.
    pub captured_minor: i64,
    /// All refunds, in minor units.
    pub refunded_minor: i64,
}

/// A provider on stage.
#[async_trait]
pub trait Scene: Send + Sync {
    /// The provider as it is opened now.
    fn provider(&self) -> SharedProvider;

    /// The provider's clock.
    fn now(&self) -> Timestamp;

    /// The token that brings about a behaviour; `None` if the provider can't be brought to it.
    fn method(&self, behaviour: Behaviour) -> Option<PaymentMethod>;

    /// Acts as the buyer at the URL of `ActionRequired`.
    async fn act(&self, url: &str, approves: bool);

    /// Lets the time pass until everything is done that the provider does with this payment by itself.
    async fn pass_time(&self, key: AttemptKey);

    /// What happened to the money, from the provider's own books.
    async fn taken(&self, key: AttemptKey) -> Taken;

    /// Drops the provider as a crash does, and opens it as a new process would; `false` if nothing of it would be left.
    async fn reopen(&self) -> bool;

    /// A message that the provider sent about this payment, as it came, signed at about [`now`](Self::now). Waits for it.
    async fn webhook(&self, key: AttemptKey) -> (HeaderMap, Bytes);
}

/// Tries before a property gives up; providers may refuse calls that race.
const TRIES_MAX: usize = 50;

pub(super) fn money(code: &str, amount_minor: i64) -> Money {
    Money {
        currency: Currency::from_str(code).unwrap(),
        amount_minor,
    }
}

pub(super) fn price() -> Money {
    money("EUR", 4_999)
}

pub(super) fn new_key() -> AttemptKey {
    AttemptKey {
        drop_id: DropId::new(Uuid::now_v7()),
        order_id: OrderId::new(Uuid::now_v7()),
        attempt: 1,
    }
}

/// A charge under a new key, or `None`, loudly, if the scene has no such behaviour.
pub(super) fn charge(scene: &dyn Scene, behaviour: Behaviour) -> Option<Charge> {
    let Some(method) = scene.method(behaviour) else {
        let name = scene.provider().name();
        eprintln!("SKIPPED: provider {name} can't be brought to {behaviour:?}");
        return None;
    };
    Some(Charge {
        key: new_key(),
        buyer_id: AccountId::new(Uuid::now_v7()),
        amount: price(),
        method,
        started_at: scene.now(),
    })
}

pub(super) async fn start(scene: &dyn Scene, charge: &Charge) -> Payment {
    scene.provider().start(charge).await.unwrap()
}

/// Starts a payment of which the buyer is asked; answers it and the URL.
pub(super) async fn asked(scene: &dyn Scene) -> Option<(Charge, Payment, String)> {
    let charge = charge(scene, Behaviour::AsksBuyer)?;
    let payment = start(scene, &charge).await;
    let PaymentStatus::ActionRequired { url } = payment.status.clone() else {
        panic!("the buyer is not asked: {payment:?}");
    };
    Some((charge, payment, url))
}

pub(super) async fn status(scene: &dyn Scene, key: AttemptKey) -> Option<PaymentStatus> {
    let found = scene.provider().look_up(key, None).await.unwrap();
    found.map(|payment| payment.status)
}

/// Cancels without knowing the provider's id, as after a crash.
pub(super) async fn cancel(scene: &dyn Scene, key: AttemptKey) -> Option<PaymentStatus> {
    let cancelled = scene.provider().cancel(key, None).await.unwrap();
    cancelled.map(|payment| payment.status)
}

pub(super) async fn confirm(
    scene: &dyn Scene,
    key: AttemptKey,
    payment: &Payment,
) -> Result<Payment, ProviderError> {
    scene.provider().confirm(key, &payment.reference).await
}

pub(super) fn refund_of(charge: &Charge, reference: Option<String>) -> Refund {
    Refund {
        key: charge.key,
        reference,
        amount: charge.amount,
    }
}

/// Asks for the refund until it is done.
pub(super) async fn refund_until_done(scene: &dyn Scene, refund: &Refund) {
    for _ in 0..TRIES_MAX {
        match scene.provider().refund(refund).await {
            Ok(RefundStatus::Done) => return,
            Ok(RefundStatus::Pending) => scene.pass_time(refund.key).await,
            Ok(RefundStatus::Failed) | Err(ProviderError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the refund is never done");
}

/// Captured once, in full, and nothing went back.
pub(super) async fn assert_captured(scene: &dyn Scene, charge: &Charge) {
    assert_eq!(
        scene.taken(charge.key).await,
        Taken {
            currency: Some(charge.amount.currency),
            captured_minor: charge.amount.amount_minor,
            refunded_minor: 0,
        }
    );
}

/// Captured once and given back once.
pub(super) async fn assert_refunded(scene: &dyn Scene, charge: &Charge) {
    assert_eq!(
        scene.taken(charge.key).await,
        Taken {
            currency: Some(charge.amount.currency),
            captured_minor: charge.amount.amount_minor,
            refunded_minor: charge.amount.amount_minor,
        }
    );
}

/// No money has moved, nor does any when time passes.
pub(super) async fn assert_nothing_is_taken(scene: &dyn Scene, key: AttemptKey) {
    scene.pass_time(key).await;
    assert_eq!(scene.taken(key).await, Taken::default());
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);
