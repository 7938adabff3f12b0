//! Servers that are killed at the worst moments. Each scenario has a process and a data directory of its own. It brings the server to a
//! point where it dies, starts it again on the same data, lets no client act, and then everything has to end right within ten seconds:
//! every order, the provider's books to the cent, every row and list, every announcement.

mod accounts;
mod drops;
mod ends;
mod follows;
mod orders;
mod refunds;
mod rows;
mod stage;

use std::{sync::Arc, time::Instant};

use tokio::{sync::Semaphore, task::JoinSet};

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
        self.running.spawn(async move {
            let _seat = seats.acquire_owned().await.unwrap();
            let begun_at = Instant::now();
            let stage = Stage::begin(name.clone(), crash).await;
            let stage = play(stage).await;
            format!(
                "{name}: right after {:.1} s, played in {:.1} s",
                stage.right_after.as_secs_f64(),
                begun_at.elapsed().as_secs_f64()
            )
        });
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
    };
    // The longest first.
    orders::add(&mut scenarios);
    refunds::add(&mut scenarios);
    drops::add(&mut scenarios);
    accounts::add(&mut scenarios);
    rows::add(&mut scenarios);
    follows::add(&mut scenarios);
    let mut failed = 0;
    while let Some(ended) = scenarios.running.join_next().await {
        match ended {
            Ok(told) => println!("{told}"),
            // It has told itself, with its name.
            Err(_) => failed += 1,
        }
    }
    assert_eq!(failed, 0, "scenarios that did not end right");
}
