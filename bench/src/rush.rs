//! A rush: thousands of buyers at one drop, at once, who behave as people and phones do. Then a verdict.

mod buyer;
mod evidence;
mod limits;
mod notes;
mod options;
mod persona;
mod prepare;
mod progress;
mod report;
mod server;
mod shop;
mod tally;
mod verdict;
mod wire;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use buyer::{Buyer, Login};
pub(crate) use options::Options;
use progress::bar;
use report::{Kill, Measured};
use server::Server;
pub(crate) use server::cpu_of;
use shop::Shop;
use tally::Tally;
use verdict::Verdict;

/// Shares of the expected orders at which the server is killed, or of the buyers who are through if that comes first:
/// so it is killed while buyers still send, even if fewer orders come than expected.
const KILL_AT_PERCENT: [u64; 3] = [20, 45, 70];
/// The server is killed again after this long at the latest, so that a rush that stalls is killed too.
const KILL_AFTER: Duration = Duration::from_secs(5);
/// A running server answers within this time, or the run ends at once.
const REACH_TIMEOUT: Duration = Duration::from_secs(8);

/// Prepares, rushes, judges. True if nothing was wrong.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    ensure!(
        options.stock >= options.items.into(),
        "each item needs at least one unit"
    );
    limits::hint_at_open_files(options.connections);
    let deadline = Instant::now() + Duration::from_secs(options.timeout);
    let place = Place::find(options).await?;
    let result = timeout_at(deadline, rush(options, place, deadline)).await;
    result.with_context(|| format!("not done after {} s", options.timeout))?
}

/// Where the server is. Dropping it ends a server that was started here.
#[derive(Debug)]
struct Place {
    endpoint: String,
    server: Option<Server>,
    /// Removed after a clean verdict, unless the caller named it.
    data: Option<TempDir>,
}

impl Place {
    async fn find(options: &Options) -> anyhow::Result<Self> {
        if let Some(endpoint) = &options.endpoint {
            wire::reach(endpoint, REACH_TIMEOUT).await?;
            return Ok(Self {
                endpoint: endpoint.clone(),
                server: None,
                data: None,
            });
        }
        let (path, data) = match &options.data {
            Some(path) => {
                std::fs::create_dir_all(path)?;
                (path.clone(), None)
            }
            None => {
                let data = tempfile::Builder::new()
                    .prefix("livedrop-rush-")
                    .tempdir()?;
                (data.path().to_owned(), Some(data))
            }
        };
        let server = Server::start(&path).await?;
        Ok(Self {
            endpoint: server.endpoint(),
            server: Some(server),
            data,
        })
    }
}

async fn rush(options: &Options, mut place: Place, deadline: Instant) -> anyhow::Result<bool> {
    let connections = wire::connections(&place.endpoint, options.connections)?;
    let first = connections.first().context("no connection")?;
    let bar = bar("preparing", "signing buyers up", options.buyers.into());
    let logins = prepare::buyers(options, &connections, &bar).await?;
    let (drop, items) = prepare::drop(options, first).await?;
    bar.finish_with_message(format!("drop {}", drop.drop_id));

    let shop = Arc::new(Shop {
        drop_id: drop.drop_id.clone(),
        items,
        limit_per_buyer: options.limit_per_buyer(),
        connections,
        opens_at: prepare::opening(&drop)?,
        deadline,
        gate: Semaphore::new(options.in_flight()),
        tally: Tally::new()?,
    });
    let (buyers, measured) = open(options, &shop, logins, place.server.as_mut()).await?;
    let bar = progress::bar("afterwards", "settling", 0);
    let buyers = settle(&shop, buyers).await?;
    let mut evidence = evidence::gather(&shop, buyers, options.plain, &bar).await?;
    if let Some(server) = &mut place.server {
        evidence.stored_fault = server.kill_and_verify(&shop.drop_id)?;
    }
    bar.finish_and_clear();

    let verdict = Verdict::of(&evidence);
    report::print(options, &shop, &measured, &evidence, &verdict);
    if !verdict.is_clean()
        && let Some(data) = place.data.take()
    {
        println!("the server's data is kept in {}", data.keep().display());
    }
    Ok(verdict.is_clean())
}

/// Lets all buyers loose and waits until they are through.
async fn open(
    options: &Options,
    shop: &Arc<Shop>,
    logins: Vec<Login>,
    mut server: Option<&mut Server>,
) -> anyhow::Result<(Vec<Buyer>, Measured)> {
    let bar = bar("rush", "waiting for the opening", options.buyers.into());
    let mut tasks = JoinSet::new();
    for (number, login) in logins.into_iter().enumerate() {
        let buyer = Buyer::new(Arc::clone(shop), login, number, options.seed);
        if options.plain {
            tasks.spawn(buyer.order_plainly(number % shop.items.len(), options.orders_each));
        } else {
            tasks.spawn(buyer.rush());
        }
    }
    sleep_until(shop.opens_at).await;
    if let Some(server) = &mut server {
        server.reset_cpu();
    }
    let own_cpu = server::cpu_of("self");
    let buyers = async {
        let buyers = tasks.join_all().await;
        (buyers, shop.opens_at.elapsed())
    };
    let kills = async {
        match &mut server {
            Some(server) if options.kill => kill(options, shop, server).await,
            Some(_) | None => Ok(Vec::new()),
        }
    };
    let show = async {
        while shop.tally.finished.load(Relaxed) < options.buyers.into() {
            bar.set_position(shop.tally.finished.load(Relaxed));
            bar.set_message(shop.tally.line());
            sleep(Duration::from_millis(100)).await;
        }
        bar.set_position(options.buyers.into());
        bar.finish_with_message(shop.tally.line());
    };
    let ((buyers, window), kills, ()) = tokio::join!(buyers, kills, show);
    let own_cpu = server::cpu_of("self").saturating_sub(own_cpu);
    let server_cpu = server.map(|server| server.cpu());
    Ok((
        buyers,
        Measured {
            window,
            server_cpu,
            own_cpu,
            kills: kills?,
        },
    ))
}

/// Kills the server in the middle, again and again.
async fn kill(options: &Options, shop: &Shop, server: &mut Server) -> anyhow::Result<Vec<Kill>> {
    let buyers = u64::from(options.buyers);
    let (orders, through) = (&shop.tally.placed, &shop.tally.finished);
    let mut kills = Vec::new();
    for percent in KILL_AT_PERCENT {
        let orders_due = options.expected_orders() * percent / 100;
        let through_due = buyers * percent / 100;
        let latest = Instant::now() + KILL_AFTER;
        while orders.load(Relaxed) < orders_due
            && through.load(Relaxed) < through_due
            && Instant::now() < latest
        {
            sleep(Duration::from_millis(1)).await;
        }
        kills.push(Kill {
            orders: orders.load(Relaxed),
            sending: buyers.saturating_sub(through.load(Relaxed)),
        });
        server.kill_and_restart().await?;
    }
    Ok(kills)
}

/// Finds out what became of every request without an answer.
async fn settle(shop: &Shop, buyers: Vec<Buyer>) -> anyhow::Result<Vec<Buyer>> {
    let (open, mut settled): (Vec<_>, Vec<_>) = buyers.into_iter().partition(Buyer::is_unsettled);
    let mut tasks = JoinSet::new();
    for buyer in open {
        tasks.spawn(buyer.settle());
    }
    settled.extend(tasks.join_all().await);
    ensure!(Instant::now() < shop.deadline, "time is up");
    Ok(settled)
}
