//! What a rush can be asked for.

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::{Args, ValueEnum};

/// Where the started servers keep what must last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// In a file of the one server.
    Embedded,
    /// In the database at --cql, in a keyspace of the run.
    Cql,
}

/// Who takes the money of the started servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderKind {
    /// The test provider inside the one server.
    Test,
    /// A fake Stripe beside the servers.
    Stripe,
}

/// Everything about one rush.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Buyers, each with an account of its own.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub(crate) buyers: u32,
    /// Units for sale, over all items.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(i64).range(1..=10_000_000))]
    pub(crate) stock: i64,
    /// Items of the drop.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) items: u8,
    /// Running server to send them at, as in http://127.0.0.1:50051; without it one is started in a temporary directory.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// Kill the started server with SIGKILL three times, by about 20, 45 and 70 % of the orders, and start it again.
    #[arg(long, conflicts_with = "endpoint")]
    pub(crate) kill: bool,
    /// Store of the started server.
    #[arg(
        long,
        value_enum,
        default_value = "embedded",
        conflicts_with = "endpoint"
    )]
    pub(crate) store: StoreKind,
    /// Nodes of the database, as in 127.0.0.1:9042,127.0.0.2:9042; with two or more, each row is on up to three of them.
    #[arg(long, value_name = "NODES", value_delimiter = ',')]
    pub(crate) cql: Vec<String>,
    /// Servers to start on one database; buyers are spread over them. Needs --store cql and --provider stripe.
    #[arg(long, default_value_t = 1, conflicts_with = "endpoint", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) servers: u8,
    /// Who takes the money.
    #[arg(long, value_enum, default_value = "test", conflicts_with = "endpoint")]
    pub(crate) provider: ProviderKind,
    /// Buyers come within so many seconds after the opening, not all at once.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub(crate) arrive: u32,
    /// Shell command that breaks something when half of the orders are placed; the fault lasts until it ends. Servers that it kills with
    /// SIGKILL are started again. Finds $RUSH_SERVER_PIDS and $RUSH_SERVER_LOGS.
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["endpoint", "kill"])]
    pub(crate) at_half: Option<String>,
    /// The same when the last buyer is through, before the server has ended what is open.
    #[arg(long, value_name = "COMMAND", conflicts_with = "endpoint")]
    pub(crate) at_end: Option<String>,
    /// Measure speed: each buyer holds one unit of a priced item and keeps it, nothing else.
    #[arg(long)]
    pub(crate) plain: bool,
    /// Orders of each buyer, one after the other; with more than one all items are free, since a buyer has one open hold at most.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "plain", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) orders_each: u32,
    /// Nothing costs anything: all is sold at once, and nobody pays.
    #[arg(long, conflicts_with = "plain")]
    pub(crate) free: bool,
    /// File of the running server's test provider, `test-provider.jsonl` in its data directory; without it the money is not checked.
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    pub(crate) provider_file: Option<PathBuf>,
    /// Decides what each buyer does; the order in which calls arrive is never the same.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Connections that the buyers share.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) connections: u16,
    /// Purchases in flight at most [default: all buyers; 1000 with --plain]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) in_flight: Option<u32>,
    /// How long a hold lasts, in seconds [default: 30; 1800 with --plain]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(30..=1800))]
    pub(crate) hold: Option<u32>,
    /// Give up, as failed, after so many seconds.
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub(crate) timeout: u64,
    /// Directory for the started server, kept afterwards [default: a temporary one]
    #[arg(long, value_name = "DIR", conflicts_with = "endpoint")]
    pub(crate) data: Option<PathBuf>,
}

impl Options {
    /// Refuses what does not go together.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.stock >= self.items.into(),
            "each item needs at least one unit"
        );
        let is_cql = self.store == StoreKind::Cql;
        ensure!(
            is_cql != self.cql.is_empty(),
            "--store cql and --cql NODES belong together"
        );
        ensure!(
            self.servers == 1 || is_cql,
            "several servers need a database: --store cql --cql NODES"
        );
        ensure!(
            self.servers == 1 || self.plain || self.provider == ProviderKind::Stripe,
            "the test provider is inside one server: several need --provider stripe"
        );
        Ok(())
    }

    /// Within what time after the opening buyers come.
    pub(crate) fn arrive_within(&self) -> Duration {
        Duration::from_secs(self.arrive.into())
    }

    /// Purchases in flight at most.
    pub(crate) fn in_flight(&self) -> usize {
        let default = if self.plain {
            self.buyers.min(1000)
        } else {
            self.buyers
        };
        self.in_flight.unwrap_or(default) as usize
    }

    /// How long a hold lasts.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_secs(
            self.hold
                .unwrap_or(if self.plain { 1800 } else { 30 })
                .into(),
        )
    }

    /// Units of all items that one buyer may have; 0 = no limit.
    pub(crate) fn limit_per_buyer(&self) -> i32 {
        if self.plain { 0 } else { 4 }
    }

    /// Whether buyers pay.
    pub(crate) fn is_paid(&self) -> bool {
        !self.plain && !self.free
    }

    /// Whether nothing costs anything, so that all is sold at once.
    pub(crate) fn is_free(&self) -> bool {
        self.free || (self.plain && self.orders_each > 1)
    }

    /// Buyers of the drop that is cancelled half-way: some of the others, at it twice. None if nobody pays.
    pub(crate) fn side_buyers(&self) -> usize {
        if self.is_paid() {
            (self.buyers as usize / 10).clamp(20, 500)
        } else {
            0
        }
    }

    /// Whether a drop is left to one server alone, which is broken at the end.
    pub(crate) fn has_left_drop(&self) -> bool {
        self.is_paid() && self.servers > 1 && self.at_end.is_some()
    }

    /// Units of each item.
    pub(crate) fn stocks(&self) -> Vec<i64> {
        share(self.stock, self.items.into())
    }

    /// Units of each item of the drop that is cancelled half-way: not enough for its buyers.
    pub(crate) fn side_stocks(&self) -> Vec<i64> {
        share(self.side_buyers() as i64, 2)
    }

    /// Orders to expect, at least about so many.
    pub(crate) fn expected_orders(&self) -> u64 {
        if self.plain {
            let wanted = u64::from(self.buyers) * u64::from(self.orders_each);
            return self.stock.unsigned_abs().min(wanted);
        }
        // 1 to 2 units of an item, and in a third of the orders of a second one: 2 units on average.
        (self.stock / 2).unsigned_abs().min(self.buyers.into())
    }
}

/// As even as can be.
fn share(units: i64, items: i64) -> Vec<i64> {
    (0..items)
        .map(|item| units / items + i64::from(item < units % items))
        .collect()
}
