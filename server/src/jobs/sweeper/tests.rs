//! Ledgers of dead processes are taken over once, and their notes stay until the dead can't come back.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    domain::Timestamp,
    ledger::testing::{EPOCH, PATIENCE, Process, World, drop_id, place, terms},
    store::{LedgerStore as _, ProcessStore as _, faulty::FaultPlan, processes::Heartbeat},
};

struct Member {
    process: Process,
    members: Membership,
    sweeper: Sweeper,
}

impl Member {
    fn new(world: &World, n: u64) -> Self {
        let process = world.process(n, FaultPlan::default(), 0);
        let (store, ledgers) = (process.shared_store(), process.ledgers.clone());
        let env: SharedEnv = Arc::<crate::ledger::testing::SimEnv>::clone(&process.env);
        let members = Membership::new(env, store.clone(), ledgers.clone(), n.to_string());
        let sweeper = Sweeper::new(store, ledgers, members.clone());
        Self {
            process,
            members,
            sweeper,
        }
    }

    async fn sweep(&mut self) -> usize {
        self.members.beat().await.unwrap();
        self.sweeper.sweep().await.unwrap()
    }
}

async fn notes(world: &World) -> usize {
    let shard = drop_id(1).shard();
    world.store.list_open(shard, None, 99).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn the_silent_are_taken_over_once_and_the_gone_are_forgotten() {
    let world = World::with(1, &terms(&[(5, 500, 0)], EPOCH)).await;
    let (dead, mut living) = (Member::new(&world, 1), Member::new(&world, 2));
    dead.members.beat().await.unwrap();
    let held = place(1, 1, &[(0, 2)]);
    dead.process
        .ledgers
        .call(drop_id(1), held, PATIENCE)
        .await
        .unwrap();
    assert_eq!(living.sweep().await, 0, "it is alive");
    dead.process.env.kill();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(living.sweep().await, 1);
    assert_eq!(living.sweep().await, 0, "once");
    assert_eq!(notes(&world).await, 2, "it may wake up");

    // It does, for a moment.
    dead.members.beat().await.unwrap();
    assert_eq!(living.sweep().await, 0);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(living.sweep().await, 1, "it may have left something again");

    dead.members.leave().await;
    assert_eq!(living.sweep().await, 1);
    assert_eq!(notes(&world).await, 1);
    assert_eq!(living.sweep().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_heard_of_for_a_day_is_gone() {
    let world = World::with(1, &terms(&[(5, 500, 0)], EPOCH)).await;
    let mut living = Member::new(&world, 2);
    let process_id = crate::domain::ProcessId::new(uuid::Uuid::from_u128(0xdead));
    let heartbeat = Heartbeat {
        process_id,
        address: String::new(),
        clock: Timestamp::default(),
    };
    world.store.beat(&heartbeat).await.unwrap();
    let open = OpenLedger {
        ledger_id: drop_id(1),
        process_id,
    };
    world.store.mark_open(open).await.unwrap();
    tokio::time::sleep(Duration::from_secs(86_300)).await;
    assert_eq!(living.sweep().await, 1);
    let is_noted = async || {
        let notes = world.store.list_open(drop_id(1).shard(), None, 99).await;
        notes.unwrap().contains(&open)
    };
    assert!(is_noted().await);
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(living.sweep().await, 1);
    assert!(!is_noted().await);
}

/// What can't be read stays as it was: nobody is taken for dead because the database is.
#[tokio::test(start_paused = true)]
async fn the_last_view_stays() {
    use crate::store::faulty::{Fault, Method};
    let world = World::with(1, &terms(&[(5, 500, 0)], EPOCH)).await;
    let (other, living) = (Member::new(&world, 1), Member::new(&world, 2));
    other.members.beat().await.unwrap();
    living.members.beat().await.unwrap();
    living
        .process
        .store
        .force(Method::ListProcesses, Fault::Lose);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(living.members.beat().await.is_err());
    let standing = living.members.standing(other.process.ledgers.process_id());
    assert_eq!(standing, Standing::Alive);
}
