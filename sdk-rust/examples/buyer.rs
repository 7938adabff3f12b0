//! Buys one unit, and checks the receipt against the public ledger.
//!
//! `cargo run -p livedrop --example buyer -- [DROP_ID]`. Without a drop (argument or `LIVEDROP_DROP`) it opens one of its own first.
//! `LIVEDROP_ENDPOINT` names the server; default `http://127.0.0.1:7400`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use livedrop::{
    Purchase, Uuid, ledger, receipt,
    v1::{self, OrderState},
};

mod world;

#[tokio::main]
async fn main() -> Result<()> {
    let client = world::client()?;
    let drop_id = match world::given_drop() {
        Some(drop_id) => drop_id,
        None => {
            let creator = client.new_session();
            world::become_creator(&creator, "Creator").await?;
            let drop = world::schedule_posters(&creator, 10, Duration::ZERO).await?;
            drop.drop_id
        }
    };
    let buyer = world::sign_up(&client, "Buyer").await?;
    println!("signed up as {}", buyer.email);

    let asked = v1::GetDropRequest {
        drop_id: drop_id.clone(),
    };
    let drop = client.get_drop(asked).await?.drop.context("no drop")?;
    println!("drop \"{}\" is {:?}", drop.title, drop.state());

    // Kept until it is over: whatever happens to this process, who reads it and buys again has one order, paid once.
    let kept = std::env::temp_dir().join(format!("purchase-{}.json", buyer.account_id));
    let mut purchase =
        Purchase::new(&drop_id, [world::one_of(&drop)?]).paying_with("pm_test_declined");
    std::fs::write(&kept, serde_json::to_vec(&purchase)?)?;
    let mut order = client.buy(&mut purchase).await?;

    // The first card is declined. As if the app had been started anew: another card pays for the same order.
    let mut purchase: Purchase = serde_json::from_slice(&std::fs::read(&kept)?)?;
    while order.state() == OrderState::Held {
        let why = order.payment_error.clone().unwrap_or_default();
        println!("order {} is held: {}", order.order_id, why.message);
        purchase.pay_with("pm_test_ok");
        std::fs::write(&kept, serde_json::to_vec(&purchase)?)?;
        order = client.buy(&mut purchase).await?;
    }
    println!("order {} is {:?}", order.order_id, order.state());
    ensure!(order.state() == OrderState::Paid, "it was not bought");
    std::fs::remove_file(&kept)?;

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
    let mut records = client.ledger_records(&drop_id);
    while let Some(record) = records.next().await? {
        verifier.push(&record)?;
        found |= proof.is_in(&record);
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
