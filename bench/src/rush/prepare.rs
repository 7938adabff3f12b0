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

use super::{buyer::Login, options::Options, shop::Item};

/// Sign-ups in flight: enough to share their fsyncs, few enough for any server.
const SIGN_UPS_IN_FLIGHT: usize = 128;
/// Price of an item that is not free, in cents.
const PRICE_MINOR: i64 = 1999;
/// From scheduling to opening: all buyers stand ready by then.
const LEAD: Duration = Duration::from_secs(3);

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
    stream::iter(sign_ups)
        .buffered(SIGN_UPS_IN_FLIGHT)
        .try_collect()
        .await
        .context("signing buyers up")
}

async fn sign_up(
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

/// Makes a creator and the drop, which opens in a few seconds.
pub(crate) async fn drop(
    options: &Options,
    connection: &Client,
) -> anyhow::Result<(Drop, Vec<Item>)> {
    let run = Uuid::new_v4().simple().to_string();
    let handle: String = format!("rush_{run}").chars().take(30).collect();
    let creator = sign_up(
        connection,
        format!("{handle}@example.com"),
        "Rush".to_owned(),
    )
    .await?
    .client;
    let profile = BecomeCreatorRequest {
        handle,
        display_name: "Rush".to_owned(),
        bio: String::new(),
    };
    creator
        .become_creator(profile)
        .await
        .context("becoming a creator")?;

    let price = |item: usize| {
        if options.is_free(item) {
            0
        } else {
            PRICE_MINOR
        }
    };
    let stocks = options.stocks();
    let item = |(number, stock): (usize, &i64)| ScheduleDropItem {
        title: format!("Item {number}"),
        unit_price: Some(Money {
            currency_code: "EUR".to_owned(),
            amount_minor: price(number),
        }),
        stock: *stock,
        limit_per_buyer: 0,
    };
    let opens_at = SystemTime::now() + LEAD;
    let request = ScheduleDropRequest {
        title: "Rush".to_owned(),
        items: stocks.iter().enumerate().map(item).collect(),
        limit_per_buyer: options.limit_per_buyer(),
        opens_at: Some(opens_at.into()),
        ends_at: Some((opens_at + Duration::from_secs(24 * 3600)).into()),
        hold_duration: Some(options.hold().try_into()?),
        low_stock_threshold: options.stock / 10,
        ..Default::default()
    };
    let scheduled = creator
        .schedule_drop(request)
        .await
        .context("scheduling the drop")?;
    let drop = scheduled.drop.context("no drop")?;
    let offered = drop.items.iter().zip(&stocks).enumerate();
    let items = offered.map(|(number, (item, stock))| Item {
        item_id: item.item_id.clone(),
        stock: *stock,
        price_minor: price(number),
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
