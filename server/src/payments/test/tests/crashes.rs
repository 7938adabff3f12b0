//! Crashes, torn and damaged files.

use std::{fs, sync::Arc, time::Duration};

use super::{Stage, charge, start, status};
use crate::{
    domain::payment::FailReason,
    env::SystemEnv,
    payments::{
        PaymentStatus, Provider as _, ProviderError, Refund, RefundStatus,
        test::{FileError, TestProvider, books, engine::Engine, journal::Journal, state::State},
    },
};

const CAPTURED: Option<PaymentStatus> = Some(PaymentStatus::Captured);

fn lines_of(stage: &Stage) -> Vec<String> {
    let text = fs::read_to_string(stage.file()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn timed_captures_go_on_after_a_crash() {
    let stage = Stage::on_file();
    let charges = ["pm_test_slow", "pm_test_late", "pm_test_duplicate_webhook"].map(charge);
    for charge in &charges {
        start(&stage, charge).await;
    }
    let cancelled = charge("pm_test_slow");
    start(&stage, &cancelled).await;
    stage
        .test_provider()
        .cancel(cancelled.key, None)
        .await
        .unwrap();
    stage.kill().await;
    stage.env.advance(Duration::from_secs(15));
    stage.restart();
    stage.inbox.wait_for(4).await;
    for charge in &charges {
        assert_eq!(status(&stage, charge.key).await, CAPTURED);
    }
    let gone = Some(PaymentStatus::Failed(FailReason::Cancelled));
    assert_eq!(status(&stage, cancelled.key).await, gone);
    assert_eq!(stage.books().orders().len(), 3);
}

#[tokio::test]
async fn a_webhook_outlives_a_crash_until_it_is_taken() {
    let stage = Stage::on_file();
    *stage.inbox.refuse.lock() = 1;
    start(&stage, &charge("pm_test_slow")).await;
    stage.env.advance(Duration::from_secs(15));
    stage.inbox.wait_for(1).await;
    stage.kill().await;
    stage.restart();
    let messages = stage.inbox.wait_for(2).await;
    assert_eq!(
        stage
            .event(&messages[1])
            .event_id
            .rsplit_once('_')
            .unwrap()
            .1,
        "captured"
    );
    while !stage.test_provider().engine.state.lock().owed.is_empty() {
        tokio::task::yield_now().await;
    }
    stage.kill().await;
    stage.restart();
    assert!(stage.test_provider().engine.agenda.next().is_none());
    let last = lines_of(&stage).pop().unwrap();
    assert!(last.contains(r#""fact":"webhook_delivered""#), "{last}");
}

#[tokio::test]
async fn a_refund_that_failed_before_a_crash_works_after_it() {
    let stage = Stage::on_file();
    let charge = charge("pm_test_refund_fails_once");
    start(&stage, &charge).await;
    let refund = Refund {
        key: charge.key,
        reference: None,
        amount: charge.amount,
    };
    let refunded = stage.test_provider().refund(&refund).await;
    assert_eq!(refunded, Ok(RefundStatus::Failed));
    stage.kill().await;
    stage.restart();
    let refunded = stage.test_provider().refund(&refund).await;
    assert_eq!(refunded, Ok(RefundStatus::Done));
}

/// The file may end anywhere: it opens, and what it says of each payment can be gone on from.
#[tokio::test]
async fn a_file_cut_anywhere_opens() {
    let stage = Stage::on_file();
    let charges = ["pm_test_ok", "pm_test_declined", "pm_test_late"].map(charge);
    for charge in &charges {
        start(&stage, charge).await;
    }
    stage.kill().await;
    let whole = fs::read(stage.file()).unwrap();
    // Around each line's end, and here and there within.
    let near_end = |at: usize| {
        let around = &whole[at.saturating_sub(1)..whole.len().min(at + 2)];
        around.contains(&b'\n')
    };
    for cut in (0..=whole.len()).filter(|cut| cut % 41 == 0 || near_end(*cut)) {
        fs::write(stage.file(), &whole[..cut]).unwrap();
        books::read(&stage.file()).unwrap();
        stage.restart();
        for charge in &charges {
            let answer = start(&stage, charge).await.status;
            let expected = match charge.method.expose() {
                "pm_test_ok" => PaymentStatus::Captured,
                _ => PaymentStatus::Failed(FailReason::Declined),
            };
            assert_eq!(answer, expected, "cut at {cut}");
        }
        stage.kill().await;
        assert_eq!(books::read(&stage.file()).unwrap().orders().len(), 1);
    }
}

#[tokio::test]
async fn damage_is_an_error_with_its_line() {
    let stage = Stage::on_file();
    start(&stage, &charge("pm_test_ok")).await;
    stage.kill().await;
    let [started, captured]: [String; 2] = lines_of(&stage).try_into().unwrap();
    let other = captured.replace("1999", "2000");
    for (lines, at) in [
        (["{}", &started, &captured], 1),
        ([&started, "", &captured], 2),
        ([&started, &other, &captured], 2),
        ([&started, &captured, &captured], 3),
        ([&captured, &started, &captured], 1),
    ] {
        fs::write(stage.file(), lines.join("\n") + "\n").unwrap();
        let opened = stage.open();
        assert!(
            matches!(opened, Err(FileError::Damaged { number, .. }) if number == at),
            "{lines:?}: {opened:?}"
        );
    }
    fs::write(stage.file(), "x".repeat(5_000)).unwrap();
    assert!(matches!(
        stage.open(),
        Err(FileError::Damaged { number: 1, .. })
    ));
    // The books are no fold: they show what is there.
    fs::write(
        stage.file(),
        [&*started, &captured, &captured, ""].join("\n"),
    )
    .unwrap();
    let orders = books::read(&stage.file()).unwrap().orders();
    assert_eq!(orders.values().next().unwrap().captured_minor, 2 * 1_999);
}

#[tokio::test]
async fn one_process_has_the_file() {
    let stage = Stage::on_file();
    assert!(matches!(stage.open(), Err(FileError::Locked)));
}

#[tokio::test]
async fn nothing_is_answered_that_could_not_be_written() {
    // Open for reading only: every write fails.
    let file = tempfile::NamedTempFile::new().unwrap();
    let journal = Journal::on(fs::File::open(file.path()).unwrap()).unwrap();
    let engine = Engine::new(Arc::new(SystemEnv), State::default(), journal);
    let provider = TestProvider::on(engine);
    let charge = charge("pm_test_ok");
    let started = provider.start(&charge).await;
    assert!(
        matches!(started, Err(ProviderError::Unknown(_))),
        "{started:?}"
    );
    for _ in 0..2 {
        let found = provider.look_up(charge.key, None).await;
        assert!(
            matches!(
                found,
                Err(ProviderError::Unknown(_) | ProviderError::Unavailable(_))
            ),
            "{found:?}"
        );
    }
}

/// The format that is described at the top of `payments/test.rs`, which others read by code of their own.
#[tokio::test]
async fn a_line_looks_as_described() {
    let stage = Stage::on_file();
    let (ok, declined, never) = (charge("pm_test_ok"), charge("pm_x"), charge("pm_test_ok"));
    start(&stage, &ok).await;
    start(&stage, &declined).await;
    stage.test_provider().cancel(never.key, None).await.unwrap();
    let lines = lines_of(&stage);
    let head = |key: crate::payments::AttemptKey| {
        let (drop_id, order_id) = (key.drop_id, key.order_id);
        format!(
            r#"{{"at":1800000000000000,"drop_id":"{drop_id}","order_id":"{order_id}","attempt":1,"#
        )
    };
    let money = r#""amount_minor":1999,"currency":"EUR","#;
    let expected = [
        format!(r#"{}{money}"fact":"started","kind":"ok"}}"#, head(ok.key)),
        format!(r#"{}{money}"fact":"captured"}}"#, head(ok.key)),
        format!(
            r#"{}{money}"fact":"started","kind":"invalid"}}"#,
            head(declined.key)
        ),
        format!(
            r#"{}{money}"fact":"failed","reason":"INVALID_METHOD"}}"#,
            head(declined.key)
        ),
        format!(
            r#"{}"amount_minor":0,"fact":"cancelled"}}"#,
            head(never.key)
        ),
    ];
    assert_eq!(lines, expected);
}
