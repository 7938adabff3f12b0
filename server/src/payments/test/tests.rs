mod crashes;
pub(crate) mod hand;
mod stage;
mod times;

use std::sync::Arc;

use self::stage::Stage;
use crate::{
    domain::{AccountId, Currency, DropId, Money, OrderId},
    payments::{AttemptKey, Charge, Payment, PaymentStatus, Provider as _, ProviderError},
};

mod in_memory {
    crate::payments_conformance!(async { super::Stage::in_memory() });
}

mod on_file {
    crate::payments_conformance!(async { super::Stage::on_file() });
}

pub(crate) fn charge(token: &str) -> Charge {
    Charge {
        key: AttemptKey {
            drop_id: DropId::new(uuid::Uuid::now_v7()),
            order_id: OrderId::new(uuid::Uuid::now_v7()),
            attempt: 1,
        },
        buyer_id: AccountId::new(uuid::Uuid::now_v7()),
        amount: Money {
            currency: "EUR".parse::<Currency>().unwrap(),
            amount_minor: 1_999,
        },
        method: token.parse().unwrap(),
        started_at: crate::domain::Timestamp::from_micros(0),
    }
}

async fn status(stage: &Stage, key: AttemptKey) -> Option<PaymentStatus> {
    let found = stage.test_provider().look_up(key, None).await.unwrap();
    found.map(|payment| payment.status)
}

async fn start(stage: &Stage, charge: &Charge) -> Payment {
    stage.test_provider().start(charge).await.unwrap()
}

#[tokio::test]
async fn every_page_has_a_secret_of_its_own_under_the_public_url() {
    let stage = Stage::in_memory();
    let provider = stage.test_provider();
    provider.set_public_url("https://shop.example".to_owned());
    let mut urls = Vec::new();
    for _ in 0..2 {
        let PaymentStatus::ActionRequired { url } =
            start(&stage, &charge("pm_test_3ds")).await.status
        else {
            panic!("the buyer is not asked");
        };
        let page = url.strip_prefix("https://shop.example/test-provider/3ds/");
        assert_eq!(page.unwrap().len(), 32);
        urls.push(url);
    }
    assert_ne!(urls[0], urls[1]);
    assert_eq!(provider.challenge("0123").await, Ok(None));
    assert_eq!(provider.approve("").await, Ok(None));
}

#[tokio::test]
async fn a_foreign_reference_and_an_empty_amount_are_refused() {
    let stage = Stage::in_memory();
    let (provider, mut charge) = (stage.test_provider(), charge("pm_test_ok"));
    let other = start(&stage, &self::charge("pm_test_ok")).await.reference;
    let is_rejected = |answer: Result<_, ProviderError>| {
        assert!(matches!(answer, Err(ProviderError::Rejected(_))));
    };
    is_rejected(provider.confirm(charge.key, &other).await.map(drop));
    is_rejected(provider.cancel(charge.key, Some(&other)).await.map(drop));
    is_rejected(provider.look_up(charge.key, Some(&other)).await.map(drop));
    charge.amount.amount_minor = 0;
    is_rejected(provider.start(&charge).await.map(drop));
    assert_eq!(status(&stage, charge.key).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rush_of_payments_is_on_file_when_it_is_answered() {
    const PAYMENTS: usize = 2_000;
    let stage = Arc::new(Stage::on_file());
    let charges = (0..PAYMENTS).map(|_| {
        let stage = stage.clone();
        tokio::spawn(async move { start(&stage, &charge("pm_test_ok")).await })
    });
    for payment in charges.collect::<Vec<_>>() {
        assert_eq!(payment.await.unwrap().status, PaymentStatus::Captured);
    }
    let orders = stage.books().orders();
    assert_eq!(orders.len(), PAYMENTS);
    assert!(orders.values().all(|sums| sums.captured_minor == 1_999));
}

#[tokio::test]
async fn stopping_lets_go_of_the_receiver() {
    let stage = Stage::in_memory();
    let charge = charge("pm_test_slow");
    start(&stage, &charge).await;
    assert_eq!(Arc::strong_count(&stage.inbox), 2);
    stage.test_provider().stop().await;
    assert_eq!(Arc::strong_count(&stage.inbox), 1);
    assert_eq!(
        status(&stage, charge.key).await,
        Some(PaymentStatus::Pending)
    );
}
