//! Before the rush: accounts, the creator's drop. None of this is measured.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use livedrop_proto::v1::{
    BecomeCreatorRequest, Drop, Money, ScheduleDropItem, ScheduleDropRequest, SignUpRequest,
    account_service_client::AccountServiceClient, auth_service_client::AuthServiceClient,
    drop_service_client::DropServiceClient,
};
use tokio::time::Instant;
use tonic::transport::Channel;
use uuid::Uuid;

use super::{buyer::Login, options::Options, shop::{Item, LIMIT_PER_BUYER}, wire::{authorized, call}};

/// Sign-ups in flight: enough to share their fsyncs, few enough for any server.
const SIGN_UPS_IN_FLIGHT: usize = 128;
/// Price of an item that is not free, in cents.
const PRICE_MINOR: i64 = 1999;
/// From scheduling to opening: all buyers stand ready by then.
const LEAD: Duration = Duration::from_secs(3);

/// Signs all buyers up.
pub(crate) async fn buyers(
    options: &Options,
    channels: &[Channel],
    deadline: Instant,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Login>> {
    let run = Uuid::new_v4().simple().to_string();
    let sign_ups = (0..options.buyers).zip(channels.iter().cycle()).map(|(number, channel)| {
        let email = format!("buyer-{number}-{run}@example.com");
        async move {
            let login = sign_up(channel, email, format!("Buyer {number}"), deadline).await;
            bar.inc(1);
            login
        }
    });
    stream::iter(sign_ups).buffered(SIGN_UPS_IN_FLIGHT).try_collect().await.context("signing buyers up")
}

async fn sign_up(channel: &Channel, email: String, display_name: String, deadline: Instant) -> anyhow::Result<Login> {
    let client = AuthServiceClient::new(channel.clone());
    let request = SignUpRequest {
        request_id: Uuid::new_v4().to_string(),
        email,
        password: "correct horse battery staple".to_owned(),
        display_name,
    };
    let response = call(deadline, async || client.clone().sign_up(request.clone()).await).await?;
    let token = response.tokens.context("no tokens")?.access_token;
    let account_id = response.account.context("no account")?.account_id;
    Ok(Login { account_id, token: format!("Bearer {token}").parse()? })
}

/// Makes a creator and the drop, which opens in a few seconds.
pub(crate) async fn drop(options: &Options, channel: &Channel, deadline: Instant) -> anyhow::Result<(Drop, Vec<Item>)> {
    let run = Uuid::new_v4().simple().to_string();
    let handle: String = format!("rush_{run}").chars().take(30).collect();
    let creator = sign_up(channel, format!("{handle}@example.com"), "Rush".to_owned(), deadline).await?;
    let profile = BecomeCreatorRequest { handle, display_name: "Rush".to_owned(), bio: String::new() };
    let accounts = AccountServiceClient::new(channel.clone());
    call(deadline, async || accounts.clone().become_creator(authorized(&creator.token, profile.clone())).await)
        .await
        .context("becoming a creator")?;

    let price = |number: usize| if number.is_multiple_of(2) { PRICE_MINOR } else { 0 };
    let stocks = options.stocks();
    let item = |(number, stock): (usize, &i64)| ScheduleDropItem {
        title: format!("Item {number}"),
        unit_price: Some(Money { currency_code: "EUR".to_owned(), amount_minor: price(number) }),
        stock: *stock,
        limit_per_buyer: 0,
    };
    let opens_at = SystemTime::now() + LEAD;
    let request = ScheduleDropRequest {
        request_id: Uuid::new_v4().to_string(),
        title: "Rush".to_owned(),
        description: String::new(),
        items: stocks.iter().enumerate().map(item).collect(),
        limit_per_buyer: LIMIT_PER_BUYER,
        opens_at: Some(opens_at.into()),
        ends_at: Some((opens_at + Duration::from_secs(24 * 3600)).into()),
        hold_duration: Some(options.hold().try_into()?),
        low_stock_threshold: options.stock / 10,
    };
    let drops = DropServiceClient::new(channel.clone());
    let scheduled =
        call(deadline, async || drops.clone().schedule_drop(authorized(&creator.token, request.clone())).await);
    let drop = scheduled.await.context("scheduling the drop")?.drop.context("no drop")?;
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
    let opens_at = drop.opens_at.context("no opens_at")?;
    let opens_at = SystemTime::try_from(opens_at)?;
    Ok(Instant::now() + opens_at.duration_since(SystemTime::now()).unwrap_or_default())
}
