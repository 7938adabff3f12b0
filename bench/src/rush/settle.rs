//! After the rush: waits until the server has ended everything by itself, with no client asking for anything.

use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use livedrop::v1::{LedgerEntryKind, LedgerRecord, Order, OrderState};
use tokio::time::{Instant, sleep};

use super::{evidence, shop::Shop};

/// Without the provider's books: nothing may change for so long. A failed payment that captures all the same does so after 3 s.
const QUIET: Duration = Duration::from_secs(5);
/// Longer than any hold, payment or repeated webhook needs here: what is open then never ends, and the verdict says so.
const WAIT_MAX: Duration = Duration::from_secs(150);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long it took, and what is open all the same.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Until nothing was open any more, or the wait was given up.
    pub(crate) took: Duration,
    /// What never ended.
    pub(crate) open: Vec<String>,
}

/// Waits, not for ever, until no order of these drops is open, no refund is on its way and the provider has nothing more to say.
pub(crate) async fn wait(shops: &[&Shop], bar: &ProgressBar) -> anyhow::Result<Settled> {
    let start = Instant::now();
    let mut settled = Settled::default();
    for shop in shops {
        while let Some(open) = open(shop).await? {
            if start.elapsed() > WAIT_MAX {
                settled.open.push(open);
                break;
            }
            bar.set_message(format!("waiting: {open}"));
            sleep(LOOK_EVERY).await;
        }
    }
    settled.took = start.elapsed();
    Ok(settled)
}

/// What is not settled yet.
async fn open(shop: &Shop) -> anyhow::Result<Option<String>> {
    let orders = evidence::listed_orders(shop).await?;
    let open = orders.iter().filter(|order| is_open(order)).count();
    if open > 0 {
        return Ok(Some(format!("{open} orders are open")));
    }
    let books = shop.provider.books()?;
    if books.as_ref().is_some_and(|books| !books.is_quiet()) {
        return Ok(Some("the provider goes on".to_owned()));
    }
    let records = evidence::records(shop).await?;
    let refunds = count(&records, LedgerEntryKind::RefundStarted)
        - count(&records, LedgerEntryKind::Refunded);
    if refunds > 0 {
        return Ok(Some(format!("{refunds} refunds are open")));
    }
    if books.is_none() {
        sleep(QUIET).await;
    }
    // What the provider said last may have changed an order after it was listed.
    let last = records.last().context("an empty ledger")?.seq;
    let again = evidence::listed_orders(shop).await?;
    let is_same = again == orders && again.iter().all(|order| order.seq <= last);
    Ok((!is_same).then(|| "orders change".to_owned()))
}

fn count(records: &[LedgerRecord], kind: LedgerEntryKind) -> usize {
    let entries = records.iter().flat_map(|record| &record.entries);
    entries.filter(|entry| entry.kind() == kind).count()
}

fn is_open(order: &Order) -> bool {
    match order.state() {
        OrderState::Held
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::RefundPending
        | OrderState::Unspecified => true,
        OrderState::Paid | OrderState::Cancelled | OrderState::Expired | OrderState::Refunded => {
            false
        }
    }
}
