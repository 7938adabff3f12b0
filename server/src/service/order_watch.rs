//! Watching an order: every version of it, in order, none skipped.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{Context, Error, Result, orders, refusals};
use crate::{
    domain::{AccountId, DropId, OrderId, reason::Reason},
    ledger::{
        LedgerError, OrderView, Terms,
        state::Order,
        watches::{OrderChanges, versions_after},
    },
    store::orders::{LedgerPlace, OrderRow},
};

/// How long a watch may take to find its ledger again.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);

/// Watches one order.
#[derive(Debug)]
pub struct OrderWatch {
    ctx: Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    terms: Arc<Terms>,
    changes: OrderChanges,
    /// What was read when the watch began; taken by the first look.
    first: Option<OrderView>,
    /// The last version that was given.
    seen: Option<LedgerPlace>,
    waiting: VecDeque<Arc<Order>>,
}

impl OrderWatch {
    /// Watches an order of the caller, or of the caller's drop. [`next`](Self::next) gives its present version first.
    ///
    /// # Errors
    /// As `WatchOrder` of the contract.
    pub async fn begin(
        ctx: &Context,
        caller: AccountId,
        drop_id: DropId,
        order_id: OrderId,
        time_left: Duration,
    ) -> Result<Self> {
        let (changes, first) = look(ctx, caller, drop_id, order_id, time_left).await?;
        Ok(Self {
            ctx: ctx.clone(),
            caller,
            drop_id,
            order_id,
            terms: first.terms.clone(),
            changes,
            waiting: VecDeque::from([first.order.clone()]),
            seen: Some(first.order.updated.into()),
            first: Some(first),
        })
    }

    /// Goes on after `place`: [`next`](Self::next) gives all later versions.
    ///
    /// # Errors
    /// `RESUME_TOKEN_EXPIRED` if the order has no version at `place`.
    pub fn starting_after(mut self, place: LedgerPlace) -> Result<Self> {
        let Some(newest) = self.waiting.pop_back() else {
            return Ok(self);
        };
        let known = |order: &Arc<Order>| LedgerPlace::from(order.updated) == place;
        let mut version = Some(&newest);
        while let Some(order) = version.filter(|order| !known(order)) {
            version = order.previous.as_ref();
        }
        if version.is_none() {
            let message = "the order is not known at this place: watch it from the start";
            return Err(Error::refused(Reason::ResumeTokenExpired, message));
        }
        self.waiting = versions_after(&newest, Some(place)).into();
        Ok(self)
    }

    /// The next version.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the ledger can't be followed; watch again from the last place.
    pub async fn next(&mut self) -> Result<OrderRow> {
        loop {
            if let Some(order) = self.waiting.pop_front() {
                return Ok(order.row(self.drop_id, &self.terms));
            }
            let newest = self.changed().await?;
            self.waiting = versions_after(&newest, self.seen).into();
            self.seen = self.seen.max(Some(newest.updated.into()));
        }
    }

    /// The newest version, read anew, now and then after each change.
    pub(super) async fn newest(&mut self) -> Result<OrderView> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        self.changed().await?;
        let (ctx, caller) = (&self.ctx, self.caller);
        orders::from_fold(ctx, caller, self.drop_id, self.order_id, AGAIN_WITHIN).await
    }

    async fn changed(&mut self) -> Result<Arc<Order>> {
        loop {
            if let Some(newest) = self.changes.next().await {
                return Ok(newest);
            }
            // The ledger has left memory: open it again, and see what was missed.
            let (ctx, caller) = (&self.ctx, self.caller);
            let (changes, view) =
                look(ctx, caller, self.drop_id, self.order_id, AGAIN_WITHIN).await?;
            self.changes = changes;
            if Some(LedgerPlace::from(view.order.updated)) > self.seen {
                return Ok(view.order);
            }
        }
    }
}

/// Watches first and reads then, so that nothing falls between.
async fn look(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    time_left: Duration,
) -> Result<(OrderChanges, OrderView)> {
    let ledger = match ctx.ledgers.ledger(drop_id).await {
        Ok(ledger) => ledger,
        Err(LedgerError::NotFrozen(_) | LedgerError::UnknownDrop) => {
            return Err(Error::not_found(Reason::OrderNotFound, "order", order_id));
        }
        Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
            return Err(refusals::no_answer(drop_id, error));
        }
    };
    let changes = ledger.watch_order(order_id);
    let view = orders::from_fold(ctx, caller, drop_id, order_id, time_left).await?;
    Ok((changes, view))
}
