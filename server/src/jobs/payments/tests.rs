//! Payments come to their end by themselves, in simulated time, whatever the provider does.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests pick the kinds that they are about"
)]

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::PaymentRunner;
use crate::{
    domain::{OrderId, Timestamp, order::OrderState, payment::FailReason},
    env::SharedEnv,
    jobs,
    ledger::{
        Answer, AttemptId, Command, Method, PayBy, Refusal, Report,
        testing::{
            EPOCH, Process, SimEnv, World, buyer_id, call, cancel_drop, drop_id, order_id, place,
            request_id, terms,
        },
    },
    payments::{
        AttemptKey, Charge, Payment, PaymentStatus, Provider, ProviderError, Providers, Refund,
        RefundStatus, WebhookError, WebhookEvent, test::TestProvider,
    },
    store::faulty::FaultPlan,
};

/// The test provider behind a line that fails as told, once per entry, and counts what is sent.
#[derive(Debug)]
struct Line {
    inner: TestProvider,
    failures: Mutex<VecDeque<ProviderError>>,
    starts: AtomicUsize,
    asked: AtomicUsize,
}

impl Line {
    fn fail(&self) -> Result<(), ProviderError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.failures.lock().pop_front().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Provider for Line {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn start(&self, charge: &Charge) -> Result<Payment, ProviderError> {
        self.starts.fetch_add(1, Ordering::Relaxed);
        self.fail()?;
        self.inner.start(charge).await
    }

    async fn confirm(&self, key: AttemptKey, reference: &str) -> Result<Payment, ProviderError> {
        self.fail()?;
        self.inner.confirm(key, reference).await
    }

    async fn cancel(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        self.fail()?;
        self.inner.cancel(key, reference).await
    }

    async fn look_up(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        self.fail()?;
        self.inner.look_up(key, reference).await
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundStatus, ProviderError> {
        self.fail()?;
        self.inner.refund(refund).await
    }

    fn verify_webhook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError> {
        self.inner.verify_webhook(headers, body, now)
    }
}

/// A drop of one unit for 5 euros, a process that sells it, and a provider outside of the process.
struct Shop {
    world: World,
    process: Process,
    line: Arc<Line>,
    runner: PaymentRunner,
}

fn line(env: SharedEnv) -> Arc<Line> {
    Arc::new(Line {
        inner: TestProvider::open(env, None).unwrap(),
        failures: Mutex::default(),
        starts: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
    })
}

fn runner(process: &Process, providers: Providers) -> PaymentRunner {
    let env: SharedEnv = Arc::<SimEnv>::clone(&process.env);
    let ledgers = process.ledgers.clone();
    PaymentRunner::new(env, process.shared_store(), ledgers, providers)
}

impl Shop {
    async fn open() -> Self {
        let world = World::with(1, &terms(&[(1, 500, 0)], EPOCH)).await;
        let process = world.alone(FaultPlan::default());
        // The provider's time goes on when a process dies.
        let line = line(world.process(9, FaultPlan::default(), 0).env);
        let runner = runner(&process, Providers::new(Some("test"), vec![line.clone()]));
        Self {
            world,
            process,
            line,
            runner,
        }
    }

    fn run(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        tokio::spawn(self.runner.clone().run(stop.clone()));
        stop
    }

    /// Another process in the place of the first, with what it left.
    async fn restart(&mut self, n: u64) {
        self.process.env.kill();
        self.process = self.world.process(n, FaultPlan::default(), 0);
        let providers = Providers::new(Some("test"), vec![self.line.clone()]);
        self.runner = runner(&self.process, providers);
        self.run();
        let store = self.process.shared_store();
        jobs::sweeper::sweep(&store, &self.process.ledgers)
            .await
            .unwrap();
    }

    async fn buy(&self, buyer: usize, n: u128, method: &str) -> OrderId {
        let mut command = place(buyer, n, &[(0, 1)]);
        if let Command::PlaceOrder { pay_by: by, .. } = &mut command {
            *by = Some(pay_by(method));
        }
        match self.process.call(command).await.unwrap() {
            Answer::Order(view) => view.order.order_id,
            other => panic!("{other:?}"),
        }
    }

    async fn pay(&self, n: u128, method: &str) -> Answer {
        let caller = call(buyer_id(1), Method::PayOrder, Some(request_id(900 + n)), 0);
        let command = Command::PayOrder {
            call: caller,
            order_id: order_id(n),
            pay_by: pay_by(method),
            retry_count: 0,
        };
        self.process.call(command).await.unwrap()
    }

    async fn state(&self, order_id: OrderId) -> (OrderState, Option<FailReason>) {
        let command = Command::GetOrder {
            caller_id: crate::ledger::testing::creator_id(),
            order_id,
        };
        match self.process.call(command).await.unwrap() {
            Answer::Order(view) => (view.order.state, view.order.payment_error),
            other => panic!("{other:?}"),
        }
    }

    /// Captured and refunded, over all attempts of an order.
    fn money(&self, order_id: OrderId) -> (i64, i64) {
        let books = self.line.inner.books().orders();
        let sums = books.get(&order_id);
        sums.map_or((0, 0), |it| (it.captured_minor, it.refunded_minor))
    }
}

fn pay_by(method: &str) -> PayBy {
    PayBy {
        provider: "test".to_owned(),
        method: method.parse().unwrap(),
    }
}

async fn seconds(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}

const PAID: (OrderState, Option<FailReason>) = (OrderState::Paid, None);

#[tokio::test(start_paused = true)]
async fn a_payment_that_nobody_began_is_begun_after_a_crash() {
    let mut shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_ok").await;
    assert_eq!(shop.state(order).await.0, OrderState::PaymentPending);
    shop.restart(2).await;
    seconds(1).await;
    assert_eq!(shop.state(order).await, PAID);
    assert_eq!(shop.money(order), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_was_captured_before_a_crash_is_not_taken_twice() {
    let mut shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_unknown").await;
    // The provider captures, its answer is lost, and so is the process.
    let charge = charge(order, "pm_test_unknown");
    shop.line.inner.start(&charge).await.unwrap_err();
    shop.restart(2).await;
    seconds(5).await;
    assert_eq!(shop.state(order).await, PAID);
    assert_eq!(shop.money(order), (500, 0));
}

/// What the runner sends.
fn charge(order_id: OrderId, method: &str) -> Charge {
    Charge {
        key: super::key(attempt(order_id)),
        buyer_id: buyer_id(1),
        amount: crate::domain::Money {
            currency: "EUR".parse().unwrap(),
            amount_minor: 500,
        },
        method: method.parse().unwrap(),
        started_at: EPOCH,
    }
}

fn attempt(order_id: OrderId) -> AttemptId {
    AttemptId {
        drop_id: drop_id(1),
        order_id,
        attempt: 1,
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_unknown_is_asked_for_until_it_is_known() {
    let shop = Shop::open().await;
    let unknown = || ProviderError::Unknown("no answer".to_owned());
    let busy = || ProviderError::Unavailable("busy".to_owned());
    shop.line
        .failures
        .lock()
        .extend([busy(), unknown(), busy(), unknown(), unknown()]);
    let order = shop.buy(1, 1, "pm_test_ok").await;
    shop.run();
    seconds(3).await;
    assert_eq!(shop.state(order).await.0, OrderState::PaymentUnknown);
    seconds(60).await;
    assert_eq!(shop.state(order).await, PAID);
    assert_eq!(shop.money(order), (500, 0));
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_no_buyer_confirms_is_taken_back() {
    let shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_3ds").await;
    shop.run();
    seconds(1).await;
    assert_eq!(shop.state(order).await.0, OrderState::ActionRequired);
    // The hold lasts 30 s, and the buyer has five minutes more.
    seconds(325).await;
    assert_eq!(shop.state(order).await.0, OrderState::ActionRequired);
    seconds(25).await;
    assert_eq!(shop.state(order).await.0, OrderState::Expired);
    assert_eq!(shop.money(order), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_open_payment_pins_its_hold_until_the_provider_has_spoken() {
    let shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_ok").await;
    let down = || ProviderError::Unavailable("down".to_owned());
    shop.line.failures.lock().extend((0..1_000).map(|_| down()));
    shop.run();
    seconds(3_000).await;
    assert_eq!(shop.state(order).await.0, OrderState::PaymentPending);
    // The hold's end is long past: what is asked now is to take the payment back.
    shop.line.failures.lock().clear();
    seconds(20).await;
    assert_eq!(shop.state(order).await.0, OrderState::Expired);
    assert_eq!(shop.money(order), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_drop_takes_its_payments_back_at_once() {
    let shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_3ds").await;
    shop.run();
    seconds(20).await;
    shop.process.call(cancel_drop(1)).await.unwrap();
    seconds(1).await;
    assert_eq!(shop.state(order).await.0, OrderState::Cancelled);
    assert_eq!(shop.money(order), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_drop_gives_back_what_it_took_though_a_refund_fails_first() {
    let mut shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_refund_fails_once").await;
    let stop = shop.run();
    seconds(1).await;
    assert_eq!(shop.state(order).await, PAID);
    stop.cancel();
    shop.process.call(cancel_drop(1)).await.unwrap();
    assert_eq!(shop.state(order).await.0, OrderState::RefundPending);
    shop.restart(2).await;
    seconds(5).await;
    assert_eq!(shop.state(order).await.0, OrderState::Refunded);
    assert_eq!(shop.money(order), (500, 500));
}

#[tokio::test(start_paused = true)]
async fn what_is_captured_after_its_hold_goes_back_if_the_unit_is_gone() {
    let shop = Shop::open().await;
    shop.run();
    let late = shop.buy(1, 1, "pm_test_late").await;
    seconds(2).await;
    let declined = (OrderState::Held, Some(FailReason::Declined));
    assert_eq!(shop.state(late).await, declined);
    // Nothing tells of the capture until the hold is over and the unit another's.
    seconds(40).await;
    assert_eq!(shop.state(late).await.0, OrderState::Expired);
    let other = shop.buy(2, 2, "pm_test_ok").await;
    seconds(1).await;
    assert_eq!(shop.state(other).await, PAID);
    shop.runner.look(attempt(late)).await.unwrap();
    assert_eq!(shop.state(late).await.0, OrderState::Refunded);
    assert_eq!(
        (shop.money(late), shop.money(other)),
        ((500, 500), (500, 0))
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_captured_after_its_hold_is_a_sale_if_the_unit_is_there() {
    let shop = Shop::open().await;
    shop.run();
    let order = shop.buy(1, 1, "pm_test_late").await;
    seconds(40).await;
    assert_eq!(shop.state(order).await.0, OrderState::Expired);
    shop.runner.look(attempt(order)).await.unwrap();
    assert_eq!(shop.state(order).await, PAID);
    assert_eq!(shop.money(order), (500, 0));
}

/// The runner tells the ledger what the provider said seconds ago, just when a message makes somebody look.
#[tokio::test(start_paused = true)]
async fn a_late_capture_is_seen_also_while_the_failure_is_being_noted() {
    for turns in 0..60 {
        let shop = Shop::open().await;
        let order = shop.buy(1, 1, "pm_test_late").await;
        let failed = shop.line.inner.start(&charge(order, "pm_test_late")).await;
        let declined = PaymentStatus::Failed(FailReason::Declined);
        assert_eq!(failed.unwrap().status, declined);
        seconds(4).await;
        let note_failure = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            let report = Report::Failed(FailReason::Declined);
            shop.runner.report(attempt(order), report).await
        };
        let (looked, noted) = tokio::join!(shop.runner.look(attempt(order)), note_failure);
        looked.unwrap();
        noted.unwrap();
        assert_eq!(shop.state(order).await, PAID, "after {turns} turns");
        assert_eq!(shop.money(order), (500, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_card_after_a_decline_and_the_first_captures_too() {
    let shop = Shop::open().await;
    shop.run();
    let order = shop.buy(1, 1, "pm_test_late").await;
    seconds(2).await;
    let Answer::Order(_) = shop.pay(1, "pm_test_ok").await else {
        panic!("the second card is refused");
    };
    seconds(2).await;
    assert_eq!(shop.state(order).await, PAID);
    shop.runner.look(attempt(order)).await.unwrap();
    seconds(1).await;
    // Both captured: one is the sale, the other a stray that went back.
    assert_eq!(shop.state(order).await, PAID);
    assert_eq!(shop.money(order), (1_000, 500));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_yesterday_is_never_sent_again() {
    let mut shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_ok").await;
    shop.process.env.kill();
    seconds(13 * 3_600).await;
    shop.restart(2).await;
    seconds(60).await;
    assert_eq!(shop.line.starts.load(Ordering::Relaxed), 0);
    assert_eq!(shop.state(order).await.0, OrderState::Expired);
    assert_eq!(shop.money(order), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_payment_of_a_provider_that_is_gone_waits() {
    let shop = Shop::open().await;
    let order = shop.buy(1, 1, "pm_test_ok").await;
    let lost = runner(&shop.process, Providers::default());
    tokio::spawn(lost.run(CancellationToken::new()));
    seconds(3_600).await;
    assert_eq!(shop.state(order).await.0, OrderState::PaymentPending);
    assert_eq!(
        shop.pay(1, "pm_test_ok").await,
        Answer::Refused(Refusal::PaymentInProgress(OrderState::PaymentPending))
    );
}

#[tokio::test(start_paused = true)]
async fn a_waiting_payment_is_not_asked_about_all_the_time() {
    let shop = Shop::open().await;
    shop.buy(1, 1, "pm_test_3ds").await;
    shop.run();
    seconds(300).await;
    let asked = shop.line.asked.load(Ordering::Relaxed);
    assert!((15..40).contains(&asked), "{asked}");
}

/// Two processes that both see a payment begin do not both ask the provider about it.
#[tokio::test(start_paused = true)]
async fn what_another_process_began_is_left_to_it() {
    let shop = Shop::open().await;
    let other = shop.world.process(2, FaultPlan::default(), 0);
    let providers = Providers::new(Some("test"), vec![shop.line.clone()]);
    tokio::spawn(runner(&other, providers).run(CancellationToken::new()));
    let _opened = other.ledgers.ledger(drop_id(1)).await.unwrap();
    shop.run();
    let order_id = shop.buy(1, 1, "pm_test_slow").await;
    // The other one has heard of it, and waits.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = shop.line.asked.load(Ordering::Relaxed);
    let alone = {
        let alone = Shop::open().await;
        alone.run();
        alone.buy(1, 1, "pm_test_slow").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        alone.line.asked.load(Ordering::Relaxed)
    };
    assert_eq!(asked, alone);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(shop.state(order_id).await.0, OrderState::Paid);
    assert_eq!(shop.money(order_id), (500, 0));
}

/// It goes on with it if the other one has died.
#[tokio::test(start_paused = true)]
async fn what_a_dead_process_began_is_taken_up_by_who_looked_on() {
    let shop = Shop::open().await;
    let other = shop.world.process(2, FaultPlan::default(), 0);
    let providers = Providers::new(Some("test"), vec![shop.line.clone()]);
    tokio::spawn(runner(&other, providers).run(CancellationToken::new()));
    let _opened = other.ledgers.ledger(drop_id(1)).await.unwrap();
    let order_id = shop.buy(1, 1, "pm_test_ok").await;
    shop.process.env.kill();
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(shop.money(order_id), (500, 0));
}
