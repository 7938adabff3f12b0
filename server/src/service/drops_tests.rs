//! Old drops are looked at without their ledgers.

use super::*;
use crate::{
    domain::ProcessId,
    env::SharedEnv,
    events::Sinks,
    ledger::{
        Registry,
        testing::{EPOCH, PATIENCE, World, drop_id, end_drop, place, terms},
    },
    projectors,
    service::testing,
    store::faulty::FaultPlan,
};

#[tokio::test(start_paused = true)]
async fn a_sealed_drop_is_read_without_opening_its_ledger() {
    let world = World::with(1, &terms(&[(5, 0, 0), (3, 100, 0)], EPOCH)).await;
    world.add(2, &terms(&[(5, 0, 0)], EPOCH)).await;
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
    for n in [1, 2] {
        let sold = ctx
            .ledgers
            .call(drop_id(n), place(1, n, &[(0, 2)]), PATIENCE);
        sold.await.unwrap();
    }
    let ended = ctx.ledgers.call(drop_id(1), end_drop(), PATIENCE);
    ended.await.unwrap();
    let open = get(&ctx, drop_id(1), PATIENCE).await.unwrap();
    // A ledger that nobody uses leaves memory.
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(ctx.ledgers.open_count(), 0);

    let read = get(&ctx, drop_id(1), PATIENCE).await.unwrap();
    assert_eq!(ctx.ledgers.open_count(), 0, "not for reading");
    let counts = |details: &DropDetails| {
        let view = details.ledger.clone().unwrap();
        let items = view.items.iter().map(|it| {
            (
                it.item_id,
                it.initial,
                it.restocked,
                it.available,
                it.held,
                it.sold,
            )
        });
        (
            view.seq,
            view.phase.is_over(),
            view.is_sold_out,
            items.collect::<Vec<_>>(),
        )
    };
    assert_eq!(counts(&read), counts(&open));
    assert_eq!(read.drop, open.drop);

    let live = get(&ctx, drop_id(2), PATIENCE).await.unwrap();
    assert_eq!(ctx.ledgers.open_count(), 1, "it may change any moment");
    assert!(!live.ledger.unwrap().phase.is_over());
}
