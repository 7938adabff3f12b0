//! Deleting an account: refused while anything of it is open, then marked. What is left of the person is erased by what follows the change
//! (`jobs/outbox/erase.rs`), whatever dies in between.

use super::{Context, Error, Result, accounts, order_lists, profile::entity};
use crate::{
    auth::Caller,
    domain::{AccountId, DropId, OrderId, account::Password, order::OrderState, reason::Reason},
    store::{Cas, Order, PageRequest, outbox::EntityKind},
};

/// What is open is counted so far.
const OPEN_MAX: usize = 100;
/// Rows read at a time.
const PAGE: usize = 100;
const TRIES_MAX: usize = 16;

/// Deletes the caller's account.
///
/// An order or a drop that another call makes at the same moment may outlive it: ledgers need no more than the account's id.
///
/// # Errors
/// `ACCOUNT_IN_USE`, `WRONG_PASSWORD`, `ACCOUNT_NOT_FOUND`.
pub async fn delete_account(ctx: &Context, caller: Caller, password: &Password) -> Result<()> {
    let account_id = caller.account_id;
    for _ in 0..TRIES_MAX {
        let mut account = accounts::own_account(ctx, caller).await?;
        let hash = account.password_hash.as_str();
        if !ctx.passwords.verify(password, Some(hash)).await? {
            return Err(Error::refused(Reason::WrongPassword, "wrong password"));
        }
        let open_orders = open_orders(ctx, account_id).await?;
        let open_drops = open_drops(ctx, account_id).await?;
        if !open_orders.is_empty() || !open_drops.is_empty() {
            return Err(in_use(&open_orders, &open_drops));
        }
        account.version += 1;
        account.op_id = ctx.env.uuid();
        account.display_name = String::new();
        account.password_hash = String::new();
        let update = ctx.store.update_account(&account);
        let entity = entity(EntityKind::Account, account_id);
        match ctx.outbox.change(entity, account.op_id, update).await? {
            Cas::Done => {
                ctx.tokens.end(account_id);
                return Ok(());
            }
            Cas::Stale(_) => {}
        }
    }
    Err(Error::outrun("row"))
}

/// Orders that something is still to come of.
async fn open_orders(ctx: &Context, buyer_id: AccountId) -> Result<Vec<OrderId>> {
    use OrderState::{
        ActionRequired, Cancelled, Expired, Held, Paid, PaymentPending, PaymentUnknown,
        RefundPending, Refunded,
    };
    let is_open = |state| match state {
        Held | PaymentPending | PaymentUnknown | ActionRequired | RefundPending => true,
        Paid | Cancelled | Expired | Refunded => false,
    };
    let (mut open, mut from) = (Vec::new(), None);
    loop {
        let page = order_lists::of_buyer(ctx, buyer_id, from, PAGE).await?;
        let found = page.orders.iter().filter(|order| is_open(order.state));
        open.extend(found.map(|order| order.order_id));
        from = page.next;
        if from.is_none() || open.len() >= OPEN_MAX {
            return Ok(open);
        }
    }
}

/// Drops that may still sell, or whose orders may still change.
async fn open_drops(ctx: &Context, creator_id: AccountId) -> Result<Vec<DropId>> {
    let (mut open, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest {
            after,
            limit: PAGE,
            order: Order::Descending,
        };
        let listed = ctx.store.list_creator_drops(creator_id, page).await?;
        for (_, drop_id) in &listed {
            if is_open(ctx, *drop_id).await? {
                open.push(*drop_id);
            }
        }
        after = listed.last().copied();
        if after.is_none() || open.len() >= OPEN_MAX {
            return Ok(open);
        }
    }
}

async fn is_open(ctx: &Context, drop_id: DropId) -> Result<bool> {
    if let Some(status) = ctx.store.get_drop_status(drop_id).await? {
        return Ok(!status.is_sealed);
    }
    // Not frozen, or hardly. One that is listed and not there was never made.
    let found = ctx.store.get_drop(drop_id).await?;
    Ok(found.is_some_and(|drop| !drop.cancelled))
}

fn in_use(orders: &[OrderId], drops: &[DropId]) -> Error {
    let mut metadata = vec![
        ("openOrders", orders.len().min(OPEN_MAX).to_string()),
        ("openDrops", drops.len().min(OPEN_MAX).to_string()),
    ];
    metadata.extend(orders.first().map(|id| ("orderId", id.to_string())));
    metadata.extend(drops.first().map(|id| ("dropId", id.to_string())));
    Error::Refused {
        reason: Reason::AccountInUse,
        message: "finish your orders and end your drops first".to_owned(),
        metadata,
    }
}
