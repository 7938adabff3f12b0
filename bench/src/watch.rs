//! A thousand people watch a drop open, sell out and end. Each has to see all of it, in the ledger's order; and how late they see it open is
//! measured.

mod report;
mod sale;
mod watcher;

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use livedrop::Client;
use tokio::{task::JoinSet, time::timeout};

use crate::rush::{Fleet, Launch, binary, cpu_of, hint_at_open_files};
use report::Report;
use sale::Sale;
use watcher::Watcher;

/// Measures watches.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Watchers, each with a stream.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=9000))]
    watchers: u16,
    /// Connections that the watchers share [default: each has its own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=9000))]
    connections: Option<u16>,
    /// Buyers, each with one order after the other from the opening until nothing is left; 0 = nobody buys.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(0..=1000))]
    buyers: u16,
    /// Units for sale.
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    stock: i64,
}

/// Watchers that connect at the same time.
const CONNECTING: usize = 64;
/// From scheduling to opening: a moment for everything, and one for each watcher.
const LEAD: Duration = Duration::from_secs(4);
const LEAD_EACH: Duration = Duration::from_millis(3);
/// Before the opening the machine shall be quiet.
const QUIET: Duration = Duration::from_secs(1);
/// All is over long before.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// Measures and prints. True if everybody has seen everything in its order; how late is not judged.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let connections = options.connections.unwrap_or(options.watchers);
    hint_at_open_files(connections);
    let data = tempfile::tempdir()?;
    // They all come from one address.
    let limit = ("LIVEDROP_LIMITS__WATCHES_PER_CALLER", "10000");
    let launch = Launch {
        binary: binary()?,
        variables: vec![(limit.0.to_owned(), limit.1.to_owned())],
    };
    let mut fleet = Fleet::start(launch, 1, data.path()).await?;
    let endpoint = fleet.endpoints().pop().context("no server")?;

    let lead = LEAD + LEAD_EACH * u32::from(options.watchers);
    let sale = Sale::prepare(&endpoint, options.buyers, options.stock, lead).await?;
    let clients = (0..connections).map(|_| Client::builder(&endpoint).build());
    let clients: Vec<_> = clients.collect::<Result<_, _>>()?;
    let watchers = clients.iter().cycle().take(options.watchers.into());
    let watchers = stream::iter(watchers).map(|client| Watcher::open(client, &sale.drop_id));
    let watchers: Vec<_> = watchers.buffered(CONNECTING).try_collect().await?;
    ensure!(
        SystemTime::now() + QUIET < sale.opens_at,
        "the watchers were not there in time: take fewer, or a faster machine"
    );
    eprintln!("{} watch", watchers.len());

    let mut watching = JoinSet::new();
    for watcher in watchers {
        watching.spawn(timeout(ENDS_WITHIN, watcher.follow(sale.opens_at)));
    }
    fleet.reset_cpu();
    let own_cpu = cpu_of("self");
    let sold = sale.sell().await?;
    let mut seen = Vec::new();
    while let Some(watched) = watching.join_next().await {
        seen.push(watched?.context("a watcher did not see the end")??);
    }
    let report = Report {
        connections,
        buyers: options.buyers,
        sold,
        seen,
        server_cpu: fleet.cpu(),
        own_cpu: cpu_of("self").saturating_sub(own_cpu),
    };
    report.print()
}
