//! After the rush: fetches what the verdict needs.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use livedrop_proto::v1::{
    Drop, GetDropRequest, GetOrderRequest, GetReceiptRequest, LedgerRecord, ListLedgerRecordsRequest, Order,
    OrderState, drop_service_client::DropServiceClient, order_service_client::OrderServiceClient,
};
use tokio::time::sleep;
use uuid::Uuid;

use super::{buyer::{Buyer, Login}, shop::Shop, verdict::Evidence, wire::{authorized, call}};

/// Reads in flight.
const READS_IN_FLIGHT: usize = 64;
/// Receipts that are checked; each is a proof of its own, so a sample will do.
const RECEIPTS_MAX: usize = 200;

/// Fetches everything. Waits before for the holds that were left to expire, unless `keep_holds`.
pub(crate) async fn gather(
    shop: &Shop,
    buyers: Vec<Buyer>,
    keep_holds: bool,
    bar: &ProgressBar,
) -> anyhow::Result<Evidence> {
    if !keep_holds {
        wait_for_expiry(shop, bar).await?;
    }
    bar.set_message("reading the ledger");
    let records = records(shop).await?;
    let drop_id: Uuid = shop.drop_id.parse().context("drop id")?;
    let chain_fault = livedrop::ledger::verify_chain(drop_id, &records).err().map(|fault| fault.to_string());
    bar.set_message("reading all orders");
    let mut owners: Vec<(&Login, &str)> = Vec::new();
    for buyer in &buyers {
        let placed = buyer.notes.iter().flat_map(|purchase| &purchase.placed);
        owners.extend(placed.map(|placed| (&buyer.login, placed.order_id.as_str())));
    }
    owners.sort_unstable_by_key(|(_, order_id)| *order_id);
    owners.dedup_by_key(|(_, order_id)| *order_id);
    let orders = orders(shop, &owners, bar).await?;
    bar.set_message("checking receipts");
    let receipt_faults = receipt_faults(shop, &owners, &records).await?;
    Ok(Evidence {
        items: shop.items.clone(),
        records,
        chain_fault,
        orders,
        drop: drop(shop).await?,
        receipt_faults,
        buyers: buyers.into_iter().map(|buyer| (buyer.login.account_id, buyer.notes)).collect(),
    })
}

async fn drop(shop: &Shop) -> anyhow::Result<Drop> {
    let client = DropServiceClient::new(shop.channels.first().context("no connection")?.clone());
    let request = GetDropRequest { drop_id: shop.drop_id.clone() };
    let response = call(shop.deadline, async || client.clone().get_drop(request.clone()).await).await?;
    response.drop.context("no drop")
}

/// Until the server has released every hold: at `expires_at` and some seconds.
async fn wait_for_expiry(shop: &Shop, bar: &ProgressBar) -> anyhow::Result<()> {
    loop {
        let held: i64 = drop(shop).await?.items.iter().filter_map(|item| item.stock).map(|stock| stock.held).sum();
        if held == 0 {
            return Ok(());
        }
        bar.set_message(format!("waiting for holds to expire: {held} units still held"));
        anyhow::ensure!(tokio::time::Instant::now() < shop.deadline, "{held} units are still held at the end");
        sleep(Duration::from_millis(500)).await;
    }
}

async fn records(shop: &Shop) -> anyhow::Result<Vec<LedgerRecord>> {
    let client = DropServiceClient::new(shop.channels.first().context("no connection")?.clone());
    // Records are larger than most messages, and this client trusts its server.
    let client = client.max_decoding_message_size(64 << 20);
    let mut request =
        ListLedgerRecordsRequest { drop_id: shop.drop_id.clone(), page_size: 200, page_token: String::new() };
    let mut records = Vec::new();
    loop {
        let page = call(shop.deadline, async || client.clone().list_ledger_records(request.clone()).await);
        let page = page.await.context("reading the ledger")?;
        records.extend(page.records);
        if page.next_page_token.is_empty() {
            return Ok(records);
        }
        request.page_token = page.next_page_token;
    }
}

/// Every order as its buyer sees it; one that is unknown is left out.
async fn orders(
    shop: &Shop,
    owners: &[(&Login, &str)],
    bar: &ProgressBar,
) -> anyhow::Result<HashMap<String, Order>> {
    bar.set_length(owners.len() as u64);
    let reads = owners.iter().zip(shop.channels.iter().cycle()).map(|((login, order_id), channel)| {
        let client = OrderServiceClient::new(channel.clone());
        let request =
            GetOrderRequest { drop_id: shop.drop_id.clone(), order_id: (*order_id).to_owned(), min_seq: i64::MAX };
        async move {
            let read = call(shop.deadline, async || {
                client.clone().get_order(authorized(&login.token, request.clone())).await
            });
            let order = match read.await {
                Ok(response) => response.order,
                Err(error) if error.to_string().contains("ORDER_NOT_FOUND") => None,
                Err(error) => return Err(error.context("reading an order")),
            };
            bar.inc(1);
            Ok(order.map(|order| ((*order_id).to_owned(), order)))
        }
    });
    let orders = stream::iter(reads).buffer_unordered(READS_IN_FLIGHT);
    orders.try_filter_map(async |order| Ok(order)).try_collect().await
}

/// Verifies receipts offline and finds their records in the ledger.
async fn receipt_faults(
    shop: &Shop,
    owners: &[(&Login, &str)],
    records: &[LedgerRecord],
) -> anyhow::Result<Vec<String>> {
    let step = owners.len().div_ceil(RECEIPTS_MAX).max(1);
    let mut faults = Vec::new();
    for ((login, order_id), channel) in owners.iter().step_by(step).zip(shop.channels.iter().cycle()) {
        let client = OrderServiceClient::new(channel.clone());
        let request = GetReceiptRequest { drop_id: shop.drop_id.clone(), order_id: (*order_id).to_owned() };
        let response = call(shop.deadline, async || {
            client.clone().get_receipt(authorized(&login.token, request.clone())).await
        });
        let receipt = match response.await {
            Ok(response) => response.receipt.unwrap_or_default(),
            Err(error) => {
                faults.push(format!("of order {order_id}: {error:#}"));
                continue;
            }
        };
        match livedrop::receipt::verify(&receipt) {
            Err(error) => faults.push(format!("of order {order_id}: {error}")),
            Ok(proven) if proven.order_id.to_string() != *order_id => {
                faults.push(format!("of order {order_id}: it proves order {}", proven.order_id));
            }
            Ok(proven) if !records.iter().any(|record| proven.is_in(record)) => {
                faults.push(format!("of order {order_id}: its record is not in the ledger"));
            }
            Ok(_) => {}
        }
    }
    Ok(faults)
}

/// How many orders are in a state.
pub(crate) fn in_state(evidence: &Evidence, state: OrderState) -> usize {
    evidence.orders.values().filter(|order| order.state() == state).count()
}
