//! A drop and all who want something of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, ensure};
use livedrop::Client;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{
    browser::Browser,
    buyer::{Buyer, Login},
    creator,
    notes::Return,
    options::Options,
    prepare::{self, Offer},
    provider::Provider,
    shop::{Fate, Shop},
    tally::Tally,
};

/// Orders that wait for their refund at most: more than are ever returned.
const RETURNS_MAX: usize = 100_000;

/// Buyers of the drop that will be cancelled come within this time at least: it is half-way for a while.
const SIDE_WITHIN: Duration = Duration::from_secs(4);

/// A server forgets a ledger that nobody asks it for after a minute; but in the first minute after the opening its timer still does.
const LEFT_FOR: Duration = Duration::from_secs(190);
/// Buyers of the drop that is left alone.
const LEFT_BUYERS: usize = 10;

/// What all crowds share.
#[derive(Debug)]
pub(crate) struct Hall<'a> {
    /// To all servers.
    pub(crate) connections: &'a [Client],
    /// Who takes the money.
    pub(crate) provider: &'a Provider,
    /// When everybody stops trying.
    pub(crate) deadline: Instant,
}

/// A drop, its buyers and its creator.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// What they share.
    pub(crate) shop: Arc<Shop>,
    /// Those who are through.
    pub(crate) buyers: Vec<Buyer>,
    waiting: Vec<Login>,
    refunds: Option<JoinHandle<anyhow::Result<Vec<Return>>>>,
}

impl Crowd {
    /// The drop of the rush, for all buyers.
    pub(crate) async fn main(
        options: &Options,
        hall: &Hall<'_>,
        logins: &[Login],
    ) -> anyhow::Result<Self> {
        let offer = Offer::of(options);
        Self::gather(options, offer, hall, logins, Fate::Sells).await
    }

    /// The drop that is cancelled half-way, for some of them.
    pub(crate) async fn side(
        options: &Options,
        hall: &Hall<'_>,
        logins: &[Login],
    ) -> anyhow::Result<Self> {
        let offer = Offer::of_side_drop(options);
        let some: Vec<Login> = logins
            .iter()
            .cycle()
            .take(options.side_buyers())
            .cloned()
            .collect();
        Self::gather(options, offer, hall, &some, Fate::IsCancelled).await
    }

    /// The drop that only the last server hears of, when the others have long forgotten it; its holds have to end whatever becomes of that
    /// server. Its buyers are still to be invited.
    pub(crate) async fn left(options: &Options, hall: &Hall<'_>) -> anyhow::Result<Self> {
        let offer = Offer::of_left_drop(LEFT_BUYERS);
        Self::gather(options, offer, hall, &[], Fate::IsLeft).await
    }

    /// Invites buyers who are connected to the last server.
    pub(crate) fn invite(&mut self, options: &Options, hall: &Hall<'_>, logins: &[Login]) {
        let servers = usize::from(options.servers);
        // Connections go to one server after the other, and logins to one connection after the other.
        let of_last = |(number, _): &(usize, &Login)| {
            let connection = number % hall.connections.len().max(1);
            connection % servers == servers - 1
        };
        let some = logins.iter().enumerate().filter(of_last);
        self.waiting = some.take(LEFT_BUYERS).map(|(_, it)| it.clone()).collect();
    }

    async fn gather(
        options: &Options,
        offer: Offer,
        hall: &Hall<'_>,
        logins: &[Login],
        fate: Fate,
    ) -> anyhow::Result<Self> {
        let first = hall.connections.first().context("no connection")?;
        let creator = prepare::creator(first).await?;
        let (drop, items) = prepare::drop(options, &offer, &creator.client).await?;
        let (returns, wishes) = mpsc::channel(RETURNS_MAX);
        let drop_id = drop.drop_id.clone();
        let refunds = creator::refund_all(drop_id, creator.clone(), hall.deadline, wishes);
        let returns = (fate == Fate::Sells).then_some(returns);
        let arrive_within = match fate {
            Fate::IsCancelled => options.arrive_within().max(SIDE_WITHIN),
            Fate::Sells => options.arrive_within(),
            Fate::IsLeft => LEFT_FOR,
        };
        let shop = Shop {
            drop_id: drop.drop_id.clone(),
            creator,
            items,
            limit_per_buyer: options.limit_per_buyer(),
            is_paid: options.is_paid(),
            fate,
            arrive_within,
            is_judged_by_rows: !options.plain,
            provider: hall.provider.clone(),
            returns: Mutex::new(returns),
            browser: Browser::new(hall.provider.stripe()),
            connections: hall.connections.to_vec(),
            opens_at: prepare::opening(&drop)?,
            deadline: hall.deadline,
            gate: Semaphore::new(options.in_flight()),
            tally: Tally::new()?,
        };
        Ok(Self {
            shop: Arc::new(shop),
            buyers: Vec::new(),
            waiting: logins.to_vec(),
            refunds: Some(tokio::spawn(refunds)),
        })
    }

    /// Buyers.
    pub(crate) fn len(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Lets all buyers loose.
    pub(crate) fn loose(&mut self, options: &Options) -> JoinSet<Buyer> {
        let mut tasks = JoinSet::new();
        // Who is in two crowds does not do the same in both.
        let seed = options.seed ^ u64::from(self.shop.is_cancelled());
        for (number, login) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            let buyer = Buyer::new(Arc::clone(&self.shop), login, number, seed);
            if options.plain {
                let item = number % self.shop.items.len();
                tasks.spawn(buyer.order_plainly(item, options.orders_each));
            } else {
                tasks.spawn(buyer.rush());
            }
        }
        tasks
    }

    /// Finds out what became of every request without an answer.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        let buyers = std::mem::take(&mut self.buyers);
        let (open, settled): (Vec<_>, Vec<_>) = buyers.into_iter().partition(Buyer::is_unsettled);
        self.buyers = settled;
        let mut tasks = JoinSet::new();
        for buyer in open {
            tasks.spawn(buyer.settle());
        }
        self.buyers.extend(tasks.join_all().await);
        ensure!(Instant::now() < self.shop.deadline, "time is up");
        Ok(())
    }

    /// What became of everything that was returned; nothing more can be.
    pub(crate) async fn end_returns(&mut self) -> anyhow::Result<Vec<Return>> {
        self.shop.end_returns();
        match self.refunds.take() {
            Some(refunds) => refunds.await?,
            None => Ok(Vec::new()),
        }
    }
}
