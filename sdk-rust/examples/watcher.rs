//! Watches a drop until it is sold out or over, or for half a minute. Nobody need be signed in for that.
//!
//! `cargo run -p livedrop --example watcher -- [DROP_ID]`. Without a drop (argument or `LIVEDROP_DROP`) it opens one of its own first,
//! with a few buyers. `LIVEDROP_ENDPOINT` names the server; default `http://127.0.0.1:7400`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use livedrop::{
    Client, DropNews, Purchase,
    v1::{self, DropState},
};

mod world;

const UNITS: i64 = 3;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<()> {
    let client = world::client()?;
    let (drop_id, buyers) = match world::given_drop() {
        Some(drop_id) => (drop_id, None),
        None => {
            let creator = client.new_session();
            world::become_creator(&creator, "Creator").await?;
            let drop = world::schedule_posters(&creator, UNITS, Duration::from_secs(1)).await?;
            let buyers = tokio::spawn(sell_out(client.new_session(), drop.clone()));
            (drop.drop_id, Some(buyers))
        }
    };

    // The stream goes on over broken connections and restarts of the server: here it ends only with what we wait for.
    let mut news = client.watch_drop(&drop_id).into_stream();
    let watching = async {
        while let Some(news) = news.try_next().await? {
            show(&news);
            let is_over = matches!(news.drop.state(), DropState::Ended | DropState::Cancelled);
            if is_over || news.drop.sold_out {
                println!("that was it");
                return Ok(());
            }
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE, watching).await {
        Ok(watched) => watched?,
        Err(_) => println!("enough seen"),
    }
    match buyers {
        Some(buyers) => buyers.await.context("the buyers")?,
        None => Ok(()),
    }
}

fn show(news: &DropNews) {
    let drop = &news.drop;
    let (mut available, mut held, mut sold) = (0, 0, 0);
    for stock in drop.items.iter().filter_map(|item| item.stock) {
        available += stock.available;
        held += stock.held;
        sold += stock.sold;
    }
    let what = match &news.change {
        Some(change) => format!("{:?}", change.kind()),
        None => format!("{:?}", drop.state()),
    };
    println!("{what}: {available} available, {held} held, {sold} sold");
}

/// Buyers who wait for the drop, one after the other.
async fn sell_out(client: Client, drop: v1::Drop) -> Result<()> {
    let mut watch = client.watch_drop(&drop.drop_id);
    while watch.next().await?.drop.state() != DropState::Live {}
    for _ in 0..UNITS {
        let buyer = client.new_session();
        world::sign_up(&buyer, "Buyer").await?;
        let line = v1::PlaceOrderLine {
            item_id: drop.items.first().context("no item")?.item_id.clone(),
            quantity: 1,
        };
        let mut purchase = Purchase::new(&drop.drop_id, [line]).paying_with("pm_test_ok");
        buyer.buy(&mut purchase).await?;
    }
    Ok(())
}
