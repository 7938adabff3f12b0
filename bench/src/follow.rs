//! What pages and checks of follows cost, of a creator with few followers and of one with many: the same, or the lists are built wrong. Both
//! are asked in turns, so that what else the machine does hits both alike.

mod crowd;
mod place;

use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use livedrop::{Client, v1};

use crate::ledger::Backend;
use crowd::Crowd;
use place::Place;

/// Measures lists of follows.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Store of the follows.
    #[arg(long, value_enum, default_value = "embedded")]
    store: Backend,
    /// Nodes of the database, as in 127.0.0.1:9042,127.0.0.2:9042. A keyspace is made for the measurement; it stays.
    #[arg(
        long,
        value_name = "NODES",
        value_delimiter = ',',
        required_if_eq("store", "cql")
    )]
    cql: Vec<String>,
    /// Followers of the one creator; the other has 100.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(200..=10_000_000))]
    followers: u32,
    /// Calls of each kind, for each creator.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    calls: u32,
}

/// Rows of a page: so many that the small creator has two pages.
const PAGE_SIZE: i32 = 50;
/// Followers of the small creator.
const FEW: u32 = 100;

/// One of the two creators, and where their pages go on.
struct Side {
    followers: u32,
    client: Client,
    creator_id: String,
    half: String,
    last: String,
}

/// A kind of call.
#[derive(Debug, Clone, Copy)]
enum Kind {
    FirstPage,
    HalfWay,
    LastPage,
    Check,
    CheckMany,
    FollowAndUnfollow,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::FirstPage,
        Self::HalfWay,
        Self::LastPage,
        Self::Check,
        Self::CheckMany,
        Self::FollowAndUnfollow,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::FirstPage => "ListFollowers, first 50",
            Self::HalfWay => "ListFollowers, 50 from the middle",
            Self::LastPage => "ListFollowers, last page",
            Self::Check => "CheckFollows, 1 creator",
            Self::CheckMany => "CheckFollows, 200 creators",
            Self::FollowAndUnfollow => "Follow, then Unfollow",
        }
    }
}

/// Measures and prints. What is wrong is an error, so the answer is always true.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let place = Box::pin(Place::open(options)).await?;
    let crowd = Crowd::gather(&place.store(), options.followers).await?;
    let mut sides = Vec::new();
    for followers in [FEW, options.followers] {
        sides.push(Side::new(&place, &crowd, followers).await?);
    }
    let reader = place.person().await?;
    let mut table = Table::new();
    let counts = sides.iter().map(|side| side.followers);
    let heads = counts.flat_map(|count| [format!("{count}: p50 ms"), "p99 ms".to_owned()]);
    table.load_style(presets::UTF8_BORDERS_ONLY);
    let call = std::iter::once("call".to_owned());
    table.set_header(call.chain(heads).chain(["ratio of p50".to_owned()]));
    for kind in Kind::ALL {
        let mut times = [Histogram::<u64>::new(3)?, Histogram::new(3)?];
        // The first tenth warms up.
        for number in 0..options.calls + options.calls / 10 {
            for (side, times) in sides.iter().zip(&mut times) {
                let begun_at = Instant::now();
                side.call(kind, &reader).await?;
                if number >= options.calls / 10 {
                    times.record(u64::try_from(begun_at.elapsed().as_micros())?)?;
                }
            }
        }
        let figures = times.iter().flat_map(|times| {
            [0.5, 0.99].map(|part| format!("{:.2}", times.value_at_quantile(part) as f64 / 1e3))
        });
        let [few, many] = times.each_ref().map(|it| it.value_at_quantile(0.5) as f64);
        let ratio = format!("{:.2}", many / few.max(1.0));
        let name = std::iter::once(kind.name().to_owned());
        table.add_row(name.chain(figures).chain([ratio]));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    drop((sides, reader));
    place.close().await?;
    Ok(true)
}

impl Side {
    /// A creator whom so many of the crowd follow; all pages are turned once, and everybody has to be there.
    async fn new(place: &Place, crowd: &Crowd, followers: u32) -> anyhow::Result<Self> {
        let (client, creator_id) = place.creator().await?;
        let begun_at = Instant::now();
        crowd.follow(&place.store(), &creator_id, followers).await?;
        eprintln!("{followers} follow after {:.1?}", begun_at.elapsed());
        let mut side = Self {
            followers,
            client,
            creator_id,
            half: String::new(),
            last: String::new(),
        };
        let (mut seen, mut token) = (0, String::new());
        loop {
            let page = side.client.list_followers(side.page(&token)).await?;
            if seen <= followers / 2 {
                side.half.clone_from(&token);
            }
            side.last = token;
            seen += u32::try_from(page.followers.len())?;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        anyhow::ensure!(seen == followers, "{seen} of {followers} are listed");
        Ok(side)
    }

    fn page(&self, token: &str) -> v1::ListFollowersRequest {
        v1::ListFollowersRequest {
            creator_id: self.creator_id.clone(),
            page_size: PAGE_SIZE,
            page_token: token.to_owned(),
        }
    }

    async fn call(&self, kind: Kind, reader: &Client) -> anyhow::Result<()> {
        let creator_id = || self.creator_id.clone();
        let check = async |count| {
            let creator_ids = vec![creator_id(); count];
            let request = v1::CheckFollowsRequest { creator_ids };
            let found = reader.check_follows(request).await?;
            anyhow::ensure!(found.statuses.len() == count, "not all are answered");
            Ok(())
        };
        match kind {
            Kind::FirstPage => self.turn("").await,
            Kind::HalfWay => self.turn(&self.half).await,
            Kind::LastPage => self.turn(&self.last).await,
            Kind::Check => check(1).await,
            Kind::CheckMany => check(200).await,
            Kind::FollowAndUnfollow => {
                let creator_id = creator_id();
                let follow = v1::FollowRequest { creator_id };
                reader.follow(follow).await.context("Follow")?;
                let creator_id = self.creator_id.clone();
                let unfollow = v1::UnfollowRequest { creator_id };
                reader.unfollow(unfollow).await.context("Unfollow")?;
                Ok(())
            }
        }
    }

    async fn turn(&self, token: &str) -> anyhow::Result<()> {
        let page = self.client.list_followers(self.page(token)).await?;
        let is_last = page.next_page_token.is_empty();
        anyhow::ensure!(
            is_last || page.followers.len() == PAGE_SIZE as usize,
            "short"
        );
        Ok(())
    }
}
