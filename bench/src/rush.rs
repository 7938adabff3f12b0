//! A rush: thousands of buyers at one drop, at once, who behave as people and phones do. Then a verdict.

mod browser;
mod buyer;
mod creator;
mod crowd;
mod database;
mod evidence;
mod fault;
mod fleet;
mod http;
mod limits;
mod meters;
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
mod statements;
mod stripe;
mod tally;
mod verdict;
mod wallet;
mod wire;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::Context;
use indicatif::ProgressBar;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

pub(crate) use buyer::Login;
use crowd::{Crowd, Hall};
use database::Database;
use fault::Fault;
pub(crate) use fleet::Fleet;
use fleet::Restart;
pub(crate) use limits::hint_at_open_files;
use meters::Meters;
pub(crate) use options::Options;
use options::{ProviderKind, StoreKind};
pub(crate) use prepare::{CURRENCY, creator, sign_up};
use progress::bar;
use provider::Provider;
use report::{Kill, Measured};
pub(crate) use server::{Launch, binary, cpu_of};
use settle::Settled;
use shop::Shop;
use statements::Statements;
use stripe::Stripe;
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
    options.check()?;
    hint_at_open_files(options.connections);
    let deadline = Instant::now() + Duration::from_secs(options.timeout);
    let mut place = Place::find(options).await?;
    let result = timeout_at(deadline, rush(options, &mut place, deadline)).await;
    let result = result.with_context(|| format!("not done after {} s", options.timeout));
    let result = result.and_then(|result| result);
    if !matches!(result, Ok(true))
        && let Some(data) = place.data.take()
    {
        println!("the server's data is kept in {}", data.keep().display());
    }
    result
}

/// Where the servers are. Dropping it ends those that were started here.
#[derive(Debug)]
struct Place {
    endpoints: Vec<String>,
    provider: Provider,
    fleet: Option<Fleet>,
    /// The ledgers are in a file that one server has for itself.
    is_embedded: bool,
    /// Removed after a clean verdict, unless the caller named it.
    data: Option<TempDir>,
}

impl Place {
    async fn find(options: &Options) -> anyhow::Result<Self> {
        let Some(endpoint) = &options.endpoint else {
            return Self::start(options).await;
        };
        wire::reach(endpoint, REACH_TIMEOUT).await?;
        let file = options.provider_file.clone();
        Ok(Self {
            endpoints: vec![endpoint.clone()],
            provider: file.map_or(Provider::Elsewhere, Provider::Test),
            fleet: None,
            is_embedded: false,
            data: None,
        })
    }

    async fn start(options: &Options) -> anyhow::Result<Self> {
        let (path, data) = match &options.data {
            Some(path) => {
                std::fs::create_dir_all(path)?;
                (std::path::absolute(path)?, None)
            }
            None => {
                let data = tempfile::Builder::new()
                    .prefix("livedrop-rush-")
                    .tempdir()?;
                (data.path().to_owned(), Some(data))
            }
        };
        let (binary, mut variables) = (server::binary()?, Vec::new());
        if options.store == StoreKind::Cql {
            let database = Database::new(&options.cql, &path);
            eprintln!("making keyspace {}", database.keyspace);
            database.migrate(&binary).await?;
            variables.extend(database.variables());
        }
        let mut stripe = match options.provider {
            ProviderKind::Stripe => Some(Stripe::start().await),
            ProviderKind::Test => None,
        };
        variables.extend(stripe.iter().flat_map(Stripe::variables));
        let launch = Launch { binary, variables };
        let fleet = Fleet::start(launch, options.servers, &path).await?;
        if let Some(stripe) = &mut stripe {
            stripe.tell(fleet.endpoints());
        }
        let file = server::provider_file(&path);
        let provider = stripe.map(|it| Provider::Stripe(Arc::new(it)));
        Ok(Self {
            endpoints: fleet.endpoints(),
            provider: provider.unwrap_or(Provider::Test(file)),
            fleet: Some(fleet),
            is_embedded: options.store == StoreKind::Embedded,
            data,
        })
    }

    /// Ends all servers by SIGKILL, and looks at what they leave on the disk. Returns what is wrong with it.
    fn kill_and_verify(&mut self) -> anyhow::Result<Option<String>> {
        let Some(fleet) = &mut self.fleet else {
            return Ok(None);
        };
        fleet.kill()?;
        if !self.is_embedded {
            return Ok(None);
        }
        fleet.verify()
    }
}

async fn rush(options: &Options, place: &mut Place, deadline: Instant) -> anyhow::Result<bool> {
    let connections = wire::connections(&place.endpoints, options.connections)?;
    let bar = bar("preparing", "signing buyers up", options.buyers.into());
    let hall = Hall {
        connections: &connections,
        provider: &place.provider,
        deadline,
    };
    // First, since it has to lie idle for longest.
    let left = match options.has_left_drop() {
        true => Some(Crowd::left(options, &hall).await?),
        false => None,
    };
    let logins = prepare::buyers(options, &connections, &bar).await?;
    let mut crowds = vec![Crowd::main(options, &hall, &logins).await?];
    if options.side_buyers() > 0 {
        crowds.push(Crowd::side(options, &hall, &logins).await?);
    }
    if let Some(mut left) = left {
        left.invite(options, &hall, &logins);
        crowds.push(left);
    }
    bar.finish_with_message("all is ready");

    let meters = place.fleet.as_ref().map(|it| it.metrics_urls());
    let meters = Meters::start(meters.unwrap_or_default());
    let statements = match &place.fleet {
        Some(fleet) if options.plain && options.store == StoreKind::Cql => {
            Some(Statements::begin(fleet.metrics_urls()).await?)
        }
        Some(_) | None => None,
    };
    let mut measured = open(options, &mut crowds, place.fleet.as_mut()).await?;
    if let Some((statements, fleet)) = statements.zip(place.fleet.as_ref()) {
        measured.asked = Some(statements.until_quiet(fleet).await?);
    }
    let bar = progress::bar("afterwards", "settling", 0);
    let (settled, mut evidence) =
        settle_and_gather(options, &mut crowds, place.fleet.as_mut(), &bar).await?;
    let stored_fault = place.kill_and_verify()?;
    // Read when nobody changes it any more.
    let books = place.provider.books()?;
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
    let outage = measured.fault.as_ref().zip(evidence.first());
    let outage = outage.map(|(fault, evidence)| fault.outage(&evidence.sales_at()));
    verdict.stalled = outage.as_ref().and_then(|it| it.complaint());
    let measured = Measured {
        settled_in: settled.took,
        outage,
        ..measured
    };
    report::print(options, &shops, &measured, &meters, &evidence, &verdict);
    Ok(verdict.is_clean())
}

/// Lets all buyers loose and waits until they are through.
async fn open(
    options: &Options,
    crowds: &mut [Crowd],
    mut fleet: Option<&mut Fleet>,
) -> anyhow::Result<Measured> {
    let expected: u64 = crowds.iter().map(Crowd::len).sum();
    let bar = bar("rush", "waiting for the opening", expected);
    let shops: Vec<Arc<Shop>> = crowds.iter().map(|it| Arc::clone(&it.shop)).collect();
    let main = shops.first().context("no drop")?;
    let tasks: Vec<_> = crowds.iter_mut().map(|it| it.loose(options)).collect();
    sleep_until(main.opens_at).await;
    if let Some(fleet) = &mut fleet {
        fleet.reset_cpu();
    }
    let own_cpu = server::cpu_of("self");
    let buyers = async {
        let through = tasks.into_iter().map(async |tasks| {
            let buyers = tasks.join_all().await;
            (buyers, main.opens_at.elapsed())
        });
        futures::future::join_all(through).await
    };
    let troubles = async {
        let (mut kills, mut fault) = (Vec::new(), None);
        if let Some(fleet) = &mut fleet {
            if options.kill {
                kills = kill(options, main, fleet).await?;
            }
            if let Some(command) = &options.at_half {
                fault = Some(Fault::at_half(command, options, main, fleet).await?);
            }
        }
        anyhow::Ok((kills, fault))
    };
    let cancels = shops.iter().filter(|shop| shop.is_cancelled()).map(|shop| {
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
    // An error of these ends the rush at once: buyers would wait for a server that does not come back.
    let buyers = async { anyhow::Ok(tokio::join!(buyers, show)) };
    let cancels = futures::future::try_join_all(cancels);
    let ((buyers, ()), (kills, fault), _) = tokio::try_join!(buyers, troubles, cancels)?;
    let own_cpu = server::cpu_of("self").saturating_sub(own_cpu);
    let server_cpu = fleet.map(|fleet| fleet.cpu());
    let window = buyers.first().map(|(_, window)| *window);
    for (crowd, (buyers, _)) in crowds.iter_mut().zip(buyers) {
        crowd.buyers = buyers;
    }
    Ok(Measured {
        window: window.unwrap_or_default(),
        settled_in: Duration::ZERO,
        server_cpu,
        own_cpu,
        kills,
        fault,
        outage: None,
        asked: None,
    })
}

/// Kills the server in the middle, again and again.
async fn kill(options: &Options, shop: &Shop, fleet: &mut Fleet) -> anyhow::Result<Vec<Kill>> {
    let buyers = u64::from(options.buyers);
    let (orders, through) = (&shop.tally.placed, &shop.tally.finished);
    let mut kills = Vec::new();
    for (turn, percent) in KILL_AT_PERCENT.into_iter().enumerate() {
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
        fleet.kill_and_restart(turn).await?;
    }
    Ok(kills)
}

/// Waits until nothing is open any more, and fetches what there is to judge by. Returns how long the server took once nobody called.
async fn settle_and_gather(
    options: &Options,
    crowds: &mut [Crowd],
    mut fleet: Option<&mut Fleet>,
    bar: &ProgressBar,
) -> anyhow::Result<(Settled, Vec<Evidence>)> {
    for crowd in crowds.iter_mut() {
        crowd.settle().await?;
    }
    let mut returns = Vec::new();
    for crowd in crowds.iter_mut() {
        returns.push(crowd.end_returns().await?);
    }
    if let Some((command, fleet)) = options.at_end.as_ref().zip(fleet.as_mut()) {
        bar.set_message("breaking something");
        fault::at_end(command, fleet).await?;
    }
    let shops: Vec<&Shop> = crowds.iter().map(|crowd| &*crowd.shop).collect();
    let settled = if options.plain {
        Settled::default()
    } else {
        settle::wait(&shops, bar).await?
    };
    if let Some(fleet) = &mut fleet {
        fleet.restart_killed(Restart::All).await?;
    }
    let mut evidence = Vec::new();
    for (crowd, returns) in crowds.iter_mut().zip(returns) {
        let buyers = std::mem::take(&mut crowd.buyers);
        evidence.push(evidence::gather(&crowd.shop, buyers, returns, bar).await?);
    }
    Ok((settled, evidence))
}
