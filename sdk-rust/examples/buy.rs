//! Buys one unit, and checks the receipt against the public ledger.
//!
//! `cargo run -p livedrop --example buy -- [DROP_ID]`. Without a drop (argument or `LIVEDROP_DROP`) it opens one of its own first.
//! `LIVEDROP_ENDPOINT` names the server; default `http://127.0.0.1:7400`.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use livedrop::{Client, Uuid, ledger, receipt, v1};

#[tokio::main]
async fn main() -> Result<()> {
    let endpoint = std::env::var("LIVEDROP_ENDPOINT");
    let endpoint = endpoint.unwrap_or_else(|_| "http://127.0.0.1:7400".into());
    let client = Client::builder(&endpoint).build()?;
    let given = std::env::args().nth(1);
    let drop_id = match given.or_else(|| std::env::var("LIVEDROP_DROP").ok()) {
        Some(drop_id) => drop_id,
        None => open_drop(&client.new_session()).await?,
    };

    let buyer = sign_up(&client, "Buyer").await?;
    println!("signed up as {}", buyer.email);
    let asked = v1::GetDropRequest {
        drop_id: drop_id.clone(),
    };
    let drop = client.get_drop(asked).await?.drop.context("no drop")?;
    println!("drop \"{}\" sells:", drop.title);
    let mut first_left = None;
    for item in &drop.items {
        let price = item.unit_price.clone().unwrap_or_default();
        let left = item.stock.map_or(0, |stock| stock.available);
        let (amount, currency) = (price.amount_minor, price.currency_code);
        println!(
            "  {} for {amount} minor {currency}, {left} left",
            item.title
        );
        first_left = first_left.or((left > 0).then_some(item));
    }
    let item = first_left.context("everything is held or sold")?;

    let line = v1::PlaceOrderLine {
        item_id: item.item_id.clone(),
        quantity: 1,
    };
    let wish = v1::PlaceOrderRequest {
        drop_id: drop_id.clone(),
        lines: vec![line],
        payment_method: "pm_test_ok".into(),
        ..Default::default()
    };
    let order = client.place_order(wish).await?.order.context("no order")?;
    let mut watch = client.watch_order(&drop_id, &order.order_id).until_final();
    while let Some(order) = watch.next().await? {
        println!("order {} is {:?}", order.order_id, order.state());
    }

    let asked = v1::GetReceiptRequest {
        drop_id: drop_id.clone(),
        order_id: order.order_id.clone(),
    };
    let paper = client.get_receipt(asked).await?.receipt;
    let proof = receipt::verify(&paper.context("no receipt")?)?;
    ensure!(
        proof.order_id.to_string() == order.order_id,
        "receipt of another order"
    );
    println!("receipt verified: {:?} in record {}", proof.kind, proof.seq);

    let mut verifier = ledger::Verifier::new(drop_id.parse::<Uuid>()?);
    let mut found = false;
    let mut pages = client.ledger_pages(&drop_id);
    while let Some(records) = pages.next().await? {
        for record in &records {
            verifier.push(record)?;
            found |= proof.is_in(record);
        }
    }
    ensure!(
        found,
        "the public ledger does not have the receipt's record"
    );
    let (count, stock) = (verifier.totals().record_count, verifier.totals().stock);
    let (sold, held, available) = (stock.sold, stock.held, stock.available);
    println!("ledger verified: {count} records; {sold} sold, {held} held, {available} left");
    Ok(())
}

async fn sign_up(client: &Client, name: &str) -> Result<v1::Account> {
    let who = Uuid::new_v4().simple();
    let request = v1::SignUpRequest {
        email: format!("{who}@example.com"),
        password: format!("secret of {who}"),
        display_name: name.into(),
        ..Default::default()
    };
    let answer = client.sign_up(request).await?;
    answer.account.context("no account")
}

/// Opens a drop with a free item and a priced one, in the name of a new creator.
async fn open_drop(creator: &Client) -> Result<String> {
    sign_up(creator, "Creator").await?;
    let handle: String = format!("c{}", Uuid::new_v4().simple());
    let profile = v1::BecomeCreatorRequest {
        handle: handle.chars().take(20).collect(),
        display_name: "Creator".into(),
        bio: String::new(),
    };
    creator.become_creator(profile).await?;
    let item = |title: &str, amount_minor| v1::ScheduleDropItem {
        title: title.into(),
        unit_price: Some(v1::Money {
            currency_code: "EUR".into(),
            amount_minor,
        }),
        stock: 100,
        ..Default::default()
    };
    let ends_at = SystemTime::now() + Duration::from_secs(3600);
    let request = v1::ScheduleDropRequest {
        title: "Posters".into(),
        items: vec![item("Postcard", 0), item("Signed poster", 1999)],
        ends_at: Some(ends_at.into()),
        ..Default::default()
    };
    let drop = creator.schedule_drop(request).await?.drop;
    Ok(drop.context("no drop")?.drop_id)
}
