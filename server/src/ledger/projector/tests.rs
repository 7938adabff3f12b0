//! A consumer sees every record, in order, whatever fails, lags or dies in between.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use super::{ConsumeError, Consumer};
use crate::{
    domain::{ProcessId, id::SHARDS},
    env::SharedEnv,
    ledger::{
        Applied, Registry,
        testing::{EPOCH, SimEnv, World, cancel_order, drop_id, order_id, place, terms},
    },
    store::{
        LedgerStore as _, ProjectionStore as _, SharedStore, embedded::EmbeddedStore,
        projections::Checkpoint,
    },
};

/// Notes what it consumes. Fails, or takes its time, when told so.
#[derive(Debug, Default)]
struct Notes {
    seen: Mutex<Vec<u64>>,
    fails: Mutex<usize>,
    takes: Mutex<Duration>,
}

#[async_trait]
impl Consumer for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    async fn consume(&self, records: &[Arc<Applied>]) -> Result<(), ConsumeError> {
        let takes = *self.takes.lock();
        tokio::time::sleep(takes).await;
        let mut fails = self.fails.lock();
        if *fails > 0 {
            *fails -= 1;
            return Err(ConsumeError("told to".to_owned()));
        }
        let seqs = records.iter().map(|record| record.seq);
        self.seen.lock().extend(seqs);
        Ok(())
    }
}

/// A process with one consumer, on the store of a world.
struct Process {
    env: Arc<SimEnv>,
    ledgers: Registry,
    notes: Arc<Notes>,
}

fn process(world: &World, n: u64) -> Process {
    // Of the world's own kind only the time is wanted.
    let env = world.process(n, Default::default(), 0).env;
    let notes = Arc::new(Notes::default());
    let shared: SharedEnv = Arc::<SimEnv>::clone(&env);
    let store: SharedStore = Arc::<EmbeddedStore>::clone(&world.store);
    let process_id = ProcessId::new(Uuid::from_u128(0x9000 + u128::from(n)));
    let ledgers = Registry::new(shared, store, process_id, vec![notes.clone()]);
    Process {
        env,
        ledgers,
        notes,
    }
}

impl Process {
    /// Holds and gives back a unit: two records.
    async fn buy(&self, buyer: usize) {
        let n = buyer as u128;
        for command in [place(buyer, n, &[(0, 1)]), cancel_order(buyer, order_id(n))] {
            let answer = self
                .ledgers
                .call(drop_id(1), command, Duration::from_secs(9));
            answer.await.unwrap();
        }
    }

    fn seen(&self) -> Vec<u64> {
        self.notes.seen.lock().clone()
    }
}

async fn world() -> World {
    World::with(1, &terms(&[(5, 500, 0)], EPOCH)).await
}

async fn checkpoint(world: &World) -> Option<Checkpoint> {
    let all = world.store.get_checkpoints(drop_id(1)).await.unwrap();
    all.first().map(|(_, checkpoint)| *checkpoint)
}

async fn notes_of_open(world: &World) -> usize {
    let mut count = 0;
    for shard in 0..SHARDS {
        count += world.store.list_open(shard, None, 10).await.unwrap().len();
    }
    count
}

async fn is_all_seen(world: &World, process: &Process) {
    let head = world.log().await.len() as u64;
    tokio::time::timeout(Duration::from_secs(600), async {
        while process.seen().last() != Some(&head) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_record_comes_once_and_in_order() {
    let (world, mut sold) = (world().await, Vec::new());
    let process = process(&world, 1);
    for buyer in 0..20 {
        process.buy(buyer).await;
        sold.push(buyer);
    }
    is_all_seen(&world, &process).await;
    assert!(process.seen().len() > sold.len());
    assert!(
        process
            .seen()
            .iter()
            .copied()
            .eq(1..=world.log().await.len() as u64)
    );
    tokio::time::sleep(Duration::from_millis(50)).await;
    let head = world.log().await.pop().unwrap();
    let expected = Checkpoint {
        seq: head.seq,
        hash: head.hash,
    };
    assert_eq!(checkpoint(&world).await, Some(expected));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_process_did_not_project_is_projected() {
    let world = world().await;
    let first = process(&world, 1);
    first.buy(1).await;
    is_all_seen(&world, &first).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let done = checkpoint(&world).await.unwrap().seq;
    *first.notes.fails.lock() = usize::MAX;
    first.buy(2).await;
    first.buy(3).await;
    first.env.kill();
    let second = process(&world, 2);
    second.ledgers.ledger(drop_id(1)).await.unwrap();
    is_all_seen(&world, &second).await;
    assert!(
        second
            .seen()
            .iter()
            .copied()
            .eq(done + 1..=world.log().await.len() as u64)
    );
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_fails_sees_the_same_records_again() {
    let world = world().await;
    let process = process(&world, 1);
    *process.notes.fails.lock() = 5;
    for buyer in 0..5 {
        process.buy(buyer).await;
    }
    is_all_seen(&world, &process).await;
    assert!(
        process
            .seen()
            .iter()
            .copied()
            .eq(1..=world.log().await.len() as u64)
    );
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_far_behind_reads_the_log() {
    let world = world().await;
    let process = process(&world, 1);
    *process.notes.takes.lock() = Duration::from_secs(60);
    for buyer in 0..400 {
        process.buy(buyer).await;
    }
    *process.notes.takes.lock() = Duration::ZERO;
    is_all_seen(&world, &process).await;
    assert!(
        process
            .seen()
            .iter()
            .copied()
            .eq(1..=world.log().await.len() as u64)
    );
    // And then it follows again as before.
    process.buy(400).await;
    is_all_seen(&world, &process).await;
    assert!(
        process
            .seen()
            .iter()
            .copied()
            .eq(1..=world.log().await.len() as u64)
    );
}

#[tokio::test(start_paused = true)]
async fn another_ledger_than_the_one_followed_is_not_projected() {
    let world = world().await;
    let first = process(&world, 1);
    first.buy(1).await;
    is_all_seen(&world, &first).await;
    first.ledgers.shutdown().await;
    for (seq, hash) in [(1, [7; 32]), (900, [8; 32])] {
        let wrong = Checkpoint { seq, hash };
        let put = world.store.put_checkpoint(drop_id(1), "notes", wrong);
        put.await.unwrap();
        let second = process(&world, seq);
        second.buy(usize::try_from(seq).unwrap() + 1).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(second.seen(), Vec::<u64>::new());
        second.ledgers.shutdown().await;
        assert_eq!(checkpoint(&world).await, Some(wrong));
        // Somebody has to look after it.
        assert!(notes_of_open(&world).await > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_is_let_go_only_when_it_is_projected() {
    let world = world().await;
    let process = process(&world, 1);
    process.buy(1).await;
    *process.notes.fails.lock() = usize::MAX;
    process.buy(2).await;
    process.ledgers.shutdown().await;
    assert_eq!(notes_of_open(&world).await, 1);

    let next = self::process(&world, 2);
    next.buy(3).await;
    is_all_seen(&world, &next).await;
    next.ledgers.shutdown().await;
    // The first one's note is the sweeper's to take back.
    assert_eq!(notes_of_open(&world).await, 1);
}
