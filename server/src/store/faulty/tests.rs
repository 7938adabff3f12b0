//! Each fault does what it says, and by seed.

use std::time::Duration;

use super::*;
use crate::{
    domain::{DropId, Timestamp},
    env::SystemEnv,
    store::{Append, LedgerRecord, LedgerStore, SharedStore, embedded::EmbeddedStore},
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
        ledger_id: DropId::new(uuid::Uuid::from_u128(1)),
        seq,
        format: 1,
        fold_version: 1,
        writer_id: uuid::Uuid::from_u128(2),
        batch_id: uuid::Uuid::from_u128(3),
        recorded_at: Timestamp::from_micros(0),
        available: 0,
        held: 0,
        sold: 0,
        prev_hash: [0; 32],
        hash: [0; 32],
        body: bytes::Bytes::from_static(b"body"),
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
