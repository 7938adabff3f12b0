//! Days with many drops, and drops whose ledgers are not in memory.

use std::collections::BTreeSet;

use super::*;
use crate::{
    domain::ProcessId,
    env::SharedEnv,
    events::Sinks,
    ledger::{
        Registry,
        testing::{EPOCH, PATIENCE, World, drop_id, place, row, terms},
    },
    projectors,
    service::{drops, testing},
    store::faulty::FaultPlan,
};

const HOUR: Duration = Duration::from_secs(3_600);
const DROPS: u128 = 1_500;

/// Puts drops of one hour into the store, in tables as they may be found; those in the list of a state, by time.
async fn crowded(ctx: &Context, first: Timestamp, state: DropState) -> Vec<DropTimeKey> {
    let put = |n: u128| async move {
        // In no order, three at a time.
        let at = u64::try_from(n * 7_919 % DROPS / 3).unwrap();
        let mut drop = row(
            n + 1,
            &terms(&[(5, 500, 0)], first + Duration::from_secs(at)),
        );
        let time = DropTime {
            key: DropTimeKey {
                opens_at: drop.opens_at,
                drop_id: drop.drop_id,
            },
            ends_at: drop.ends_at,
        };
        ctx.store.put_drop_time(time, first).await.unwrap();
        match n % 5 {
            // It was never made.
            0 => return None,
            // It was moved.
            1 => drop.opens_at = drop.opens_at + HOUR,
            2 => drop.cancelled = true,
            _ => {}
        }
        ctx.store.insert_drop(&drop).await.unwrap();
        let is_in = match state {
            DropState::Cancelled => n % 5 == 2,
            DropState::Scheduled | DropState::Live | DropState::Ended => n % 5 > 2,
        };
        is_in.then_some(time.key)
    };
    let keys = stream::iter(0..DROPS).map(put).buffer_unordered(100);
    let mut keys: Vec<_> = keys.filter_map(std::future::ready).collect().await;
    keys.sort_unstable();
    keys
}

async fn pages(ctx: &Context, state: DropState, size: usize) -> Vec<Vec<DropTimeKey>> {
    let filter = DropFilter {
        state: Some(state),
        ..DropFilter::default()
    };
    let (mut pages, mut from) = (Vec::new(), None);
    loop {
        let page = by_time(ctx, state, &filter, from, size).await.unwrap();
        let keys = page.drops.iter().map(|it| DropTimeKey {
            opens_at: it.drop.opens_at,
            drop_id: it.drop.drop_id,
        });
        pages.push(keys.collect::<Vec<_>>());
        from = page.next;
        if from.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_crowded_day_comes_whole_and_in_order() {
    for state in [DropState::Scheduled, DropState::Cancelled] {
        let (ctx, _) = testing::context();
        let mut expected = crowded(&ctx, ctx.env.now() + 2 * HOUR, state).await;
        assert!(expected.len() >= 300);
        let days: BTreeSet<_> = expected.iter().map(|key| key.opens_at.day()).collect();
        assert!(days.len() <= 2);
        if state == DropState::Cancelled {
            expected.reverse();
        }
        for size in [50, 200, 5_000] {
            let pages = pages(&ctx, state, size).await;
            assert!(pages.iter().all(|page| page.len() <= size.min(ROWS_MAX)));
            let found = pages.concat();
            assert_eq!(found.len(), expected.len(), "{size}");
            assert_eq!(found, expected, "{size}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_ledger_is_opened_for_a_list() {
    let world = World::with(1, &terms(&[(5, 0, 0), (3, 100, 0)], EPOCH)).await;
    let process = world.alone(FaultPlan::default());
    let (env, store): (SharedEnv, _) = (process.env.clone(), process.shared_store());
    let consumers = projectors::consumers(&env, &store, &Sinks::default());
    let process_id = ProcessId::new(env.uuid());
    let (ctx, _) = testing::context();
    let ctx = Context {
        ledgers: Registry::new(env.clone(), store.clone(), process_id, consumers),
        env,
        store,
        ..ctx
    };
    let sold = place(1, 1, &[(0, 2)]);
    ctx.ledgers.call(drop_id(1), sold, PATIENCE).await.unwrap();
    let open = batch(&ctx, &[drop_id(1)]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(ctx.ledgers.open_count(), 0);

    let found = batch(&ctx, &[drop_id(2), drop_id(1)]).await.unwrap();
    assert_eq!(ctx.ledgers.open_count(), 0);
    let [None, Some(read)] = &found[..] else {
        panic!("{found:?}");
    };
    let counts = |details: &DropDetails| {
        let view = details.ledger.clone().unwrap();
        let items = view
            .items
            .iter()
            .map(|it| (it.item_id, it.available, it.sold));
        (details.state(), view.seq, items.collect::<Vec<_>>())
    };
    assert_eq!(read.state(), DropState::Live);
    let open = open[0].clone().unwrap();
    assert_eq!(counts(read), counts(&open));
    let exact = drops::get(&ctx, drop_id(1), PATIENCE).await.unwrap();
    assert_eq!(counts(read), counts(&exact));
}
