//! Whatever dies in between: every row's event is out, its lists are there, and no intent is left.

use std::{future, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Begun, Outbox, Unfinished};
use crate::{
    domain::{AccountId, drop::Drop, id::SHARDS},
    events::{Event, EventSink, RecordingSink, SinkError, Sinks},
    jobs::relay,
    ledger::testing::{EPOCH, Process, World, creator_id, drop_id, row, terms},
    store::{
        AccountStore as _, Cas, DropStore as _, JobStore as _, Order, OutboxStore as _,
        PageRequest, Put, StoreError,
        accounts::Account,
        faulty::{Fault, FaultPlan, Method},
        outbox::{Entity, EntityKind, Intent},
    },
};

/// The relay has gone over everything that is due.
const A_PASS: Duration = Duration::from_secs(16);
/// An intent of which nothing came has been given up.
const GIVEN_UP: Duration = Duration::from_secs(620);

fn account(n: u128, op: u128) -> Account {
    Account {
        account_id: AccountId::new(Uuid::from_u128(n)),
        version: 1,
        op_id: Uuid::from_u128(op),
        email: "ann@example.com".to_owned(),
        display_name: format!("made by {op}"),
        password_hash: "hash".to_owned(),
        created_at: EPOCH,
    }
}

fn drop_row(n: u128) -> Drop {
    row(
        n,
        &terms(&[(5, 500, 0)], EPOCH + Duration::from_secs(86_400)),
    )
}

fn of_account(n: u128) -> Entity {
    Entity {
        kind: EntityKind::Account,
        id: Uuid::from_u128(n),
    }
}

fn of_drop(n: u128) -> Entity {
    Entity {
        kind: EntityKind::Drop,
        id: drop_id(n).uuid(),
    }
}

fn account_event(n: u128) -> String {
    format!("account/{}/1", Uuid::from_u128(n))
}

fn outbox(process: &Process, sink: &Arc<RecordingSink>) -> Outbox {
    let sinks = Sinks::new(vec![Arc::<RecordingSink>::clone(sink)]);
    Outbox::new(process.env.clone(), process.shared_store(), sinks)
}

/// A process with a relay; both end when its tasks are killed.
fn relaying(process: &Process, sink: &Arc<RecordingSink>) -> Outbox {
    use crate::env::Env as _;
    let outbox = outbox(process, sink);
    let work = relay::run(outbox.clone(), CancellationToken::new());
    process.env.spawn("relay", Box::pin(work));
    outbox
}

async fn intents(world: &World) -> Vec<Intent> {
    let mut all = Vec::new();
    for shard in 0..SHARDS {
        for hour in EPOCH.hour()..EPOCH.hour() + 8 {
            let page = PageRequest {
                after: None,
                limit: 1_000,
                order: Order::Ascending,
            };
            all.extend(world.store.list_intents(shard, hour, page).await.unwrap());
        }
    }
    all
}

async fn is_listed(world: &World, drop: &Drop) -> bool {
    let page = PageRequest {
        after: None,
        limit: 1_000,
        order: Order::Ascending,
    };
    let listed = world.store.list_creator_drops(creator_id(), page).await;
    listed.unwrap().contains(&(drop.created_at, drop.drop_id))
}

async fn is_timed(world: &World, drop: &Drop) -> bool {
    let page = PageRequest {
        after: None,
        limit: 1_000,
        order: Order::Ascending,
    };
    let (day, shard) = (drop.opens_at.day(), drop.drop_id.shard());
    let times = world.store.list_drop_times(day, shard, page).await.unwrap();
    times.iter().any(|time| time.key.drop_id == drop.drop_id)
}

/// The events without repeats; a repeat that differs from the first is a failure.
fn distinct(sink: &RecordingSink) -> Vec<Event> {
    let mut distinct: Vec<Event> = Vec::new();
    for event in sink.events() {
        match distinct.iter().find(|it| it.event_id == event.event_id) {
            Some(first) => assert_eq!(*first, event, "the same id, another event"),
            None => distinct.push(event),
        }
    }
    distinct
}

async fn assert_done(world: &World, entity: Entity) {
    assert_eq!(world.store.get_announced(entity).await.unwrap(), 1);
    assert_eq!(intents(world).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_without_any_relay() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let process = world.alone(FaultPlan::default());
    let outbox = outbox(&process, &sink);
    let (account, drop) = (account(1, 11), drop_row(1));
    let put = process.store.insert_account(&account);
    let put = outbox.change(of_account(1), account.op_id, put);
    assert_eq!(put.await.unwrap(), Put::Done);
    let put = process.store.insert_drop(&drop);
    let put = outbox.change(of_drop(1), drop.op_id, put).await;
    assert_eq!(put.unwrap(), Put::Done);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let expected = [account_event(1), format!("drop/{}/1", drop.drop_id)];
    assert_eq!(sink.ids(), expected);
    assert!(is_listed(&world, &drop).await && is_timed(&world, &drop).await);
    assert_done(&world, of_account(1)).await;
    assert_done(&world, of_drop(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_intent_of_which_nothing_comes_is_dropped_in_the_end() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let process = world.alone(FaultPlan::default());
    let outbox = relaying(&process, &sink);
    let _: Begun = outbox.begin(of_account(1), Uuid::nil()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!(intents(&world).await.len(), 1);
    tokio::time::sleep(GIVEN_UP - Duration::from_secs(500)).await;
    assert_eq!(intents(&world).await, []);
    assert_eq!(sink.ids(), [""; 0]);
}

/// Between intent and row, and between the row and its lists: the row comes from a process that can do nothing more.
#[tokio::test(start_paused = true)]
async fn a_row_whose_maker_died_is_listed_and_told() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let dying = outbox(&world.process(1, FaultPlan::default(), 0), &sink);
    let drop = drop_row(1);
    let _: Begun = dying.begin(of_drop(1), drop.op_id).await.unwrap();
    let other = world.process(2, FaultPlan::default(), 0);
    relaying(&other, &sink);
    tokio::time::sleep(A_PASS).await;
    assert_eq!((intents(&world).await.len(), sink.ids().len()), (1, 0));
    // Slow, not lost.
    assert_eq!(world.store.insert_drop(&drop).await.unwrap(), Put::Done);
    tokio::time::sleep(A_PASS).await;
    assert_eq!(sink.ids(), [format!("drop/{}/1", drop.drop_id)]);
    assert!(is_listed(&world, &drop).await && is_timed(&world, &drop).await);
    assert_done(&world, of_drop(1)).await;
}

/// After each step of the follow-up the process dies.
#[tokio::test(start_paused = true)]
async fn what_a_process_followed_up_halfway_is_finished_by_another() {
    let steps = [
        (Method::PutCreatorDrop, false),
        (Method::PutDropTime, false),
        (Method::GetAnnounced, false),
        (Method::PutAnnounced, true),
        (Method::RemoveIntent, true),
    ];
    for (step, is_out) in steps {
        let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
        let dying = world.process(1, FaultPlan::default(), 0);
        dying.store.force(step, Fault::Lose);
        let drop = drop_row(1);
        let put = dying.store.insert_drop(&drop);
        let outbox = outbox(&dying, &sink);
        outbox.change(of_drop(1), drop.op_id, put).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        dying.env.kill();
        assert_eq!(dying.store.forced_left(), 0, "{step:?}");
        assert_eq!(sink.ids().len(), usize::from(is_out), "{step:?}");
        assert_eq!(intents(&world).await.len(), 1, "{step:?}");

        relaying(&world.process(2, FaultPlan::default(), 0), &sink);
        tokio::time::sleep(A_PASS).await;
        let told = distinct(&sink);
        assert_eq!(told.len(), 1, "{step:?}");
        assert!(is_listed(&world, &drop).await && is_timed(&world, &drop).await);
        assert_done(&world, of_drop(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_relays_at_once_finish_the_same() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let dead = outbox(&world.process(1, FaultPlan::default(), 0), &sink);
    for n in 1..=40 {
        let account = account(n, 100 + n);
        let _: Begun = dead.begin(of_account(n), account.op_id).await.unwrap();
        world.store.insert_account(&account).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    relaying(&world.process(2, FaultPlan::default(), 0), &sink);
    relaying(&world.process(3, FaultPlan::default(), 200_000), &sink);
    tokio::time::sleep(A_PASS).await;
    let mut told: Vec<String> = distinct(&sink).into_iter().map(|it| it.event_id).collect();
    told.sort();
    let all: Vec<String> = (1..=40).map(account_event).collect();
    assert_eq!(told, all);
    for n in 1..=40 {
        assert_done(&world, of_account(n)).await;
    }
}

/// Both say what they wanted; only what came is told.
#[tokio::test(start_paused = true)]
async fn the_loser_of_a_race_is_not_told() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let process = world.alone(FaultPlan::default());
    let outbox = outbox(&process, &sink);
    let (winner, loser, dead) = (account(1, 11), account(1, 22), account(1, 33));
    let lost = outbox.begin(of_account(1), loser.op_id).await.unwrap();
    let _: Begun = outbox.begin(of_account(1), dead.op_id).await.unwrap();
    let put = process.store.insert_account(&winner);
    let put = outbox.change(of_account(1), winner.op_id, put).await;
    assert_eq!(put.unwrap(), Put::Done);
    let put = lost.run(process.store.insert_account(&loser)).await;
    assert_eq!(put.unwrap(), Put::Exists(winner));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The dead one's might come yet, as far as anybody knows.
    assert_eq!(intents(&world).await.len(), 1);
    relaying(&process, &sink);
    tokio::time::sleep(GIVEN_UP).await;
    let told = format!("{:?}", distinct(&sink));
    assert!(told.contains("made by 11") && !told.contains("made by 22"));
    assert_eq!(distinct(&sink).len(), 1);
    assert_done(&world, of_account(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_down_for_long_misses_nothing() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let process = world.alone(FaultPlan::default());
    let outbox = relaying(&process, &sink);
    sink.set_down(true);
    let mut drops: Vec<Drop> = (1..=30).map(drop_row).collect();
    for (n, drop) in (1..).zip(&drops) {
        let put = process.store.insert_drop(drop);
        let put = outbox.change(of_drop(n), drop.op_id, put).await;
        assert_eq!(put.unwrap(), Put::Done);
    }
    tokio::time::sleep(2 * GIVEN_UP).await;
    assert_eq!(intents(&world).await.len(), 30);
    for drop in &drops {
        assert!(is_listed(&world, drop).await);
    }
    // Cancelled by somebody who died at once.
    drops[0].op_id = Uuid::from_u128(77);
    let _: Begun = outbox.begin(of_drop(1), drops[0].op_id).await.unwrap();
    drops[0].version = 2;
    drops[0].cancelled = true;
    assert_eq!(world.store.update_drop(&drops[0]).await.unwrap(), Cas::Done);
    sink.set_down(false);
    tokio::time::sleep(A_PASS).await;
    let told = distinct(&sink);
    assert_eq!(told.len(), 31);
    let cancelled = format!("drop/{}/2", drops[0].drop_id);
    assert!(told.iter().any(|event| event.event_id == cancelled));
    assert_eq!(intents(&world).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_left_to_the_relay_and_a_known_one_is_not() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let process = world.alone(FaultPlan::default());
    let outbox = outbox(&process, &sink);
    process.store.force(Method::PutIntent, Fault::Refuse);
    process.store.force(Method::InsertAccount, Fault::Refuse);
    let change = |n, op| {
        let (outbox, store, account) = (&outbox, &process.store, account(n, op));
        async move {
            let put = store.insert_account(&account);
            outbox.change(of_account(n), account.op_id, put).await
        }
    };
    // No change without its intent.
    assert!(matches!(
        change(1, 11).await,
        Err(StoreError::Determinate(_))
    ));
    assert_eq!(process.store.forced_left(), 1);
    assert!(matches!(
        change(1, 11).await,
        Err(StoreError::Determinate(_))
    ));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(intents(&world).await, []);

    process
        .store
        .force(Method::InsertAccount, Fault::HideOutcome);
    assert!(matches!(
        change(1, 12).await,
        Err(StoreError::Indeterminate(_))
    ));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((intents(&world).await.len(), sink.ids().len()), (1, 0));
    relaying(&process, &sink);
    tokio::time::sleep(A_PASS).await;
    assert_eq!(sink.ids(), [account_event(1)]);
    assert_done(&world, of_account(1)).await;
}

#[derive(Debug)]
struct Mute;

#[async_trait]
impl EventSink for Mute {
    async fn publish(&self, _: &[Event]) -> Result<(), SinkError> {
        future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_answers_holds_nobody_up() {
    let world = World::new(1);
    let process = world.alone(FaultPlan::default());
    let sinks = Sinks::new(vec![Arc::new(Mute)]);
    let outbox = Outbox::new(process.env.clone(), process.shared_store(), sinks);
    let account = account(1, 11);
    let put = process.store.insert_account(&account);
    let put = outbox.change(of_account(1), account.op_id, put);
    assert_eq!(put.await.unwrap(), Put::Done);
    let finished = outbox.finish(of_account(1)).await;
    assert!(matches!(finished, Err(Unfinished::Sink(_))));
    assert_eq!(world.store.get_announced(of_account(1)).await.unwrap(), 0);
}

/// Hours in which nothing is left are not read again, and those in which something is are, by whoever comes.
#[tokio::test(start_paused = true)]
async fn a_relay_goes_on_where_the_last_one_was() {
    let (world, sink) = (World::new(1), Arc::new(RecordingSink::default()));
    let first = world.process(1, FaultPlan::default(), 0);
    let outbox = relaying(&first, &sink);
    sink.set_down(true);
    let account = account(1, 11);
    let put = world.store.insert_account(&account);
    let put = outbox.change(of_account(1), account.op_id, put).await;
    assert_eq!(put.unwrap(), Put::Done);
    tokio::time::sleep(A_PASS).await;
    first.env.kill();

    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    let second = world.process(2, FaultPlan::default(), 0);
    relaying(&second, &sink);
    tokio::time::sleep(A_PASS).await;
    second.env.kill();
    let cursors = || async {
        let mut cursors = Vec::new();
        for shard in 0..SHARDS {
            let job = world.store.get_job(&format!("relay/{shard}")).await;
            cursors.push(job.unwrap().unwrap().cursor - EPOCH.hour());
        }
        cursors
    };
    // 1,000,000 s are 277 h and 46 min 40 s: an hour and more than 15 minutes after it are over three times.
    let mut expected = vec![3; usize::from(SHARDS)];
    expected[1] = 0;
    assert_eq!(cursors().await, expected);

    sink.set_down(false);
    relaying(&world.process(3, FaultPlan::default(), 0), &sink);
    tokio::time::sleep(A_PASS).await;
    assert_eq!(sink.ids(), [account_event(1)]);
    assert_done(&world, of_account(1)).await;
    assert_eq!(cursors().await, [3; SHARDS as usize]);
}
