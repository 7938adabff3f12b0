//! Lists of orders: a buyer's month by month, a drop's segment by segment, the newest first. Projectors write them, so they may lag.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Context, Error, Result, drops};
use crate::{
    domain::{AccountId, DropId, OrderId, reason::Reason},
    ledger::rows::SEGMENT,
    store::{
        Order, PageRequest,
        orders::{OrderKey, OrderRow},
    },
};

/// Months that one page looks through: two years, each a read even if it is empty.
const MONTHS_MAX: i32 = 24;
/// Segments that one page looks through.
const SEGMENTS_MAX: u64 = 64;
/// Rows read at once.
const ROWS_AT_ONCE: usize = 16;
/// How far the clock of the server that placed an order may be ahead of ours.
const CLOCKS_APART: Duration = Duration::from_secs(60 * 60);

/// Where a list of a buyer's orders goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthPlace {
    /// In this UTC month since 1970-01.
    pub month: i32,
    /// After this order; `None` = from the month's end on.
    pub after: Option<OrderKey>,
}

/// Where a list of a drop's orders goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPlace {
    /// In this segment of the ledger.
    pub segment: u64,
    /// After this order; `None` = from the segment's end on.
    pub after: Option<OrderId>,
}

/// A page of orders.
#[derive(Debug)]
pub struct OrdersPage<P> {
    /// The newest first; may be fewer than wanted, even none.
    pub orders: Vec<OrderRow>,
    /// Where it goes on; `None` = there are no more.
    pub next: Option<P>,
}

/// The caller's orders of all drops.
///
/// # Errors
/// As `ListOrders` of the contract.
pub async fn of_buyer(
    ctx: &Context,
    caller: AccountId,
    from: Option<MonthPlace>,
    size: usize,
) -> Result<OrdersPage<MonthPlace>> {
    let account = ctx.account(caller).await?;
    let account =
        account.ok_or_else(|| Error::not_found(Reason::AccountNotFound, "account", caller))?;
    // Nobody buys before having an account.
    let first = (account.created_at - CLOCKS_APART).month();
    let newest = MonthPlace {
        month: (ctx.env.now() + CLOCKS_APART).month(),
        after: None,
    };
    let mut place = from.unwrap_or(newest);
    let last = first.max(place.month.saturating_sub(MONTHS_MAX - 1));
    let mut keys = Vec::with_capacity(size);
    while keys.len() < size && place.month >= last {
        let page = PageRequest {
            after: place.after,
            limit: size - keys.len(),
            order: Order::Descending,
        };
        let found = ctx
            .store
            .list_buyer_orders(caller, place.month, page)
            .await?;
        place = match found.last() {
            Some(last) => MonthPlace {
                after: Some(last.key),
                ..place
            },
            // Only an empty page is the month's end.
            None => MonthPlace {
                month: place.month - 1,
                after: None,
            },
        };
        keys.extend(found.into_iter().map(|it| it.key.order_id));
    }
    Ok(OrdersPage {
        orders: rows(ctx, keys).await?,
        next: (place.month >= first).then_some(place),
    })
}

/// All orders of a drop of the caller's.
///
/// # Errors
/// As `ListDropOrders` of the contract.
pub async fn of_drop(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    from: Option<SegmentPlace>,
    size: usize,
) -> Result<OrdersPage<SegmentPlace>> {
    drops::owned(ctx, caller, drop_id).await?;
    let mut place = match from {
        Some(place) => Some(place),
        None => {
            let status = ctx.store.get_drop_status(drop_id).await?;
            status.map(|status| SegmentPlace {
                segment: status.seq / SEGMENT,
                after: None,
            })
        }
    };
    let mut ids = Vec::with_capacity(size);
    let mut segments_left = SEGMENTS_MAX;
    while let Some(SegmentPlace { segment, after }) = place
        && ids.len() < size
        && segments_left > 0
    {
        let page = PageRequest {
            after,
            limit: size - ids.len(),
            order: Order::Descending,
        };
        let found = ctx.store.list_drop_orders(drop_id, segment, page).await?;
        place = match found.last() {
            Some(last) => Some(SegmentPlace {
                segment,
                after: Some(*last),
            }),
            None => {
                segments_left -= 1;
                segment.checked_sub(1).map(|segment| SegmentPlace {
                    segment,
                    after: None,
                })
            }
        };
        ids.extend(found);
    }
    Ok(OrdersPage {
        orders: rows(ctx, ids).await?,
        next: place,
    })
}

/// The rows of these orders, in their order. One that is listed and not there yet comes with a later read.
async fn rows(ctx: &Context, ids: Vec<OrderId>) -> Result<Vec<OrderRow>> {
    let rows = stream::iter(ids)
        .map(|order_id| ctx.store.get_order(order_id))
        .buffered(ROWS_AT_ONCE);
    let rows: Vec<Option<OrderRow>> = rows.try_collect().await?;
    Ok(rows.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
