//! Before the rush: accounts, the creator's drop. None of this is measured.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use livedrop::{
    Client,
    v1::{BecomeCreatorRequest, Drop, Money, ScheduleDropItem, ScheduleDropRequest, SignUpRequest},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    buyer::Login,
    options::{Options, StoreKind},
    shop::Item,
};

/// Sign-ups in flight: enough to share their fsyncs, few enough for any server; and for three nodes that have just started on one machine.
const SIGN_UPS_IN_FLIGHT: usize = 128;
const SIGN_UPS_IN_FLIGHT_CQL: usize = 16;
/// What prices are in.
pub(crate) const CURRENCY: &str = "EUR";
/// Price of an item that is not free, in cents.
const PRICE_MINOR: i64 = 1999;
/// From scheduling to opening: all buyers stand ready by then. A database on the same machine makes the rest of the preparation slower.
const LEAD: Duration = Duration::from_secs(3);
const LEAD_CQL: Duration = Duration::from_secs(10);

/// Signs all buyers up.
pub(crate) async fn buyers(
    options: &Options,
    connections: &[Client],
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Login>> {
    let run = Uuid::new_v4().simple();
    let sign_ups =
        (0..options.buyers)
            .zip(connections.iter().cycle())
            .map(async |(number, connection)| {
                let login = sign_up(
                    connection,
                    format!("buyer-{number}-{run}@example.com"),
                    format!("Buyer {number}"),
                )
                .await;
                bar.inc(1);
                login
            });
    let in_flight = match options.store {
        StoreKind::Embedded => SIGN_UPS_IN_FLIGHT,
        StoreKind::Cql => SIGN_UPS_IN_FLIGHT_CQL,
    };
    stream::iter(sign_ups)
        .buffered(in_flight)
        .try_collect()
        .await
        .context("signing buyers up")
}

/// Signs somebody up.
pub(crate) async fn sign_up(
    connection: &Client,
    email: String,
    display_name: String,
) -> anyhow::Result<Login> {
    let client = connection.new_session();
    let password = "correct horse battery staple".to_owned();
    let request = SignUpRequest {
        email,
        password,
        display_name,
        ..Default::default()
    };
    let account = client
        .sign_up(request)
        .await?
        .account
        .context("no account")?;
    // Whoever waits for an opening has been here before: the server has seen the token.
    client.get_me().await?;
    Ok(Login {
        account_id: account.account_id,
        client,
    })
}

/// Makes a creator.
pub(crate) async fn creator(connection: &Client) -> anyhow::Result<Login> {
    let run = Uuid::new_v4().simple().to_string();
    let handle: String = format!("rush_{run}").chars().take(30).collect();
    let email = format!("{handle}@example.com");
    let creator = sign_up(connection, email, "Rush".to_owned()).await?;
    let profile = BecomeCreatorRequest {
        handle,
        display_name: "Rush".to_owned(),
        bio: String::new(),
    };
    let became = creator.client.become_creator(profile).await;
    became.context("becoming a creator")?;
    Ok(creator)
}

/// What a drop offers.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Units of each item.
    pub(crate) stocks: Vec<i64>,
    /// Price of each item in cents; the last one is that of all others.
    pub(crate) prices: Vec<i64>,
}

impl Offer {
    /// The drop of the rush.
    pub(crate) fn of(options: &Options) -> Self {
        let prices = if options.is_free() {
            vec![0]
        } else {
            vec![PRICE_MINOR]
        };
        Self {
            stocks: options.stocks(),
            prices,
        }
    }

    /// The one that is cancelled half-way: what was free is given back too.
    pub(crate) fn of_side_drop(options: &Options) -> Self {
        Self {
            stocks: options.side_stocks(),
            prices: vec![PRICE_MINOR + 500, 0],
        }
    }

    /// The one that is left alone: a unit for each of its buyers.
    pub(crate) fn of_left_drop(buyers: usize) -> Self {
        Self {
            stocks: vec![buyers as i64],
            prices: vec![PRICE_MINOR],
        }
    }

    fn price(&self, item: usize) -> i64 {
        let price = self.prices.get(item).or(self.prices.last());
        price.copied().unwrap_or_default()
    }
}

/// Makes the drop, which opens in a few seconds.
pub(crate) async fn drop(
    options: &Options,
    offer: &Offer,
    creator: &Client,
) -> anyhow::Result<(Drop, Vec<Item>)> {
    let stocks = &offer.stocks;
    let item = |(number, stock): (usize, &i64)| ScheduleDropItem {
        title: format!("Item {number}"),
        unit_price: Some(Money {
            currency_code: CURRENCY.to_owned(),
            amount_minor: offer.price(number),
        }),
        stock: *stock,
        ..ScheduleDropItem::default()
    };
    let lead = match options.store {
        StoreKind::Embedded => LEAD,
        StoreKind::Cql => LEAD_CQL,
    };
    let opens_at = SystemTime::now() + lead;
    let request = ScheduleDropRequest {
        title: "Rush".to_owned(),
        items: stocks.iter().enumerate().map(item).collect(),
        limit_per_buyer: options.limit_per_buyer(),
        opens_at: Some(opens_at.into()),
        ends_at: Some((opens_at + Duration::from_secs(24 * 3600)).into()),
        hold_duration: Some(options.hold().try_into()?),
        low_stock_threshold: stocks.iter().sum::<i64>() / 10,
        ..Default::default()
    };
    let scheduled = creator
        .schedule_drop(request)
        .await
        .context("scheduling the drop")?;
    let drop = scheduled.drop.context("no drop")?;
    let offered = drop.items.iter().zip(stocks).enumerate();
    let items = offered.map(|(number, (item, stock))| Item {
        item_id: item.item_id.clone(),
        stock: *stock,
        price_minor: offer.price(number),
    });
    let items = items.collect();
    Ok((drop, items))
}

/// When the drop opens, by this machine's monotonic clock.
pub(crate) fn opening(drop: &Drop) -> anyhow::Result<Instant> {
    let opens_at = SystemTime::try_from(drop.opens_at.context("no opens_at")?)?;
    Ok(Instant::now()
        + opens_at
            .duration_since(SystemTime::now())
            .unwrap_or_default())
}
