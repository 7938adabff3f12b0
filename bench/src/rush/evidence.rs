//! After the rush: fetches what the verdict needs.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use livedrop::{
    Client,
    v1::{
        Drop, ErrorReason, GetDropRequest, GetOrderRequest, GetReceiptRequest, LedgerRecord, Order,
        OrderState,
    },
};
use tokio::time::{Instant, sleep};

use super::{buyer::Buyer, shop::Shop, verdict::Evidence};

/// Reads in flight.
const READS_IN_FLIGHT: usize = 64;
/// Receipts that are checked; each is a proof of its own, so a sample will do.
const RECEIPTS_MAX: usize = 200;

/// Who was told of which order.
type Owned<'a> = (&'a Client, &'a str);

/// Fetches everything. Waits before for the holds that were left to expire, unless `keep_holds`.
pub(crate) async fn gather(
    shop: &Shop,
    buyers: Vec<Buyer>,
    keep_holds: bool,
    bar: &ProgressBar,
) -> anyhow::Result<Evidence> {
    let client = shop.connections.first().context("no connection")?;
    if !keep_holds {
        wait_for_expiry(shop, client, bar).await?;
    }
    bar.set_message("reading the ledger");
    let mut records = Vec::new();
    let mut pages = client.ledger_pages(shop.drop_id.as_str());
    while let Some(page) = pages.next().await.context("reading the ledger")? {
        records.extend(page);
    }
    let chain = livedrop::ledger::verify_chain(shop.drop_id.parse().context("drop id")?, &records);
    let mut owned: Vec<Owned<'_>> = Vec::new();
    for buyer in &buyers {
        let placed = buyer.notes.iter().flat_map(|purchase| &purchase.placed);
        owned.extend(placed.map(|placed| (&buyer.login.client, placed.order_id.as_str())));
    }
    owned.sort_unstable_by_key(|(_, order_id)| *order_id);
    owned.dedup_by_key(|(_, order_id)| *order_id);
    bar.set_message("reading all orders");
    let orders = orders(shop, &owned, bar).await?;
    bar.set_message("checking receipts");
    let receipt_faults = receipt_faults(shop, &owned, &records).await;
    Ok(Evidence {
        items: shop.items.clone(),
        limit_per_buyer: shop.limit_per_buyer,
        records,
        chain_fault: chain.err().map(|fault| fault.to_string()),
        stored_fault: None,
        orders,
        drop: drop(shop, client).await?,
        receipt_faults,
        buyers: buyers
            .into_iter()
            .map(|buyer| (buyer.login.account_id, buyer.notes))
            .collect(),
    })
}

async fn drop(shop: &Shop, client: &Client) -> anyhow::Result<Drop> {
    let response = client
        .get_drop(GetDropRequest {
            drop_id: shop.drop_id.clone(),
        })
        .await;
    response
        .context("reading the drop")?
        .drop
        .context("no drop")
}

/// Until the server has released every hold: at `expires_at` and some seconds.
async fn wait_for_expiry(shop: &Shop, client: &Client, bar: &ProgressBar) -> anyhow::Result<()> {
    loop {
        let stocks = drop(shop, client).await?.items;
        let held: i64 = stocks
            .iter()
            .filter_map(|item| item.stock.as_ref())
            .map(|stock| stock.held)
            .sum();
        if held == 0 {
            return Ok(());
        }
        bar.set_message(format!(
            "waiting for {held} units in unpaid holds to come back"
        ));
        ensure!(
            Instant::now() < shop.deadline,
            "{held} units are still held at the end"
        );
        sleep(Duration::from_millis(500)).await;
    }
}

/// Every order as its buyer sees it; one that is unknown is left out.
async fn orders(
    shop: &Shop,
    owned: &[Owned<'_>],
    bar: &ProgressBar,
) -> anyhow::Result<HashMap<String, Order>> {
    bar.set_length(owned.len() as u64);
    let reads = owned.iter().map(async |(client, order_id)| {
        let request = GetOrderRequest {
            drop_id: shop.drop_id.clone(),
            order_id: (*order_id).to_owned(),
            min_seq: i64::MAX,
        };
        bar.inc(1);
        match client.get_order(request).await {
            Ok(response) => Ok(response.order.map(|order| ((*order_id).to_owned(), order))),
            Err(error) if error.reason() == Some(ErrorReason::OrderNotFound) => Ok(None),
            Err(error) => Err(error).context("reading an order"),
        }
    });
    let orders = stream::iter(reads).buffer_unordered(READS_IN_FLIGHT);
    orders
        .try_filter_map(async |order| Ok(order))
        .try_collect()
        .await
}

/// Verifies receipts offline and finds their records in the ledger.
async fn receipt_faults(shop: &Shop, owned: &[Owned<'_>], records: &[LedgerRecord]) -> Vec<String> {
    let step = owned.len().div_ceil(RECEIPTS_MAX).max(1);
    let mut faults = Vec::new();
    for (client, order_id) in owned.iter().step_by(step) {
        if let Err(fault) = check_receipt(shop, client, order_id, records).await {
            faults.push(format!("of order {order_id}: {fault:#}"));
        }
    }
    faults
}

async fn check_receipt(
    shop: &Shop,
    client: &Client,
    order_id: &str,
    records: &[LedgerRecord],
) -> anyhow::Result<()> {
    let request = GetReceiptRequest {
        drop_id: shop.drop_id.clone(),
        order_id: order_id.to_owned(),
    };
    let receipt = client
        .get_receipt(request)
        .await?
        .receipt
        .context("no receipt")?;
    let proven = livedrop::receipt::verify(&receipt)?;
    ensure!(
        proven.order_id.to_string() == order_id,
        "it proves order {}",
        proven.order_id
    );
    ensure!(
        records.iter().any(|record| proven.is_in(record)),
        "its record is not in the ledger"
    );
    Ok(())
}

/// How many orders are in a state.
pub(crate) fn in_state(evidence: &Evidence, state: OrderState) -> usize {
    evidence
        .orders
        .values()
        .filter(|order| order.state() == state)
        .count()
}
