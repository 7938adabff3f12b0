//! Drops that are watched, in tokio's paused time.

use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::{
    domain::{Timestamp, drop::FREEZE_AHEAD},
    env::SharedEnv,
    ledger::{
        Terms,
        state::ChangeKind,
        testing::{
            EPOCH, PATIENCE, Process, World, cancel_drop, drop_id, end_drop, item_id, place,
            restock, row, terms,
        },
    },
    service::testing,
    store::{Cas, DropStore as _, faulty::FaultPlan},
};

const SECOND: Duration = Duration::from_secs(1);

/// What the use cases of a simulated process work with.
fn context(process: &Process) -> Context {
    let (ctx, _) = testing::context();
    let env: SharedEnv = process.env.clone();
    Context {
        ledgers: process.ledgers.clone(),
        env,
        store: process.shared_store(),
        drop_watches: DropWatches::default(),
        ..ctx
    }
}

/// A process alone on a store with one drop.
async fn setting(terms: &Terms) -> (World, Process, Context) {
    let world = World::with(1, terms).await;
    let process = world.alone(FaultPlan::default());
    let ctx = context(&process);
    (world, process, ctx)
}

async fn watch(ctx: &Context, after: Option<Seen>) -> Result<DropWatch> {
    DropWatch::begin(ctx, drop_id(1), after, PATIENCE).await
}

/// The first word of a new watch, and what was seen with it.
async fn begun(ctx: &Context) -> (DropWatch, Seen) {
    let mut watch = watch(ctx, None).await.unwrap();
    let (news, seen) = watch.next().await.unwrap();
    assert!(matches!(news, DropNews::Snapshot(_)), "{news:?}");
    (watch, seen)
}

/// What is told until nothing comes for a second.
async fn all(watch: &mut DropWatch) -> Vec<(DropNews, Seen)> {
    let mut told = Vec::new();
    while let Ok(news) = timeout(SECOND, watch.next()).await {
        told.push(news.unwrap());
    }
    told
}

fn kinds(told: &[(DropNews, Seen)]) -> Vec<ChangeKind> {
    let kind = |(news, _): &(DropNews, Seen)| match news {
        DropNews::Change(told) => Some(told.news.kind),
        DropNews::Snapshot(_) | DropNews::Resumed | DropNews::Row(_) | DropNews::Stock(_) => None,
    };
    told.iter().filter_map(kind).collect()
}

/// (record, units available of the first item) of each stock that was told.
fn stocks(told: &[(DropNews, Seen)]) -> Vec<(u64, i64)> {
    let stock = |(news, _): &(DropNews, Seen)| match news {
        DropNews::Stock(told) => {
            let view = told.news.ledger.clone().unwrap();
            Some((view.seq, view.items[0].available))
        }
        DropNews::Snapshot(_) | DropNews::Resumed | DropNews::Row(_) | DropNews::Change(_) => None,
    };
    told.iter().filter_map(stock).collect()
}

const RESTOCKED: ChangeKind = ChangeKind::Restocked {
    item_id: crate::domain::ItemId::new(uuid::Uuid::from_u128(0x1000)),
    units: 2,
};

/// Sells out, restocks, sells out again and is ended.
async fn live_a_life(process: &Process) {
    assert_eq!(
        item_id(0),
        crate::domain::ItemId::new(uuid::Uuid::from_u128(0x1000))
    );
    process.call(place(1, 1, &[(0, 2)])).await.unwrap();
    process.call(restock(1, 0, 2)).await.unwrap();
    process.call(place(2, 2, &[(0, 2)])).await.unwrap();
    process.call(end_drop()).await.unwrap();
}

const LIFE: [ChangeKind; 4] = [
    ChangeKind::SoldOut,
    RESTOCKED,
    ChangeKind::SoldOut,
    ChangeKind::Closed(crate::ledger::entry::CloseReason::EndedEarly),
];

#[tokio::test(start_paused = true)]
async fn a_slow_reader_misses_stock_and_no_change() {
    let (_world, process, ctx) = setting(&terms(&[(2, 0, 0)], EPOCH)).await;
    let (mut fast, _) = begun(&ctx).await;
    let (mut slow, first) = begun(&ctx).await;
    live_a_life(&process).await;
    sleep(SECOND).await;
    let told = all(&mut slow).await;
    assert_eq!(kinds(&told), LIFE);
    assert_eq!(stocks(&told).len(), 1, "only the newest: {told:?}");
    let places: Vec<_> = told.iter().map(|(_, seen)| seen.place).collect();
    assert!(places.is_sorted() && first.place < places[0], "{places:?}");

    // From each place on the rest comes again.
    for (n, (_, seen)) in told.iter().enumerate() {
        let mut rest = watch(&ctx, Some(*seen)).await.unwrap();
        let (news, same) = rest.next().await.unwrap();
        assert!(matches!(news, DropNews::Resumed) && same == *seen);
        let rest = all(&mut rest).await;
        assert_eq!(kinds(&rest), kinds(&told[n + 1..]));
        assert_eq!(stocks(&rest), stocks(&told[n + 1..]));
    }
    assert_eq!(kinds(&all(&mut fast).await), LIFE);
}

#[tokio::test(start_paused = true)]
async fn a_rush_is_shown_as_often_as_people_can_see() {
    let (_world, process, ctx) = setting(&terms(&[(1_000, 0, 0)], EPOCH)).await;
    let (mut one, _) = begun(&ctx).await;
    let (mut other, _) = begun(&ctx).await;
    let selling = async {
        for n in 0..200 {
            process.call(place(n, n as u128, &[(0, 1)])).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    };
    let (told, others, ()) = tokio::join!(all(&mut one), all(&mut other), selling);
    let shown = stocks(&told);
    assert!((15..=25).contains(&shown.len()), "{}", shown.len());
    assert_eq!(shown.last().map(|(_, left)| *left), Some(800));
    // One piece of news for all, so that it is encoded once.
    for ((a, _), (b, _)) in told.iter().zip(&others) {
        let (DropNews::Stock(a), DropNews::Stock(b)) = (a, b) else {
            panic!("{a:?} {b:?}");
        };
        assert!(Arc::ptr_eq(a, b));
        let first = a.encoded(|_| vec![1]);
        assert_eq!(b.encoded(|_| vec![2]), first);
    }
}

#[tokio::test(start_paused = true)]
async fn an_opening_is_told_in_time() {
    let opens_at = EPOCH + FREEZE_AHEAD + 5 * SECOND;
    let (_world, process, ctx) = setting(&terms(&[(2, 0, 0)], opens_at)).await;
    // Before the freeze, and nobody but the watcher wakes the drop.
    let (mut watch, _) = begun(&ctx).await;
    let told = loop {
        let (news, _) = watch.next().await.unwrap();
        if let DropNews::Change(told) = news {
            break told;
        }
    };
    assert_eq!(told.news.kind, ChangeKind::WentLive);
    let late = crate::env::Env::now(&*process.env).since(opens_at);
    assert!(late < Duration::from_millis(50), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn rows_are_watched_until_there_is_a_ledger() {
    let opens_at = EPOCH + Duration::from_secs(86_400);
    let terms = terms(&[(2, 0, 0)], opens_at);
    let (world, process, ctx) = setting(&terms).await;
    let (mut watch, first) = begun(&ctx).await;
    let change = async |version: i64, opens_at: Timestamp, cancelled| {
        let drop = crate::domain::drop::Drop {
            version,
            op_id: uuid::Uuid::from_u128(100 + u128::from(version.unsigned_abs())),
            opens_at,
            cancelled,
            ..row(1, &terms)
        };
        assert_eq!(world.store.update_drop(&drop).await.unwrap(), Cas::Done);
    };
    let sooner = EPOCH + FREEZE_AHEAD + 100 * SECOND;
    change(2, sooner, false).await;
    let told = all(&mut watch).await;
    let [(DropNews::Row(updated), seen)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(updated.news.drop.opens_at, sooner);
    let mut resumed = super::tests::watch(&ctx, Some(*seen)).await.unwrap();
    let told = all(&mut resumed).await;
    assert!(matches!(&told[..], [(DropNews::Resumed, _)]), "{told:?}");

    change(3, sooner, true).await;
    let begun_at = Instant::now();
    // Told at once if it was done here.
    ctx.drop_watches.row_changed(drop_id(1));
    let (news, _) = watch.next().await.unwrap();
    assert!(begun_at.elapsed() < SECOND / 10);
    assert!(matches!(news, DropNews::Row(row) if row.news.drop.cancelled));
    // One who comes back hears of both at once.
    let mut late = super::tests::watch(&ctx, Some(first)).await.unwrap();
    let told = all(&mut late).await;
    assert!(
        matches!(&told[..], [(DropNews::Resumed, _), (DropNews::Row(row), _)] if row.news.drop.cancelled),
        "{told:?}"
    );
    assert!(!process.ledgers.is_open(drop_id(1)));
}

#[tokio::test(start_paused = true)]
async fn what_others_sell_is_seen_within_a_second() {
    let terms = terms(&[(2, 0, 0)], EPOCH);
    let world = World::with(1, &terms).await;
    let [one, other] = [1, 2].map(|n| world.process(n, FaultPlan::default(), 0));
    let ctx = context(&other);
    // It lies idle there, and is looked for every 15 s only.
    other.ledgers.ledger(drop_id(1)).await.unwrap();
    sleep(62 * SECOND).await;
    one.call(place(1, 1, &[(0, 1)])).await.unwrap();
    let (mut watch, _) = begun(&ctx).await;
    let told = all(&mut watch).await;
    assert!(matches!(stocks(&told)[..], [(_, 1)]), "{told:?}");
    one.call(place(2, 2, &[(0, 1)])).await.unwrap();
    let told = all(&mut watch).await;
    assert_eq!(kinds(&told), [ChangeKind::SoldOut]);
    assert!(matches!(stocks(&told)[..], [(_, 0)]), "{told:?}");
    // A place that this process has not read yet is known all the same.
    one.call(restock(1, 0, 2)).await.unwrap();
    let ctx_of_one = context(&one);
    let (_, seen) = begun(&ctx_of_one).await;
    let mut moved = super::tests::watch(&ctx, Some(seen)).await.unwrap();
    assert!(kinds(&all(&mut moved).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_is_said() {
    let (_world, process, ctx) = setting(&terms(&[(2, 0, 0)], EPOCH)).await;
    let (_watch, seen) = begun(&ctx).await;
    let ahead = LedgerPlace {
        seq: seen.place.seq + 1,
        index: 0,
    };
    for unknown in [
        Seen {
            place: ahead,
            ..seen
        },
        Seen {
            version: seen.version + 1,
            ..seen
        },
    ] {
        let refused = watch(&ctx, Some(unknown)).await;
        let is_said = |error: &Error| {
            matches!(
                error,
                Error::Refused {
                    reason: Reason::ResumeTokenExpired,
                    ..
                }
            )
        };
        assert!(refused.as_ref().is_err_and(is_said), "{refused:?}");
    }
    process.call(place(1, 1, &[(0, 1)])).await.unwrap();
    watch(
        &ctx,
        Some(Seen {
            place: ahead,
            ..seen
        }),
    )
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_ledger_stays_as_long_as_there_is_something_to_see() {
    let (_world, process, ctx) = setting(&terms(&[(2, 0, 0)], EPOCH)).await;
    let (mut watch, first) = begun(&ctx).await;
    sleep(300 * SECOND).await;
    assert!(process.ledgers.is_open(drop_id(1)));
    process.call(cancel_drop(1)).await.unwrap();
    sleep(300 * SECOND).await;
    assert!(
        !process.ledgers.is_open(drop_id(1)),
        "sealed, and still watched"
    );
    assert_eq!(kinds(&all(&mut watch).await).len(), 1);
    let (mut late, _) = begun(&ctx).await;
    assert!(all(&mut late).await.is_empty());
    let mut resumed = super::tests::watch(&ctx, Some(first)).await.unwrap();
    assert_eq!(kinds(&all(&mut resumed).await).len(), 1);

    std::mem::drop((watch, late, resumed));
    sleep(SECOND).await;
    assert!(!ctx.drop_watches.is_watched(drop_id(1)));
}
