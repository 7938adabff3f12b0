//! What may have been done is never said not to have been, and the other way round.

use std::{sync::Arc, time::Duration};

use fake_stripe::{Trouble, method};
use futures::future::join;
use tokio::sync::Notify;

use super::stage::{Stage, charge, config, refund_of};
use crate::{
    domain::payment::FailReason,
    env::SystemEnv,
    payments::{
        PaymentStatus, Provider as _,
        ProviderError::{self, Rejected, Unavailable, Unknown},
        RefundStatus,
        stripe::Stripe,
    },
};

const CREATE: &str = "POST /v1/payment_intents";
const REFUND: &str = "POST /v1/refunds";

/// Long enough for a request to loopback that is answered, on a busy machine.
const SHORT: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn whatever_befalls_the_answer_a_start_charges_once() {
    for trouble in [
        Trouble::LosesAnswer,
        Trouble::FailsBefore,
        Trouble::FailsAfter,
        Trouble::Garbled,
        Trouble::TooLong,
        Trouble::Hangs,
    ] {
        let stage = Stage::start().await;
        let stripe = stage.impatient(SHORT);
        let charge = charge(method::CAPTURES);
        stage.fake.trouble(CREATE, trouble.clone());
        let answer = stripe.start(&charge).await;
        assert!(matches!(answer, Err(Unknown(_))), "{trouble:?}: {answer:?}");
        let again = stripe.start(&charge).await.unwrap();
        assert_eq!(again.status, PaymentStatus::Captured, "{trouble:?}");
        assert_eq!(stage.books(charge.key), (4_999, 0), "{trouble:?}");
    }
}

/// Stripe remembers its own failures for a key. While search is behind, nothing is known.
#[tokio::test]
async fn a_remembered_failure_stays_unknown_until_the_payment_is_found() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
    stage.fake.trouble(CREATE, Trouble::FailsAfter);
    stage.fake.blind_search(true);
    for _ in 0..2 {
        let answer = stripe.start(&charge).await;
        assert!(matches!(answer, Err(Unknown(_))), "{answer:?}");
    }
    let cancelled = stripe.cancel(charge.key, None).await;
    assert!(matches!(cancelled, Err(Unavailable(_))), "{cancelled:?}");
    stage.fake.blind_search(false);
    let found = stripe.start(&charge).await.unwrap();
    assert_eq!(found.status, PaymentStatus::Captured);
    assert_eq!(stage.books(charge.key), (4_999, 0));
}

#[tokio::test]
async fn a_refusal_before_anything_is_done_is_unavailable() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
    stage.fake.trouble(CREATE, Trouble::TooMany);
    let answer = stripe.start(&charge).await;
    assert!(matches!(answer, Err(Unavailable(_))), "{answer:?}");
    assert_eq!(stage.books(charge.key), (0, 0));
    let answer = stripe.start(&charge).await.unwrap();
    assert_eq!(answer.status, PaymentStatus::Captured);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let stripe = Stripe::new(&config(&url), Arc::new(SystemEnv)).unwrap();
    let charge = charge(method::CAPTURES);
    let answer = stripe.start(&charge).await;
    assert!(matches!(answer, Err(Unavailable(_))), "{answer:?}");
    let answer = stripe.refund(&refund_of(&charge)).await;
    assert!(matches!(answer, Err(Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn a_start_in_progress_elsewhere_is_unknown() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
    let signal = Arc::new(Notify::new());
    stage
        .fake
        .trouble(CREATE, Trouble::Waits(Arc::clone(&signal)));
    let second = async {
        while stage.count("POST", "/v1/payment_intents") == 0 {
            tokio::task::yield_now().await;
        }
        let answer = stripe.start(&charge).await;
        signal.notify_one();
        answer
    };
    let (first, second) = join(stripe.start(&charge), second).await;
    assert_eq!(first.unwrap().status, PaymentStatus::Captured);
    assert!(matches!(second, Err(Unknown(_))), "{second:?}");
    assert_eq!(stage.books(charge.key), (4_999, 0));
}

#[tokio::test]
async fn what_stripe_does_not_take_is_rejected_and_names_no_token() {
    let stage = Stage::start().await;
    let answer = stage.stripe().start(&charge("pm_unknown_token")).await;
    let Err(Rejected(text)) = answer else {
        panic!("{answer:?}");
    };
    assert!(
        text.contains("resource_missing payment_method req_fake"),
        "{text}"
    );
    assert!(!text.contains("pm_unknown_token"), "{text}");
}

#[tokio::test]
async fn a_wrong_api_key_gives_no_payment_up() {
    let stage = Stage::start().await;
    let mut config = config(stage.fake.base_url());
    config.secret_key = "sk_test_rolled".into();
    let stripe = Stripe::new(&config, Arc::new(SystemEnv)).unwrap();
    let answer = stripe.start(&charge(method::CAPTURES)).await;
    assert!(matches!(answer, Err(Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn whatever_befalls_the_answer_a_refund_is_made_once() {
    for trouble in [
        Trouble::LosesAnswer,
        Trouble::FailsBefore,
        Trouble::FailsAfter,
        Trouble::Garbled,
        Trouble::Hangs,
    ] {
        let stage = Stage::start().await;
        let (stripe, charge) = (stage.impatient(SHORT), charge(method::CAPTURES));
        stripe.start(&charge).await.unwrap();
        stage.fake.trouble(REFUND, trouble.clone());
        let answer = stripe.refund(&refund_of(&charge)).await;
        assert!(matches!(answer, Err(Unknown(_))), "{trouble:?}: {answer:?}");
        let again = stripe.refund(&refund_of(&charge)).await;
        assert_eq!(again, Ok(RefundStatus::Done), "{trouble:?}");
        assert_eq!(stage.books(charge.key), (4_999, 4_999), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_confirmation_and_a_cancellation_may_lose_their_answers() {
    for (call, trouble, ends) in [
        ("confirm", Trouble::LosesAnswer, PaymentStatus::Captured),
        ("confirm", Trouble::FailsAfter, PaymentStatus::Captured),
        (
            "cancel",
            Trouble::LosesAnswer,
            PaymentStatus::Failed(FailReason::Cancelled),
        ),
    ] {
        let stage = Stage::start().await;
        let (stripe, charge) = (stage.stripe(), charge(method::ASKS_BUYER));
        let payment = stripe.start(&charge).await.unwrap();
        let PaymentStatus::ActionRequired { url } = &payment.status else {
            panic!("{payment:?}");
        };
        stage.fake.authenticate(url, true);
        let route = format!("POST /v1/payment_intents/:id/{call}");
        stage.fake.trouble(&route, trouble);
        let id = payment.reference.as_str();
        let lost = if call == "confirm" {
            stripe.confirm(charge.key, id).await.map(Some)
        } else {
            stripe.cancel(charge.key, Some(id)).await
        };
        assert!(matches!(lost, Err(Unknown(_))), "{call}: {lost:?}");
        let again = stripe.confirm(charge.key, id).await.unwrap();
        assert_eq!(again.status, ends, "{call}");
    }
}

#[tokio::test]
async fn a_read_that_fails_has_done_nothing() {
    let stage = Stage::start().await;
    let (stripe, charge) = (stage.stripe(), charge(method::CAPTURES));
    let payment = stripe.start(&charge).await.unwrap();
    stage
        .fake
        .trouble("GET /v1/payment_intents/:id", Trouble::LosesAnswer);
    let read = stripe.look_up(charge.key, Some(&payment.reference)).await;
    assert!(matches!(read, Err(Unavailable(_))), "{read:?}");
    // After a repeated start it is the start that is in doubt.
    stage
        .fake
        .trouble("GET /v1/payment_intents/:id", Trouble::FailsBefore);
    let again: Result<_, ProviderError> = stripe.start(&charge).await;
    assert!(matches!(again, Err(Unknown(_))), "{again:?}");
}
