//! Servers that are killed at the worst moments. Each scenario has a process and a data directory of its own. It brings the server to a
//! point where it dies, starts it again on the same data, lets no client act, and then everything has to end right within ten seconds:
//! every order, the provider's books to the cent, every row and list, every announcement.

mod accounts;
mod deletions;
mod drops;
mod ends;
mod follows;
mod orders;
mod products;
mod refunds;
mod rows;
mod stage;

use std::{collections::HashMap, sync::Arc, time::Instant};

use tokio::{
    sync::Semaphore,
    task::{Id, JoinError, JoinSet},
};

use crate::harness::keyspace;
use stage::Stage;

/// Servers that run at the same time: most of them wait.
const AT_ONCE: usize = 40;
/// On a database, where each has a keyspace; some are left to other tests.
const AT_ONCE_ON_DATABASE: usize = keyspace::COUNT - 6;

/// What is played at the same time.
struct Scenarios {
    seats: Arc<Semaphore>,
    running: JoinSet<String>,
    names: HashMap<Id, String>,
}

impl Scenarios {
    /// Plays a scenario in which the server dies at `crash` (`app/crash_point.rs`), or when the play kills it.
    fn add<F: Future<Output = Stage> + Send>(
        &mut self,
        about: &str,
        crash: &str,
        play: impl FnOnce(Stage) -> F + Send + 'static,
    ) {
        let name = format!("{about} [{crash}]");
        let (seats, crash) = (Arc::clone(&self.seats), crash.to_owned());
        let begins = Stage::begin(name.clone(), crash);
        let played = self.running.spawn(async move {
            let _seat = seats.acquire_owned().await.unwrap();
            let begun_at = Instant::now();
            let stage = play(begins.await).await;
            format!(
                "{}: right after {:.1} s, played in {:.1} s",
                stage.name,
                stage.right_after.as_secs_f64(),
                begun_at.elapsed().as_secs_f64()
            )
        });
        self.names.insert(played.id(), name);
    }

    /// Why a scenario did not end right.
    fn failure(&self, error: JoinError) -> String {
        let name = self.names[&error.id()].clone();
        let why = error.into_panic();
        match why.downcast_ref::<String>() {
            Some(why) => format!("{name}: {why}"),
            None => name,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_ends_right_whenever_the_server_dies() {
    let at_once = match keyspace::database() {
        Some(_) => AT_ONCE_ON_DATABASE,
        None => AT_ONCE,
    };
    let mut scenarios = Scenarios {
        seats: Arc::new(Semaphore::new(at_once)),
        running: JoinSet::new(),
        names: HashMap::new(),
    };
    // The longest first.
    orders::add(&mut scenarios);
    refunds::add(&mut scenarios);
    drops::add(&mut scenarios);
    accounts::add(&mut scenarios);
    deletions::add(&mut scenarios);
    rows::add(&mut scenarios);
    follows::add(&mut scenarios);
    products::add(&mut scenarios);
    let mut failed = Vec::new();
    while let Some(ended) = scenarios.running.join_next().await {
        match ended {
            Ok(told) => println!("{told}"),
            Err(error) => failed.push(scenarios.failure(error)),
        }
    }
    assert!(failed.is_empty(), "did not end right: {failed:#?}");
}
