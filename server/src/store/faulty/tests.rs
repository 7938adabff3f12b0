//! Each fault does what it says, and by seed.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::{
    domain::{DropId, ProcessId, RequestId},
    env::{BoxFuture, SystemEnv},
    store::{
        AccountStore, Append, AuditStore, DropStore, FollowStore, JobStore, LedgerRecord,
        LedgerStore, OpenLedger, OrderStore, OutboxStore, PaymentStore, ProductStore,
        ProjectionStore, RequestStore, SearchChangeStore, SessionStore, SharedStore, TruthStore,
        conformance::{pages::first_100, samples},
        drops::{DropTime, DropTimeKey},
        embedded::EmbeddedStore,
        follows::FollowList,
        projections::Checkpoint,
        requests::{RequestKey, RequestRow},
        search::SearchChange,
        truth::{TruthRow, TruthTable},
    },
};

type FaultyStore = Faulty<EmbeddedStore>;

fn faulty(plan: FaultPlan, seed: u64) -> FaultyStore {
    Faulty::new(
        Arc::new(EmbeddedStore::in_memory().unwrap()),
        Arc::new(SystemEnv),
        plan,
        seed,
    )
}

mod without_faults {
    use super::*;

    crate::store_conformance!(async {
        (Arc::new(faulty(FaultPlan::default(), 1)) as SharedStore, ())
    });
}

fn record(seq: u64) -> LedgerRecord {
    LedgerRecord {
        batch_id: Uuid::nil(),
        writer_id: Uuid::nil(),
        ..samples::record(DropId::new(Uuid::max()), seq)
    }
}

/// What the store under the faults holds.
async fn stored(store: &FaultyStore) -> Vec<LedgerRecord> {
    store
        .inner
        .read_from(record(1).ledger_id, 1, 1_000)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_forced_fault_does_what_it_says() {
    let store = faulty(FaultPlan::default(), 1);
    store.force(Method::Append, Fault::Refuse);
    assert!(matches!(
        store.append(&record(1)).await,
        Err(StoreError::Determinate(_))
    ));
    assert_eq!(stored(&store).await, []);

    store.force(Method::Append, Fault::Lose);
    assert!(matches!(
        store.append(&record(1)).await,
        Err(StoreError::Indeterminate(_))
    ));
    assert_eq!(stored(&store).await, []);

    store.force(Method::Append, Fault::HideOutcome);
    assert!(matches!(
        store.append(&record(1)).await,
        Err(StoreError::Indeterminate(_))
    ));
    assert_eq!(stored(&store).await, [record(1)]);

    store.force(Method::Append, Fault::Duplicate);
    assert_eq!(
        store.append(&record(2)).await.unwrap(),
        Append::Conflict(Box::new(record(2)))
    );
    assert_eq!(stored(&store).await, [record(1), record(2)]);

    // Only the method named is hit, and only once.
    store.force(Method::ReadFrom, Fault::Lose);
    assert_eq!(store.append(&record(3)).await.unwrap(), Append::Appended);
    assert_eq!(store.forced_left(), 1);
    assert!(store.read_from(record(1).ledger_id, 1, 10).await.is_err());
    assert_eq!(
        store
            .read_from(record(1).ledger_id, 1, 10)
            .await
            .unwrap()
            .len(),
        3
    );
    assert_eq!(store.forced_left(), 0);
}

/// A call of each method, with what it is named by.
fn calls(store: &Arc<FaultyStore>) -> Vec<(Method, BoxFuture<Result<()>>)> {
    macro_rules! calls {
        ($($method:ident: $name:ident($($argument:expr),*),)*) => {
            vec![$((Method::$method, {
                let store = Arc::clone(store);
                Box::pin(async move { store.$name($($argument),*).await.map(drop) }) as BoxFuture<_>
            })),*]
        };
    }
    let (drop_id, account_id) = (
        DropId::new(Uuid::max()),
        crate::domain::AccountId::new(Uuid::max()),
    );
    let product_id = crate::domain::ProductId::new(Uuid::max());
    let open = OpenLedger {
        ledger_id: drop_id,
        process_id: ProcessId::new(Uuid::max()),
    };
    let time = DropTime {
        key: DropTimeKey {
            opens_at: samples::NOW,
            drop_id,
        },
        ends_at: samples::NOW,
    };
    let request = || RequestKey {
        caller_id: None,
        method: "SignUp",
        request_id: RequestId::new(Uuid::max()),
    };
    let row = RequestRow {
        fingerprint: [0; 32],
        entity_id: Uuid::max(),
    };
    let order = samples::order_row();
    let (order_id, intent) = (order.order_id, samples::intent());
    let checkpoint = Checkpoint {
        seq: 1,
        hash: [0; 32],
    };
    let change = SearchChange {
        noted_at: samples::NOW,
        entity: intent.entity,
    };
    calls! {
        Append: append(&record(1)),
        ReadFrom: read_from(drop_id, 1, 1),
        MarkOpen: mark_open(open),
        UnmarkOpen: unmark_open(open),
        ListOpen: list_open(1, None, 1),
        InsertDrop: insert_drop(&samples::drop()),
        GetDrop: get_drop(drop_id),
        UpdateDrop: update_drop(&samples::drop()),
        PutDropTime: put_drop_time(time, samples::NOW),
        ListDropTimes: list_drop_times(1, 1, first_100()),
        PutCreatorDrop: put_creator_drop(account_id, samples::NOW, drop_id),
        ListCreatorDrops: list_creator_drops(account_id, first_100()),
        ScanDrops: scan_drops(None, 1),
        InsertProduct: insert_product(&samples::product()),
        GetProduct: get_product(product_id),
        UpdateProduct: update_product(&samples::product()),
        PutCreatorProduct: put_creator_product(account_id, samples::NOW, product_id),
        ListCreatorProducts: list_creator_products(account_id, first_100()),
        InsertAccount: insert_account(&samples::account()),
        GetAccount: get_account(account_id),
        UpdateAccount: update_account(&samples::account()),
        InsertCreator: insert_creator(&samples::creator()),
        GetCreator: get_creator(account_id),
        UpdateCreator: update_creator(&samples::creator()),
        ClaimEmail: claim_email("a", &samples::claim()),
        GetEmailClaim: get_email_claim("a"),
        TakeOverEmail: take_over_email("a", &samples::claim()),
        ReleaseEmail: release_email("a", &samples::claim()),
        ClaimHandle: claim_handle("a", &samples::claim()),
        GetHandleClaim: get_handle_claim("a"),
        TakeOverHandle: take_over_handle("a", &samples::claim()),
        GetFollow: get_follow(account_id, account_id),
        GetFollows: get_follows(account_id, &[account_id]),
        UpdateFollow: update_follow(&samples::follow_edge()),
        PutFollowRows: put_follow_rows(&samples::follow_edge()),
        ListFollowRows: list_follow_rows(FollowList::followers_of(account_id), 0, first_100()),
        ListFollowBuckets: list_follow_buckets(FollowList::followers_of(account_id)),
        UpdateFollowBucket: update_follow_bucket(&samples::follow_bucket()),
        InsertSession: insert_session(&samples::session()),
        GetSession: get_session(Uuid::max()),
        UpdateSession: update_session(&samples::session()),
        PutEndedAccount: put_ended_account(account_id, samples::NOW),
        ListEndedAccounts: list_ended_accounts(1, first_100()),
        PutSearchChange: put_search_change(&change),
        ListSearchChanges: list_search_changes(1, first_100()),
        ClaimRequest: claim_request(&request(), &row),
        GetRequest: get_request(&request()),
        PutOrders: put_orders(&[samples::order_row()]),
        PutOrderRefs: put_order_refs(&[samples::order_ref(&order)]),
        GetOrder: get_order(order_id),
        ListBuyerOrders: list_buyer_orders(account_id, 1, first_100()),
        ListDropOrders: list_drop_orders(drop_id, 1, first_100()),
        GetCheckpoints: get_checkpoints(drop_id),
        PutCheckpoint: put_checkpoint(drop_id, "a", checkpoint),
        PutDropStatus: put_drop_status(&samples::drop_status()),
        GetDropStatus: get_drop_status(drop_id),
        TruncateDerived: truncate_derived(),
        PutAttempt: put_attempt(order_id, 1, &samples::attempt()),
        GetAttempt: get_attempt(order_id, 1),
        PutPaymentEvent: put_payment_event("a", "b", samples::NOW),
        GetPaymentEvent: get_payment_event("a", "b"),
        PutIntent: put_intent(&intent),
        RemoveIntent: remove_intent(&intent),
        ListIntents: list_intents(1, 1, first_100()),
        GetAnnounced: get_announced(intent.entity),
        PutAnnounced: put_announced(intent.entity, 1),
        GetJob: get_job("a"),
        UpdateJob: update_job(&samples::job()),
        PutAudit: put_audit(&samples::audit_entry()),
        ListAudit: list_audit(Uuid::max()),
        ScanTruth: scan_truth(TruthTable::Jobs, None, 1),
        PutTruth: put_truth(&TruthRow::OpenLedgers(open)),
    }
}

#[tokio::test]
async fn every_method_can_fail_under_its_name() {
    let store = Arc::new(faulty(FaultPlan::default(), 1));
    for (method, call) in calls(&store) {
        store.force(method, Fault::Refuse);
        assert!(
            matches!(call.await, Err(StoreError::Determinate(_))),
            "{method:?}"
        );
        assert_eq!(store.forced_left(), 0, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_append_lands_after_its_answer() {
    let plan = FaultPlan {
        delay_max: Duration::from_secs(10),
        ..FaultPlan::default()
    };
    let store = faulty(plan, 1);
    store.force(Method::Append, Fault::Late);
    assert!(matches!(
        store.append(&record(1)).await,
        Err(StoreError::Indeterminate(_))
    ));
    assert_eq!(stored(&store).await, []);
    tokio::time::sleep(plan.delay_max).await;
    assert_eq!(stored(&store).await, [record(1)]);
}

#[tokio::test(start_paused = true)]
async fn delays_pass_through_the_environment() {
    let odds = Odds {
        delay: 1.0,
        ..Odds::default()
    };
    let store = faulty(FaultPlan::uniform(odds, Duration::from_secs(10)), 1);
    let started = tokio::time::Instant::now();
    for seq in 1..=10 {
        assert_eq!(store.append(&record(seq)).await.unwrap(), Append::Appended);
    }
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(10) && took < Duration::from_secs(100),
        "{took:?}"
    );
}

/// How 1,000 appends end: refused, unknown, appended or conflict.
async fn outcomes(seed: u64) -> Vec<&'static str> {
    let append = Odds {
        refuse: 0.1,
        lose: 0.1,
        hide_outcome: 0.2,
        duplicate: 0.1,
        late: 0.0,
        delay: 0.0,
    };
    let store = faulty(
        FaultPlan {
            append,
            ..FaultPlan::default()
        },
        seed,
    );
    let mut outcomes = Vec::new();
    for seq in 1..=1_000 {
        outcomes.push(match store.append(&record(seq)).await {
            Err(StoreError::Determinate(_)) => "refused",
            Err(StoreError::Indeterminate(_)) => "unknown",
            Ok(Append::Appended) => "appended",
            Ok(Append::Conflict(_)) => "conflict",
        });
    }
    outcomes
}

#[tokio::test]
async fn odds_hold_and_the_seed_decides() {
    let first = outcomes(7).await;
    let share = |name| first.iter().filter(|outcome| **outcome == name).count();
    for (name, expected) in [
        ("refused", 100),
        ("unknown", 300),
        ("appended", 500),
        ("conflict", 100),
    ] {
        assert!(
            share(name).abs_diff(expected) < 60,
            "{name}: {} of about {expected}",
            share(name)
        );
    }
    assert_eq!(outcomes(7).await, first);
    assert_ne!(outcomes(8).await, first);
}

#[derive(Default)]
struct Log(Mutex<Vec<(Moment, Method)>>);

impl Observer for Log {
    fn observe(&self, moment: Moment, method: Method, _: Subject<'_>) {
        self.0.lock().push((moment, method));
    }
}

#[tokio::test]
async fn an_observer_sees_what_reaches_the_store() {
    let log = Arc::new(Log::default());
    let observer: Arc<Log> = Arc::clone(&log);
    let store = faulty(FaultPlan::default(), 1).observed(observer);
    store.append(&record(1)).await.unwrap();
    store.force(Method::Append, Fault::Refuse);
    assert!(store.append(&record(2)).await.is_err());
    store.force(Method::Append, Fault::HideOutcome);
    assert!(store.append(&record(2)).await.is_err());
    let once = [
        (Moment::Before, Method::Append),
        (Moment::After, Method::Append),
    ];
    assert_eq!(*log.0.lock(), [once, once].concat());
}
