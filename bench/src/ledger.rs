//! How fast one drop sells: the server's own ledger engine on a real store, and, on the same database in the same run, what people usually
//! build instead. All take turns, round by round, so that what else the machine does hits all alike.

mod engine;
mod log;
mod machine;
mod place;
mod report;
mod turn;
mod usual;

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use tokio::time::sleep;

use engine::Engine;
use place::Place;
use report::Report;
use turn::Window;

/// Between two turns: the database works off what the last one left.
const PAUSE: Duration = Duration::from_secs(3);

/// Where the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// One file, in `--data`.
    Embedded,
    /// ScyllaDB or Apache Cassandra.
    Cql,
}

/// Measures the ledger of one drop.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Store of the ledger.
    #[arg(long, value_enum)]
    store: Backend,
    /// Nodes of the database, as in 127.0.0.1:9042,127.0.0.2:9042; with two or more, each row is on up to three of them. A keyspace is made
    /// for the measurement and dropped after it.
    #[arg(
        long,
        value_name = "NODES",
        value_delimiter = ',',
        required_if_eq("store", "cql")
    )]
    cql: Vec<String>,
    /// Measured seconds of a turn; one second before them does not count.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Turns of each; one more before them warms up and does not count.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Buyers of the engine, each with one order under way.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=8000))]
    buyers: u32,
    /// Writers of the second control.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1000))]
    writers: u32,
    /// Project order rows and drop statuses too, as a server does.
    #[arg(long)]
    project: bool,
    /// Make each append of the embedded store take up to so many milliseconds longer.
    #[arg(long, value_name = "MS", conflicts_with = "cql")]
    slower: Option<u64>,
    /// Directory of the embedded store; its disk's fsync is measured in any case [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Who takes turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// One LWT per order, one after the other.
    OneWriter,
    /// One LWT per order from many at once, who read again and retry when they lose.
    ManyWriters,
    /// The engine with a single buyer, so that each record has one order.
    OneBuyer,
    /// The engine with all buyers.
    AllBuyers,
}

impl Contender {
    /// Those that the store has, in the order of the first turns. The heaviest is last.
    fn of(store: Backend) -> &'static [Self] {
        const ALL: [Contender; 4] = [
            Contender::OneWriter,
            Contender::ManyWriters,
            Contender::OneBuyer,
            Contender::AllBuyers,
        ];
        match store {
            Backend::Cql => &ALL,
            // There are no LWTs.
            Backend::Embedded => ALL.split_at(2).1,
        }
    }
}

/// Measures and prints. What is wrong is an error, so the answer is always true.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let place = Place::open(options).await?;
    let measured = measure(options, &place).await;
    // Also after a failure.
    place.close().await?;
    measured?.print(options);
    Ok(true)
}

async fn measure(options: &Options, place: &Place) -> anyhow::Result<Report> {
    let engine = Engine::new(place.store(), options.project)?;
    let mut report = Report::new(place.describe().await?);
    let contenders = Contender::of(options.store);
    for round in 0..=options.rounds {
        let mut order = contenders.to_vec();
        if round % 2 == 1 {
            // Or the same one would always come after the heaviest.
            order.reverse();
        }
        for contender in order {
            sleep(PAUSE).await;
            let window = Window::after_warm_up(Duration::from_secs(options.seconds));
            let turn = match contender {
                Contender::OneWriter => place.usual()?.one_after_the_other(window).await?,
                Contender::ManyWriters => {
                    let usual = place.usual()?;
                    usual.at_once(options.writers, window).await?
                }
                Contender::OneBuyer => engine.sell(1, window).await?,
                Contender::AllBuyers => engine.sell(options.buyers, window).await?,
            };
            eprintln!("round {round}  {contender:?}  {:.0}/s", turn.rate());
            if round > 0 {
                report.add(contender, turn);
            }
        }
    }
    Ok(report)
}
