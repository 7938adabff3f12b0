//! What the examples need of a world: people, and something to buy. All of it goes through the SDK.

#![allow(dead_code, reason = "each example uses a part of it")]

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use livedrop::{Client, Uuid, v1};

/// A client of the server that `LIVEDROP_ENDPOINT` names; default `http://127.0.0.1:7400`.
pub(crate) fn client() -> Result<Client> {
    let endpoint = std::env::var("LIVEDROP_ENDPOINT");
    let endpoint = endpoint.unwrap_or_else(|_| "http://127.0.0.1:7400".into());
    Ok(Client::builder(endpoint).user_agent("example/1").build()?)
}

/// The drop that the first argument or `LIVEDROP_DROP` names.
pub(crate) fn given_drop() -> Option<String> {
    let argument = std::env::args().nth(1);
    argument.or_else(|| std::env::var("LIVEDROP_DROP").ok())
}

/// Signs the client up as somebody new.
pub(crate) async fn sign_up(client: &Client, display_name: &str) -> Result<v1::Account> {
    let who = Uuid::new_v4().simple();
    let request = v1::SignUpRequest {
        email: format!("{who}@example.com"),
        password: format!("secret of {who}"),
        display_name: display_name.into(),
        ..Default::default()
    };
    let answer = client.sign_up(request).await?;
    answer.account.context("no account")
}

/// Signs the client up as a creator.
pub(crate) async fn become_creator(client: &Client, display_name: &str) -> Result<v1::Creator> {
    sign_up(client, display_name).await?;
    let handle: String = format!("c{}", Uuid::new_v4().simple());
    let profile = v1::BecomeCreatorRequest {
        handle: handle.chars().take(20).collect(),
        display_name: display_name.into(),
        bio: String::new(),
    };
    let answer = client.become_creator(profile).await?;
    answer.creator.context("no creator")
}

/// A drop of signed posters that opens after `wait`, or at once, and sells for an hour.
pub(crate) async fn schedule_posters(
    creator: &Client,
    stock: i64,
    wait: Duration,
) -> Result<v1::Drop> {
    let price = v1::Money {
        currency_code: "EUR".into(),
        amount_minor: 1999,
    };
    let poster = v1::ScheduleDropItem {
        title: "Signed poster".into(),
        unit_price: Some(price),
        stock,
        limit_per_buyer: 2,
        ..Default::default()
    };
    let opens_at = SystemTime::now() + wait;
    let request = v1::ScheduleDropRequest {
        title: "Posters".into(),
        items: vec![poster],
        // Unset, the server's clock decides.
        opens_at: (!wait.is_zero()).then(|| opens_at.into()),
        ends_at: Some((opens_at + Duration::from_secs(3600)).into()),
        ..Default::default()
    };
    let answer = creator.schedule_drop(request).await?;
    answer.drop.context("no drop")
}

/// One unit of the first item that is left.
pub(crate) fn one_of(drop: &v1::Drop) -> Result<v1::PlaceOrderLine> {
    let is_left = |item: &&v1::DropItem| item.stock.is_some_and(|stock| stock.available > 0);
    let item = drop.items.iter().find(is_left);
    Ok(v1::PlaceOrderLine {
        item_id: item.context("everything is held or sold")?.item_id.clone(),
        quantity: 1,
    })
}
