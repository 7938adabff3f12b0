//! A thousand people who watch a drop open and sell out: how late they see it, and that each sees all of it.

mod report;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use livedrop::{
    Client,
    prost_types::Timestamp,
    v1::{self, DropChangeKind, watch_drop_response::Frame},
};
use tokio::{sync::Barrier, time::timeout};

use crate::rush::{Fleet, Launch, creator, server_binary, sign_up};
use report::Report;

/// From scheduling to opening: all watchers are there by then.
const LEAD: Duration = Duration::from_secs(15);
/// Sign-ups in flight: enough to share their fsyncs.
const SIGN_UPS_IN_FLIGHT: usize = 32;
/// A run that has not ended by then never does.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Sends watchers and buyers at one drop and tells how late the watchers see it. Exit status 1 unless each saw all of it.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Open streams of `WatchDrop`
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    watchers: u32,
    /// Buyers; each buys one unit after the other until all are sold
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    buyers: u32,
    /// Units for sale; they cost nothing
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    stock: i64,
    /// Connections that the watchers share, and as many for the buyers
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=500))]
    connections: u16,
}

/// One frame, as a watcher got it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    seq: i64,
    kind: Option<DropChangeKind>,
    at_micros: i64,
}

/// Prepares, watches, sells, tells. True if every watcher saw everything.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let data = tempfile::tempdir()?;
    let launch = Launch {
        binary: server_binary()?,
        variables: Vec::new(),
    };
    let fleet = Fleet::start(launch, 1, data.path()).await?;
    let endpoint = fleet.endpoints().into_iter().next().context("no server")?;
    let result = timeout(ENDS_WITHIN, watch(options, &endpoint)).await;
    let report = result.context("the drop did not end")??;
    report.print();
    Ok(report.is_good())
}

async fn watch(options: &Options, endpoint: &str) -> anyhow::Result<Report> {
    let connect = || Client::builder(endpoint).build();
    let connections = |count| (0..count).map(|_| connect()).collect::<Result<Vec<_>, _>>();
    let (watching, buying) = (
        connections(options.connections)?,
        connections(options.connections)?,
    );
    let buyers: Vec<Client> = stream::iter((0..options.buyers).zip(buying.iter().cycle()))
        .map(async |(number, connection)| {
            let email = format!("buyer-{number}@watch.example.com");
            let login = sign_up(connection, email, format!("Buyer {number}")).await?;
            anyhow::Ok(login.client)
        })
        .buffered(SIGN_UPS_IN_FLIGHT)
        .try_collect()
        .await?;
    let creator = creator(&connect()?).await?.client;
    let drop = schedule(&creator, options.stock).await?;
    // All are there when it opens.
    let ready = Arc::new(Barrier::new(options.watchers as usize + 1));
    let watchers = (0..options.watchers)
        .zip(watching.iter().cycle())
        .map(|(_, client)| {
            let (client, drop_id, ready) = (client.clone(), drop.drop_id.clone(), ready.clone());
            async move { tokio::spawn(follow(client, drop_id, ready)).await? }
        });
    let selling = async {
        ready.wait().await;
        ensure!(
            micros_of(drop.opens_at) > now_micros(),
            "the watchers came too late: use fewer"
        );
        let rush = buyers.iter().map(|buyer| buy_all(buyer, &drop));
        try_join_all(rush).await?;
        let drop_id = drop.drop_id.clone();
        let ended = creator.end_drop(v1::EndDropRequest { drop_id }).await?;
        ended.drop.context("no drop")
    };
    let (seen, over) = futures::future::try_join(try_join_all(watchers), selling).await?;
    let recorded = recorded(&creator, &drop.drop_id).await?;
    Report::new(micros_of(drop.opens_at), &recorded, &seen, &over)
}

async fn schedule(creator: &Client, stock: i64) -> anyhow::Result<v1::Drop> {
    let opens_at = SystemTime::now() + LEAD;
    let item = v1::ScheduleDropItem {
        title: "Thing".into(),
        unit_price: Some(v1::Money {
            currency_code: "EUR".into(),
            amount_minor: 0,
        }),
        stock,
        limit_per_buyer: 0,
    };
    let request = v1::ScheduleDropRequest {
        title: "Watched".into(),
        items: vec![item],
        opens_at: Some(opens_at.into()),
        ends_at: Some((opens_at + Duration::from_secs(3600)).into()),
        ..Default::default()
    };
    let scheduled = creator.schedule_drop(request).await?;
    scheduled.drop.context("no drop")
}

/// Follows the drop to the stock after its end, frame by frame.
async fn follow(client: Client, drop_id: String, ready: Arc<Barrier>) -> anyhow::Result<Vec<Seen>> {
    let request = v1::WatchDropRequest {
        drop_id,
        resume_token: String::new(),
    };
    let mut frames = client.raw_drops().watch_drop(request).await?.into_inner();
    let mut seen: Vec<Seen> = Vec::new();
    while let Some(frame) = frames.message().await? {
        let at_micros = now_micros();
        let told = |seq, kind| Seen {
            seq,
            kind,
            at_micros,
        };
        match frame.frame {
            Some(Frame::Snapshot(_)) => {
                ready.wait().await;
            }
            Some(Frame::Change(change)) => seen.push(told(change.seq, Some(change.kind()))),
            Some(Frame::Stock(stock)) => {
                let is_over = |it: &Seen| it.kind == Some(DropChangeKind::Ended);
                let is_last = seen.last().is_some_and(is_over);
                seen.push(told(stock.seq, None));
                if is_last {
                    return Ok(seen);
                }
            }
            Some(Frame::Heartbeat(_) | Frame::Goodbye(_)) | None => {}
        }
    }
    anyhow::bail!("a stream ended before the drop")
}

/// Buys one unit after the other until there are none.
async fn buy_all(buyer: &Client, drop: &v1::Drop) -> anyhow::Result<()> {
    let until = micros_of(drop.opens_at) - now_micros();
    tokio::time::sleep(Duration::from_micros(until.max(0).unsigned_abs())).await;
    let lines = vec![v1::PlaceOrderLine {
        item_id: drop.items.first().context("no item")?.item_id.clone(),
        quantity: 1,
    }];
    loop {
        let request = v1::PlaceOrderRequest {
            drop_id: drop.drop_id.clone(),
            lines: lines.clone(),
            ..Default::default()
        };
        match buyer.place_order(request).await {
            Ok(_) => {}
            Err(error) if error.reason() == Some(v1::ErrorReason::SoldOut) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// When each record was made.
async fn recorded(client: &Client, drop_id: &str) -> anyhow::Result<BTreeMap<i64, i64>> {
    let mut pages = client.ledger_pages(drop_id);
    let mut recorded = BTreeMap::new();
    while let Some(records) = pages.next().await? {
        let of = |it: v1::LedgerRecord| (it.seq, micros_of(it.recorded_at));
        recorded.extend(records.into_iter().map(of));
    }
    Ok(recorded)
}

fn micros_of(time: Option<Timestamp>) -> i64 {
    time.map_or(0, |it| it.seconds * 1_000_000 + i64::from(it.nanos) / 1_000)
}

fn now_micros() -> i64 {
    micros_of(Some(SystemTime::now().into()))
}
