//! `livedrop rebuild`: makes all derived rows of a stopped server's store anew.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Error, args::RebuildArgs, ledger_source::Place, print, signal::interruptible};
use crate::{
    app::stores,
    env::{SharedEnv, SystemEnv},
    events::Sinks,
    jobs::rebuild::{self, Rebuilt},
    ledger::projector::Consumers,
    projectors,
};

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn run(args: RebuildArgs) -> Result<(), Error> {
    let store = Place::find(&args.store).await?.open_alone().await?;
    stores::check_imported(&*store).await?;
    let env: SharedEnv = Arc::new(SystemEnv);
    // Without sinks: what was told stays told, and is not told again.
    let consumers = projectors::consumers(&env, &store, &Sinks::default());
    let mut told_at = Instant::now();
    let each = |done: &Rebuilt| {
        if told_at.elapsed() >= TELL_EVERY {
            told_at = Instant::now();
            eprintln!("livedrop: {}", so_far(done));
        }
    };
    let done = interruptible(rebuild::rebuild(&env, &store, &consumers, each)).await??;
    report(&done, &consumers)
}

/// Tells what was done, and what is wrong.
pub(super) fn report(done: &Rebuilt, consumers: &Consumers) -> Result<(), Error> {
    for (drop_id, why) in &done.wrong {
        eprintln!("livedrop: {drop_id} WRONG: {why}");
    }
    print(&summary(done, consumers))?;
    match done.wrong.len() as u64 {
        0 => Ok(()),
        wrong => Err(Error::Wrong {
            wrong,
            checked: done.ledgers + wrong,
        }),
    }
}

pub(super) fn so_far(done: &Rebuilt) -> String {
    format!(
        "{} drops, {} ledgers, {} records, {} orders, {} follows, {} products",
        done.drops, done.ledgers, done.records, done.orders, done.follows, done.products
    )
}

/// What was written to each table.
fn summary(done: &Rebuilt, consumers: &Consumers) -> String {
    let tables = [
        ("drops_by_time", done.drops),
        ("drops_by_creator", done.drops),
        ("orders", done.orders),
        ("orders_by_buyer", done.orders),
        ("orders_by_drop", done.orders),
        ("drop_status", done.ledgers),
        ("followers", done.follows),
        ("following", done.follows),
        ("products_by_creator", done.products),
        ("ledger_checkpoints", done.ledgers * consumers.len() as u64),
    ];
    let rows = tables
        .iter()
        .map(|(table, rows)| format!("{table:<20}{rows:>10}\n"));
    let head = format!("{:<20}{:>10}\n", "table", "rows");
    let wrong = match done.wrong.len() {
        0 => String::new(),
        wrong => format!("; {wrong} wrong, not counted, projected up to where they are wrong"),
    };
    let foot = format!("rebuilt from {}{wrong}\n", so_far(done));
    std::iter::once(head)
        .chain(rows)
        .chain(std::iter::once(foot))
        .collect()
}
