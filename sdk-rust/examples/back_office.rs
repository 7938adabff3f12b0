//! A partner's back office: the orders of a drop, a refund, and the books recounted from the public ledger.
//!
//! `cargo run -p livedrop --example back_office`. `LIVEDROP_ENDPOINT` names the server; default `http://127.0.0.1:7400`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use livedrop::{
    Client, Purchase, Uuid, ledger,
    v1::{self, OrderState},
};

mod world;

#[tokio::main]
async fn main() -> Result<()> {
    let creator = world::client()?;
    let drop = sell_some(&creator).await?;
    let drop_id = &drop.drop_id;

    // Lists may lag a second behind the ledger: whoever needs all of them reads until they are there.
    let orders = loop {
        let mut orders = Vec::new();
        let mut list = creator.drop_orders(drop_id);
        while let Some(order) = list.next().await? {
            orders.push(order);
        }
        if orders.len() == 3
            && orders
                .iter()
                .all(|it| it.state() != OrderState::PaymentPending)
        {
            break orders;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for order in &orders {
        let total = order.total.clone().unwrap_or_default();
        let (amount, currency) = (total.amount_minor, total.currency_code);
        let (order_id, state) = (&order.order_id, order.state());
        println!("order {order_id}: {amount} minor {currency}, {state:?}");
    }

    let paid = orders.iter().find(|it| it.state() == OrderState::Paid);
    let order_id = &paid.context("nothing was sold")?.order_id;
    let request = v1::RefundOrderRequest {
        drop_id: drop_id.clone(),
        order_id: order_id.clone(),
        reason: "came back".into(),
        restock: true,
        ..Default::default()
    };
    creator.refund_order(request).await?;
    let mut watch = creator.watch_order(drop_id, order_id);
    while let Some(order) = watch.next().await? {
        println!("order {order_id} is {:?}", order.state());
        if order.state() == OrderState::Refunded {
            break;
        }
    }

    // Anyone can recount a drop: every record is hashed with the one before it.
    let mut verifier = ledger::Verifier::new(drop_id.parse::<Uuid>()?);
    let mut records = creator.ledger_records(drop_id);
    while let Some(record) = records.next().await? {
        verifier.push(&record)?;
    }
    let totals = verifier.totals();
    let (count, stock) = (totals.record_count, totals.stock);
    let (sold, held, available) = (stock.sold, stock.held, stock.available);
    println!("ledger verified: {count} records; {sold} sold, {held} held, {available} left");
    ensure!((sold, held, available) == (1, 1, 3), "the books are wrong");
    Ok(())
}

/// A drop of five units with two orders that are paid and one that is held.
async fn sell_some(creator: &Client) -> Result<v1::Drop> {
    world::become_creator(creator, "Partner").await?;
    let drop = world::schedule_posters(creator, 5, Duration::ZERO).await?;
    for method in ["pm_test_ok", "pm_test_ok", "pm_test_declined"] {
        let buyer = creator.new_session();
        world::sign_up(&buyer, "Buyer").await?;
        let line = world::one_of(&drop)?;
        let mut purchase = Purchase::new(&drop.drop_id, [line]).paying_with(method);
        let order = buyer.buy(&mut purchase).await?;
        println!("an order is {:?}", order.state());
    }
    Ok(drop)
}
