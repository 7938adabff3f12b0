//! A shop with orders in every state is rebuilt to the byte, whatever was wrong with its derived rows.

pub(in crate::jobs) mod shop;

use std::{collections::BTreeSet, sync::Arc};

use self::shop::{busy_shop, ledgers, sinks};
use super::*;
use crate::{
    app::{App, Parts, StartError},
    config::{Config, Profile},
    domain::{OrderId, order::OrderState as S},
    events::Sinks,
    projectors,
    store::{
        AuditStore as _, OrderStore as _, ProjectionStore as _,
        embedded::{
            EmbeddedStore,
            raw::{self, RawRow},
        },
        faulty::{Fault, FaultPlan, Faulty, Method as StoreMethod},
        projections::Checkpoint,
    },
};

#[tokio::test(start_paused = true)]
async fn rows_are_the_same_after_a_rebuild() {
    let shop = busy_shop().await;
    let before = shop.tables();
    let counts: Vec<_> = before.iter().map(|(_, rows)| rows.len()).collect();
    assert_eq!(counts, [17, 17, 17, 4, 6, 6, 3, 4, 4, 12], "{counts:?}");
    let states: BTreeSet<_> = {
        let mut states = BTreeSet::new();
        for (key, _) in &before[0].1 {
            let id = OrderId::from_slice(key).unwrap();
            states.insert(shop.raw.get_order(id).await.unwrap().unwrap().state);
        }
        states
    };
    let expected = [
        S::Held,
        S::ActionRequired,
        S::PaymentUnknown,
        S::Paid,
        S::Cancelled,
        S::Expired,
        S::RefundPending,
        S::Refunded,
    ];
    assert_eq!(states, expected.into());
    let told = shop.sink.ids().len();

    let done = shop.rebuild().await;
    assert_eq!((done.drops, done.ledgers, done.orders), (6, 4, 17));
    assert_eq!((done.follows, done.products), (4, 3));
    assert_eq!(done.wrong, []);
    assert_eq!(shop.tables(), before);
    assert!(!Work::Rebuild.is_unfinished(&*shop.ctx.store).await.unwrap());

    // A server that follows them up has nothing to do, and tells nothing twice.
    let next = ledgers(&shop.ctx.env, &shop.ctx.store, &sinks(&shop.sink));
    for drop_id in &shop.drops[..4] {
        next.ledger(*drop_id).await.unwrap();
    }
    next.shutdown().await;
    let ids = shop.sink.ids();
    let twice = ids[told..].iter().filter(|id| ids[..told].contains(id));
    assert_eq!(twice.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test(start_paused = true)]
async fn whatever_is_wrong_with_derived_rows_is_healed() {
    let shop = busy_shop().await;
    let before = shop.tables();
    for (table, (name, rows)) in raw::DERIVED.into_iter().zip(&before) {
        let is_checkpoints = name == "ledger_checkpoints";
        // Those of other consumers can't be made again.
        let mut own = rows.iter().filter(|(key, _)| !key.ends_with(b"events"));
        let mut next = || own.next().unwrap().clone();
        let (key, _) = next();
        shop.raw.put_raw_row(table, key, None).await;
        let (key, _) = next();
        shop.raw
            .put_raw_row(table, key, Some(b"junk".to_vec()))
            .await;
        let (key, mut row) = next();
        // Pretends to be newer than all that will ever be.
        row.splice(..row.len().min(8), [0xff; 8]);
        shop.raw.put_raw_row(table, key, Some(row)).await;
        if !is_checkpoints {
            let key = [&rows[0].0[..], b"x"].concat();
            shop.raw.put_raw_row(table, key, Some(Vec::new())).await;
        }
    }
    assert!(
        shop.tables()
            .iter()
            .zip(&before)
            .all(|(now, then)| now != then)
    );
    shop.rebuild().await;
    for (now, then) in shop.tables().iter().zip(&before) {
        assert_eq!(now, then);
    }
}

#[tokio::test(start_paused = true)]
async fn checkpoints_of_others_stay_unless_they_are_of_another_ledger() {
    let shop = busy_shop().await;
    let (store, [kept, lost]) = (&shop.ctx.store, [shop.drops[0], shop.drops[1]]);
    let of = async |drop_id| {
        let all = store.get_checkpoints(drop_id).await.unwrap();
        let found = |name| all.iter().find(|(it, _)| it == name).unwrap().1;
        (found("orders"), found("events"))
    };
    let first = store.read_from(kept, 1, 1).await.unwrap().remove(0);
    let behind = Checkpoint {
        seq: 1,
        hash: first.hash,
    };
    store.put_checkpoint(kept, "events", behind).await.unwrap();
    let unknown = Checkpoint {
        seq: 1,
        hash: [7; 32],
    };
    store.put_checkpoint(lost, "events", unknown).await.unwrap();
    shop.rebuild().await;
    assert_eq!(of(kept).await.1, behind, "what was not told yet is told");
    let (orders, events) = of(lost).await;
    assert_eq!(events, orders, "told up to the head");
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_that_was_cut_off_has_to_be_run_again() {
    let shop = busy_shop().await;
    let before = shop.tables();
    let faulty = Faulty::new(
        Arc::clone(&shop.raw),
        shop.ctx.env.clone(),
        FaultPlan::default(),
        1,
    );
    let faulty = Arc::new(faulty);
    let store: SharedStore = Arc::<Faulty<EmbeddedStore>>::clone(&faulty);
    let consumers = projectors::consumers(&shop.ctx.env, &store, &Sinks::default());
    for method in [
        StoreMethod::ScanDrops,
        StoreMethod::PutCreatorDrop,
        StoreMethod::PutOrderRefs,
        StoreMethod::PutFollowRows,
    ] {
        faulty.force(method, Fault::Refuse);
        let cut_off = rebuild(&shop.ctx.env, &store, &consumers, |_| ()).await;
        assert!(matches!(
            cut_off,
            Err(RebuildError::Store(_) | RebuildError::Ledger(..))
        ));
        assert!(Work::Rebuild.is_unfinished(&*store).await.unwrap());
        let parts = Parts {
            store: Some(store.clone()),
            ..Parts::default()
        };
        let mut config = Config::new(Profile::Dev);
        config.server.listen = ([127, 0, 0, 1], 0).into();
        let started = App::start_with(&config, parts).await;
        assert!(
            matches!(started, Err(StartError::HalfRebuilt)),
            "{method:?}"
        );
    }
    shop.rebuild().await;
    assert!(!Work::Rebuild.is_unfinished(&*store).await.unwrap());
    assert_eq!(shop.tables(), before);
}

/// The others have to be served.
#[tokio::test(start_paused = true)]
async fn a_wrong_ledger_is_told_and_does_not_hold_up_the_others() {
    let shop = busy_shop().await;
    let before = shop.tables();
    let wrong = shop.drops[0];
    let rows = shop.raw.raw_rows(raw::LEDGERS);
    let mut of_wrong = rows
        .into_iter()
        .filter(|(key, _)| key.starts_with(wrong.as_bytes()));
    let (key, mut row) = of_wrong.nth(4).unwrap();
    *row.last_mut().unwrap() ^= 1;
    shop.raw.put_raw_row(raw::LEDGERS, key, Some(row)).await;

    let done = shop.rebuild().await;
    assert_eq!((done.drops, done.ledgers), (6, 3));
    let told: Vec<_> = done.wrong.iter().map(|(id, _)| *id).collect();
    assert_eq!(told, [wrong]);
    assert!(!Work::Rebuild.is_unfinished(&*shop.ctx.store).await.unwrap());
    let checkpoints = shop.raw.get_checkpoints(wrong).await.unwrap();
    let (_, orders) = checkpoints
        .iter()
        .find(|(name, _)| name == "orders")
        .unwrap();
    assert_eq!(orders.seq, 4, "projected up to where it is wrong");
    let others = |tables: &[(String, Vec<RawRow>)]| -> Vec<RawRow> {
        let statuses = tables[3].1.iter();
        statuses
            .filter(|(key, _)| key != wrong.as_bytes())
            .cloned()
            .collect()
    };
    assert_eq!(others(&shop.tables()), others(&before));
    assert_eq!(shop.raw.list_audit(wrong.uuid()).await.unwrap(), []);
}
