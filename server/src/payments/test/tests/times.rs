//! What happens when the clock moves, and the webhooks that tell of it.

use std::time::Duration;

use super::{Stage, charge, start, status};
use crate::{
    domain::payment::FailReason,
    payments::{PaymentStatus, test::agenda::Work},
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Captures by itself exactly after `seconds`, with `copies` webhooks of one event.
async fn captures_after(token: &str, seconds: u64, first: PaymentStatus, copies: usize) {
    let stage = Stage::on_file();
    let charge = charge(token);
    assert_eq!(start(&stage, &charge).await.status, first);
    stage
        .env
        .advance(Duration::from_secs(seconds) - MILLISECOND);
    stage
        .test_provider()
        .engine
        .carry_out(Work::GoOn(charge.key))
        .await;
    assert_eq!(status(&stage, charge.key).await, Some(first));
    stage.env.advance(MILLISECOND);
    let messages = stage.inbox.wait_for(copies).await;
    assert_eq!(
        status(&stage, charge.key).await,
        Some(PaymentStatus::Captured)
    );
    assert_eq!(messages.len(), copies);
    let event = stage.event(&messages[0]);
    assert_eq!(event.key, Some(charge.key));
    assert!(messages.iter().all(|message| stage.event(message) == event));
}

#[tokio::test]
async fn slow_takes_fifteen_seconds() {
    captures_after("pm_test_slow", 15, PaymentStatus::Pending, 1).await;
}

#[tokio::test]
async fn late_takes_three_seconds() {
    let declined = PaymentStatus::Failed(FailReason::Declined);
    captures_after("pm_test_late", 3, declined, 1).await;
}

#[tokio::test]
async fn a_duplicate_webhook_has_the_same_event() {
    captures_after("pm_test_duplicate_webhook", 1, PaymentStatus::Pending, 2).await;
}

#[tokio::test]
async fn the_buyers_answer_is_told_and_what_a_call_does_is_not() {
    let stage = Stage::in_memory();
    for (count, approves) in [(1, true), (2, false)] {
        let charge = charge("pm_test_3ds");
        let PaymentStatus::ActionRequired { url } = start(&stage, &charge).await.status else {
            panic!("the buyer is not asked");
        };
        let (_, page) = url.rsplit_once('/').unwrap();
        let provider = stage.test_provider();
        if approves {
            provider.approve(page).await.unwrap().unwrap();
        } else {
            provider.decline(page).await.unwrap().unwrap();
        }
        // The first answer counts.
        provider.decline(page).await.unwrap().unwrap();
        let messages = stage.inbox.wait_for(count).await;
        assert_eq!(stage.event(&messages[count - 1]).key, Some(charge.key));
    }
    for token in ["pm_test_ok", "pm_test_declined"] {
        start(&stage, &charge(token)).await;
    }
    assert!(stage.test_provider().engine.agenda.next().is_none());
    assert_eq!(stage.inbox.messages.borrow().len(), 2);
}

#[tokio::test]
async fn a_refused_webhook_comes_again_and_later_each_time() {
    let stage = Stage::on_file();
    *stage.inbox.refuse.lock() = 3;
    start(&stage, &charge("pm_test_slow")).await;
    stage.env.advance(Duration::from_secs(15));
    let mut due = Vec::new();
    for tries in 1..=3 {
        stage.inbox.wait_for(tries).await;
        // The next try is put down right after the receiver has refused.
        let agenda = &stage.test_provider().engine.agenda;
        while agenda.next().is_none() {
            tokio::task::yield_now().await;
        }
        let next = agenda
            .next()
            .unwrap()
            .since(crate::env::Env::now(&*stage.env));
        due.push(next.as_secs());
        stage.env.advance(next);
    }
    let messages = stage.inbox.wait_for(4).await;
    assert_eq!(due, [1, 2, 4]);
    assert!(
        messages
            .iter()
            .all(|message| stage.event(message) == stage.event(&messages[0]))
    );
}
