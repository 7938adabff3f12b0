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
use livedrop_proto::internal::v1::{EntryPrivate, entry_private::Detail};
use prost::Message;

use super::{buyer::Buyer, notes::Return, shop::Shop, verdict::Evidence};

/// Reads in flight.
const READS_IN_FLIGHT: usize = 64;
/// Receipts that are checked where no money moved; each is a proof of its own, so a sample will do.
const RECEIPTS_MAX: usize = 200;

/// Who was told of which order.
type Owned<'a> = (&'a Client, &'a str);

/// Fetches everything.
pub(crate) async fn gather(
    shop: &Shop,
    buyers: Vec<Buyer>,
    returns: Vec<Return>,
    bar: &ProgressBar,
) -> anyhow::Result<Evidence> {
    let client = shop.connections.first().context("no connection")?;
    bar.set_message("reading the ledger");
    let records = records(shop).await?;
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
    let receipts = Receipts::check(shop, &owned, &orders, &records).await;
    let listed = listed_orders(shop).await?;
    bar.set_message("reading the buyers' lists");
    let own_lists = own_lists(shop, &buyers, bar).await?;
    Ok(Evidence {
        items: shop.items.clone(),
        limit_per_buyer: shop.limit_per_buyer,
        fate: shop.fate,
        records,
        chain_fault: chain.err().map(|fault| fault.to_string()),
        orders,
        listed: listed
            .into_iter()
            .map(|order| (order.order_id.clone(), order))
            .collect(),
        own_lists,
        drop: newest_drop(shop, client).await?,
        receipt_faults: receipts.faults,
        sales: receipts.sales,
        returns,
        payments: None,
        buyers: buyers
            .into_iter()
            .map(|buyer| (buyer.login.account_id, buyer.notes))
            .collect(),
    })
}

/// The whole ledger.
pub(crate) async fn records(shop: &Shop) -> anyhow::Result<Vec<LedgerRecord>> {
    let mut records = Vec::new();
    let mut pages = shop.creator.client.ledger_pages(shop.drop_id.as_str());
    while let Some(page) = pages.next().await.context("reading the ledger")? {
        records.extend(page);
    }
    Ok(records)
}

/// All orders as the drop's creator lists them.
pub(crate) async fn listed_orders(shop: &Shop) -> anyhow::Result<Vec<Order>> {
    let mut orders = Vec::new();
    let mut pages = shop.creator.client.drop_order_pages(shop.drop_id.as_str());
    while let Some(page) = pages.next().await.context("listing the orders")? {
        orders.extend(page);
    }
    Ok(orders)
}

/// The drop's orders as each buyer lists their own, with the account. `None` for a crowd that is there to measure speed.
async fn own_lists(
    shop: &Shop,
    buyers: &[Buyer],
    bar: &ProgressBar,
) -> anyhow::Result<Option<HashMap<String, (String, Order)>>> {
    if !shop.is_judged_by_rows {
        return Ok(None);
    }
    // Who is twice in a crowd has one list.
    let mut accounts: HashMap<&str, &Client> = HashMap::new();
    for buyer in buyers {
        accounts.insert(&buyer.login.account_id, &buyer.login.client);
    }
    bar.set_length(accounts.len() as u64);
    bar.set_position(0);
    let reads = accounts.into_iter().map(async |(account_id, client)| {
        let (mut pages, mut orders) = (client.order_pages(), Vec::new());
        while let Some(page) = pages.next().await.context("listing a buyer's orders")? {
            let of_drop = page.into_iter().filter(|it| it.drop_id == shop.drop_id);
            orders.extend(of_drop.map(|it| (it.order_id.clone(), (account_id.to_owned(), it))));
        }
        bar.inc(1);
        anyhow::Ok(stream::iter(orders.into_iter().map(anyhow::Ok)))
    });
    let lists = stream::iter(reads).buffer_unordered(READS_IN_FLIGHT);
    lists.try_flatten().try_collect().await.map(Some)
}

async fn newest_drop(shop: &Shop, client: &Client) -> anyhow::Result<Drop> {
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

/// What receipts prove.
#[derive(Debug, Default)]
struct Receipts {
    faults: Vec<String>,
    /// By which attempt each order was sold; 0 = for nothing.
    sales: HashMap<String, i32>,
}

impl Receipts {
    /// Verifies receipts offline and finds their records in the ledger: of all orders about which money moved, and of some others.
    async fn check(
        shop: &Shop,
        owned: &[Owned<'_>],
        orders: &HashMap<String, Order>,
        records: &[LedgerRecord],
    ) -> Self {
        let step = owned.len().div_ceil(RECEIPTS_MAX).max(1);
        let wanted = owned.iter().enumerate().filter(|(number, (_, order_id))| {
            number.is_multiple_of(step) || orders.get(*order_id).is_some_and(was_sold)
        });
        let checks = wanted.map(async |(_, (client, order_id))| {
            let sale = check_receipt(shop, client, order_id, records).await;
            ((*order_id).to_owned(), sale)
        });
        let mut receipts = Self::default();
        let mut checked = stream::iter(checks).buffer_unordered(READS_IN_FLIGHT);
        while let Some((order_id, sale)) = checked.next().await {
            match sale {
                Ok(Some(attempt)) => drop(receipts.sales.insert(order_id, attempt)),
                Ok(None) => {}
                Err(fault) => receipts
                    .faults
                    .push(format!("of order {order_id}: {fault:#}")),
            }
        }
        receipts
    }
}

/// Whether the order is sold, or may have been before its money went back.
fn was_sold(order: &Order) -> bool {
    let total = order.total.as_ref().map_or(0, |total| total.amount_minor);
    match order.state() {
        OrderState::Paid => total > 0,
        OrderState::RefundPending | OrderState::Refunded => true,
        OrderState::Unspecified
        | OrderState::Held
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::Cancelled
        | OrderState::Expired => false,
    }
}

/// By which attempt the order was sold; `None` if its receipt is that of a hold.
async fn check_receipt(
    shop: &Shop,
    client: &Client,
    order_id: &str,
    records: &[LedgerRecord],
) -> anyhow::Result<Option<i32>> {
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
    let seq = usize::try_from(proven.seq).unwrap_or_default();
    let record = records.get(seq.saturating_sub(1));
    ensure!(
        record.is_some_and(|record| proven.is_in(record)),
        "its record is not in the ledger"
    );
    // The bytes are proven above; which attempt captured stands in the private part.
    match EntryPrivate::decode(receipt.private)?.detail {
        Some(Detail::Sold(sold)) => Ok(Some(sold.attempt)),
        Some(Detail::SoldLate(sold)) => Ok(Some(sold.attempt)),
        _ => Ok(None),
    }
}

impl Evidence {
    /// When each order was answered for the first time, after the opening; ascending.
    pub(crate) fn sales_at(&self) -> Vec<Duration> {
        let purchases = self.buyers.iter().flat_map(|(_, notes)| notes);
        let placed = purchases.flat_map(|purchase| &purchase.placed);
        let mut first: HashMap<&str, Duration> = HashMap::new();
        for placed in placed {
            let at = first.entry(&placed.order_id).or_insert(placed.at);
            *at = placed.at.min(*at);
        }
        let mut times: Vec<Duration> = first.into_values().collect();
        times.sort_unstable();
        times
    }
}

/// How many orders are in a state.
pub(crate) fn in_state(evidence: &Evidence, state: OrderState) -> usize {
    evidence
        .orders
        .values()
        .filter(|order| order.state() == state)
        .count()
}
