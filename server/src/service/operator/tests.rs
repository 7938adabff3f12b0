//! What operators settle, whom they may not overrule, and that it is noted first.

use super::*;
use crate::{
    domain::{ProcessId, order::OrderState, payment::PaymentMethod},
    ledger::{
        Event, PayBy,
        entry::ReleaseReason,
        testing::{
            EPOCH, PATIENCE, Process, World, buyer_id, call as test_call, cancel_drop, creator_id,
            drop_id, order_id, place, request_id, terms,
        },
    },
    projectors,
    store::{
        AuditStore as _, PaymentStore as _,
        faulty::{Fault, FaultPlan, Method as StoreMethod},
        payments::AttemptRow,
    },
};

const TOKEN: &str = "pm_secret_of_the_buyer";

/// One drop that sells, with an order whose first attempt stands as `reports` say.
struct Counter {
    world: World,
    process: Process,
    operator: Operator,
}

impl Counter {
    async fn with(reports: &[Report]) -> Self {
        let world = World::with(1, &terms(&[(5, 500, 0)], EPOCH)).await;
        let process = world.alone(FaultPlan::default());
        let (env, store): (SharedEnv, SharedStore) = (process.env.clone(), process.shared_store());
        let consumers = projectors::consumers(&env, &store, &crate::events::Sinks::default());
        let process_id = ProcessId::new(Uuid::from_u128(0x7100));
        let ledgers = Registry::new(env.clone(), store.clone(), process_id, consumers);
        let operator = Operator {
            env,
            store,
            ledgers,
        };
        let counter = Self {
            world,
            process,
            operator,
        };
        counter.tell(place(1, 1, &[(0, 1)])).await;
        let pay = Command::PayOrder {
            call: test_call(buyer_id(1), Method::PayOrder, Some(request_id(9)), 0),
            order_id: order_id(1),
            pay_by: PayBy {
                provider: "gone".to_owned(),
                method: TOKEN.parse::<PaymentMethod>().unwrap(),
            },
            retry_count: 0,
        };
        counter.tell(pay).await;
        for report in reports {
            counter.tell(reported(report.clone())).await;
        }
        counter
    }

    async fn tell(&self, command: Command) -> Answer {
        let answer = self.operator.ledgers.call(drop_id(1), command, PATIENCE);
        let (_, answer) = answer.await.unwrap();
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
        answer
    }

    async fn settle(&self, settlement: Settlement) -> Result<Settled, OperatorError> {
        self.operator.settle_order(&wish(settlement)).await
    }

    async fn audit(&self) -> Vec<AuditEntry> {
        let listed = self.world.store.list_audit(order_id(1).uuid()).await;
        listed.unwrap()
    }

    async fn show(&self) -> OrderSheet {
        let shown = self.operator.show_order(drop_id(1), order_id(1)).await;
        shown.unwrap()
    }
}

fn wish(settlement: Settlement) -> SettleOrder {
    SettleOrder {
        drop_id: drop_id(1),
        order_id: order_id(1),
        attempt: 1,
        settlement,
        note: "ticket 4711".to_owned(),
        actor: "ann (uid 1000)".to_owned(),
    }
}

fn reported(report: Report) -> Command {
    Command::ReportPayment {
        call: None,
        order_id: order_id(1),
        attempt: 1,
        report,
    }
}

fn refund() -> Command {
    Command::RefundOrder {
        call: test_call(creator_id(), Method::RefundOrder, Some(request_id(10)), 0),
        order_id: order_id(1),
        reason: "broken".to_owned(),
        restock: false,
    }
}

fn unknown() -> Report {
    Report::Waiting(WaitReason::Unknown, String::new())
}

fn declined() -> Report {
    Report::Failed(FailReason::Declined)
}

/// The main use: the provider is gone, and the buyer's units with it.
#[tokio::test(start_paused = true)]
async fn an_attempt_without_its_provider_is_failed_and_the_units_come_back() {
    let counter = Counter::with(&[unknown()]).await;
    tokio::time::sleep(Duration::from_secs(3_000)).await;
    let Settled { before, after } = counter.settle(Settlement::Failed).await.unwrap();
    assert_eq!(before.order.state, OrderState::PaymentUnknown);
    assert_eq!(before.attempts[0].state, "OPEN (UNKNOWN)");
    assert_eq!(before.audit, []);
    assert_eq!(after.attempts[0].state, "FAILED");
    assert_eq!(after.audit, counter.audit().await);
    let [noted] = &after.audit[..] else {
        panic!("{:?}", after.audit)
    };
    assert_eq!(
        (noted.action.as_str(), noted.actor.as_str()),
        ("order.settle", "ann (uid 1000)")
    );
    for part in [
        "attempt 1",
        "OPEN (UNKNOWN)",
        "gone",
        "failed",
        "ticket 4711",
    ] {
        assert!(noted.detail.contains(part), "{}", noted.detail);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let sheet = counter.show().await;
    assert_eq!(
        sheet.order.state,
        OrderState::Expired,
        "the hold has run out long ago"
    );

    let entries = counter.world.entries().await;
    let (_, failed) = entries
        .iter()
        .find(|(_, it)| matches!(it.event, Event::PaymentFailed { .. }))
        .unwrap();
    let call = failed.call.unwrap();
    assert_eq!((call.method, call.request_id), (Method::SettleOrder, None));
    assert_eq!(call.caller_id.uuid(), Uuid::nil());
    assert!(
        matches!(&failed.event, Event::PaymentFailed { reason, .. } if reason == "SETTLED_BY_HAND")
    );
    let released = |event: &Event| {
        matches!(
            event,
            Event::Released {
                reason: ReleaseReason::Expired,
                ..
            }
        )
    };
    assert!(entries.iter().any(|(_, it)| released(&it.event)));
    // A restarted process understands what was written.
    let again = counter.world.process(2, FaultPlan::default(), 0);
    assert!(again.call(Command::GetDrop).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn captures_and_refunds_are_settled_too() {
    let counter = Counter::with(&[]).await;
    let after = counter.settle(Settlement::Captured).await.unwrap().after;
    assert_eq!(
        (after.order.state, after.paid_attempt),
        (OrderState::Paid, 1)
    );

    counter.tell(refund()).await;
    let after = counter.settle(Settlement::Refunded).await.unwrap().after;
    assert_eq!(after.order.state, OrderState::Refunded);
    assert_eq!(after.audit.len(), 2);
}

/// Called failed, and captured all the same: what is not to be had again goes back.
#[tokio::test(start_paused = true)]
async fn a_capture_found_late_is_sold_or_refunded() {
    let counter = Counter::with(&[declined()]).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let after = counter.settle(Settlement::Captured).await.unwrap().after;
    assert_eq!(after.order.state, OrderState::Paid, "units were left");

    let counter = Counter::with(&[declined()]).await;
    counter.tell(cancel_drop(11)).await;
    let after = counter.settle(Settlement::Captured).await.unwrap().after;
    assert_eq!(after.order.state, OrderState::RefundPending);
    assert_eq!(after.attempts[0].state, "REFUNDING");
}

/// The fold says so too: told all the same, it appends nothing.
#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_refused_and_leaves_no_trace() {
    use Settlement::{Captured, Failed, Refunded};
    let cases = [
        (vec![], false, "OPEN (PENDING)", vec![Refunded]),
        (vec![unknown()], false, "OPEN (UNKNOWN)", vec![Refunded]),
        (vec![declined()], false, "FAILED", vec![Failed, Refunded]),
        (
            vec![Report::Captured],
            false,
            "CAPTURED",
            vec![Captured, Failed, Refunded],
        ),
        (
            vec![Report::Captured],
            true,
            "REFUNDING",
            vec![Captured, Failed],
        ),
        (
            vec![Report::Captured, Report::Refunded],
            true,
            "REFUNDED",
            vec![Captured, Failed, Refunded],
        ),
    ];
    for (reports, is_refunded, state, wishes) in cases {
        let (first, rest) = reports.split_at(reports.len().min(1));
        let counter = Counter::with(first).await;
        if is_refunded {
            counter.tell(refund()).await;
        }
        for report in rest {
            counter.tell(reported(report.clone())).await;
        }
        let log = counter.world.log().await;
        for settlement in wishes {
            let refused = counter.settle(settlement).await.unwrap_err();
            assert!(
                matches!(&refused, OperatorError::NothingToSettle { state: it, .. } if it == state),
                "{settlement:?} {refused}"
            );
            assert!(refused.to_string().contains(state), "{refused}");
            counter.tell(reported(settlement.report())).await;
        }
        assert_eq!(counter.world.log().await, log);
        assert_eq!(counter.audit().await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_that_could_not_be_noted() {
    let counter = Counter::with(&[unknown()]).await;
    let log = counter.world.log().await;
    counter
        .process
        .store
        .force(StoreMethod::PutAudit, Fault::Refuse);
    let refused = counter.settle(Settlement::Captured).await.unwrap_err();
    assert!(
        matches!(refused, OperatorError::Unavailable(_)),
        "{refused}"
    );
    assert_eq!(counter.process.store.forced_left(), 0);
    assert_eq!(counter.world.log().await, log);
    assert!(counter.settle(Settlement::Captured).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_said() {
    let counter = Counter::with(&[]).await;
    let settle = async |wish: SettleOrder| counter.operator.settle_order(&wish).await.unwrap_err();
    let ok = wish(Settlement::Failed);
    let refused = settle(SettleOrder {
        attempt: 2,
        ..ok.clone()
    })
    .await;
    assert!(
        matches!(refused, OperatorError::UnknownAttempt { attempts: 1, .. }),
        "{refused}"
    );
    let refused = settle(SettleOrder {
        order_id: order_id(7),
        ..ok.clone()
    })
    .await;
    assert!(
        matches!(refused, OperatorError::UnknownOrder(..)),
        "{refused}"
    );
    let refused = settle(SettleOrder {
        drop_id: drop_id(7),
        ..ok.clone()
    })
    .await;
    assert!(
        matches!(refused, OperatorError::UnknownOrder(..)),
        "{refused}"
    );
    for note in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let note = note.to_owned();
        let refused = settle(SettleOrder { note, ..ok.clone() }).await;
        assert!(matches!(refused, OperatorError::Note), "{refused}");
    }
    assert_eq!(counter.audit().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_sheet_has_the_reference_and_not_the_token() {
    let counter = Counter::with(&[unknown()]).await;
    let row = AttemptRow {
        provider: "gone".to_owned(),
        reference: "pi_42".to_owned(),
        noted_at: EPOCH,
    };
    let put = counter.world.store.put_attempt(order_id(1), 1, &row).await;
    put.unwrap();
    counter.settle(Settlement::Captured).await.unwrap();
    let sheet = counter.show().await;
    let [attempt] = &sheet.attempts[..] else {
        panic!("{sheet:?}")
    };
    assert_eq!(attempt.reference.as_deref(), Some("pi_42"));
    assert_eq!(
        (attempt.amount_minor, attempt.provider.as_str()),
        (500, "gone")
    );
    let text = serde_json::to_string(&sheet).unwrap() + &format!("{sheet:?}");
    assert!(!text.contains(TOKEN), "{text}");
    assert_eq!(
        serde_json::from_str::<OrderSheet>(&serde_json::to_string(&sheet).unwrap()).unwrap(),
        sheet
    );
}
