//! A rush: thousands of buyers at one drop, at once, who behave as people and phones do. Then a verdict.

mod browser;
mod buyer;
mod creator;
mod crowd;
mod evidence;
mod limits;
mod notes;
mod options;
mod persona;
mod prepare;
mod progress;
mod provider;
mod report;
mod server;
mod settle;
mod shop;
mod tally;
mod verdict;
mod wallet;
mod wire;

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crowd::Crowd;
pub(crate) use options::Options;
use progress::bar;
use provider::Books;
use report::{Kill, Measured};
use server::Server;
pub(crate) use server::cpu_of;
use settle::Settled;
use shop::Shop;
use verdict::{Evidence, Verdict};

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
    let bar = bar("preparing", "signing buyers up", options.buyers.into());
    let logins = prepare::buyers(options, &connections, &bar).await?;
    let mut crowds = vec![Crowd::main(options, &connections, &logins, deadline).await?];
    if options.side_buyers() > 0 {
        crowds.push(Crowd::side(options, &connections, &logins, deadline).await?);
    }
    bar.finish_with_message("all is ready");

    let measured = open(options, &mut crowds, place.server.as_mut()).await?;
    let bar = progress::bar("afterwards", "settling", 0);
    let provider_file = match &place.server {
        Some(server) => Some(server.provider_file()),
        None => options.provider_file.clone(),
    };
    let (settled, mut evidence) =
        settle_and_gather(options, &mut crowds, provider_file.as_deref(), &bar).await?;
    let mut stored_fault = None;
    if let Some(server) = &mut place.server {
        stored_fault = server.kill_and_verify()?;
    }
    // Read when nobody writes it any more.
    let books = provider_file.as_deref().map(Books::read).transpose()?;
    for (crowd, evidence) in crowds.iter().zip(&mut evidence) {
        let payments = books
            .as_ref()
            .map(|books| books.drops.get(&crowd.shop.drop_id));
        evidence.payments = payments.map(|payments| payments.cloned().unwrap_or_default());
    }
    bar.finish_and_clear();

    let mut verdict = Verdict::of_all(&evidence, stored_fault, books.as_ref(), options.is_paid());
    verdict.never_ended(&settled.open);
    let shops: Vec<&Shop> = crowds.iter().map(|crowd| &*crowd.shop).collect();
    let measured = Measured {
        settled_in: settled.took,
        ..measured
    };
    report::print(options, &shops, &measured, &evidence, &verdict);
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
    crowds: &mut [Crowd],
    mut server: Option<&mut Server>,
) -> anyhow::Result<Measured> {
    let expected: u64 = crowds.iter().map(Crowd::len).sum();
    let bar = bar("rush", "waiting for the opening", expected);
    let shops: Vec<Arc<Shop>> = crowds.iter().map(|it| Arc::clone(&it.shop)).collect();
    let main = shops.first().context("no drop")?;
    let tasks: Vec<_> = crowds.iter_mut().map(|it| it.loose(options)).collect();
    sleep_until(main.opens_at).await;
    if let Some(server) = &mut server {
        server.reset_cpu();
    }
    let own_cpu = server::cpu_of("self");
    let buyers = async {
        let through = tasks.into_iter().map(async |tasks| {
            let buyers = tasks.join_all().await;
            (buyers, main.opens_at.elapsed())
        });
        futures::future::join_all(through).await
    };
    let kills = async {
        match &mut server {
            Some(server) if options.kill => kill(options, main, server).await,
            Some(_) | None => Ok(Vec::new()),
        }
    };
    let cancels = shops.iter().filter(|shop| shop.is_cancelled).map(|shop| {
        let buyers = options.side_buyers() as u64;
        // Every other unit at least is in an order of its own.
        creator::cancel_half_way(shop, buyers / 2, buyers)
    });
    let through = || shops.iter().map(|it| it.tally.finished.load(Relaxed)).sum();
    let show = async {
        while through() < expected {
            bar.set_position(through());
            bar.set_message(main.tally.line());
            sleep(Duration::from_millis(100)).await;
        }
        bar.set_position(expected);
        bar.finish_with_message(main.tally.line());
    };
    let (buyers, kills, (), cancelled) =
        tokio::join!(buyers, kills, show, futures::future::try_join_all(cancels));
    cancelled?;
    let own_cpu = server::cpu_of("self").saturating_sub(own_cpu);
    let server_cpu = server.map(|server| server.cpu());
    let window = buyers.first().map(|(_, window)| *window);
    for (crowd, (buyers, _)) in crowds.iter_mut().zip(buyers) {
        crowd.buyers = buyers;
    }
    Ok(Measured {
        window: window.unwrap_or_default(),
        settled_in: Duration::ZERO,
        server_cpu,
        own_cpu,
        kills: kills?,
    })
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

/// Waits until nothing is open any more, and fetches what there is to judge by. Returns how long the server took once nobody called.
async fn settle_and_gather(
    options: &Options,
    crowds: &mut [Crowd],
    provider_file: Option<&Path>,
    bar: &ProgressBar,
) -> anyhow::Result<(Settled, Vec<Evidence>)> {
    for crowd in crowds.iter_mut() {
        crowd.settle().await?;
    }
    let mut returns = Vec::new();
    for crowd in crowds.iter_mut() {
        returns.push(crowd.end_returns().await?);
    }
    let shops: Vec<&Shop> = crowds.iter().map(|crowd| &*crowd.shop).collect();
    let settled = if options.plain {
        Settled::default()
    } else {
        settle::wait(&shops, provider_file, bar).await?
    };
    let mut evidence = Vec::new();
    for (crowd, returns) in crowds.iter_mut().zip(returns) {
        let buyers = std::mem::take(&mut crowd.buyers);
        evidence.push(evidence::gather(&crowd.shop, buyers, returns, bar).await?);
    }
    Ok((settled, evidence))
}
