//! Changing a drop: all of it until its terms are frozen, then what the ledger does not hold.
//!
//! A change and the freeze are compare-and-sets of the same row, so exactly one of two that meet comes first, and the other looks again.

use std::{sync::Arc, time::Duration};

use super::{
    Context, Error, Result, Violation,
    drop_items::{self, Offer, ScheduleItem},
    drops::{self, DropDetails},
    refusals,
};
use crate::{
    domain::{
        AccountId, Currency, DropId, ItemId, Timestamp,
        drop::{Drop, Item},
        reason::Reason,
    },
    ledger::Refusal,
    store::{
        Cas, StoreError,
        drops::{DropTime, DropTimeKey},
        projections::DropState,
    },
};

/// What is to be changed of a drop; `None` leaves it as it is.
#[derive(Debug, Clone)]
pub struct UpdateDrop {
    /// Which drop.
    pub drop_id: DropId,
    /// The version that the change is made for.
    pub etag: Option<String>,
    /// What people read.
    pub title: Option<String>,
    /// What people read below the title.
    pub description: Option<String>,
    /// All that is to be sold, and the currency of the prices that are given.
    pub items: Option<(Option<Currency>, Vec<UpdateItem>)>,
    /// Most units per buyer; 0 = no limit.
    pub limit_per_buyer: Option<i32>,
    /// When selling starts; past: now.
    pub opens_at: Option<Timestamp>,
    /// When selling stops.
    pub ends_at: Option<Timestamp>,
    /// How long an unpaid order keeps its units.
    pub hold: Option<Duration>,
    /// An item is low when this many units or fewer are available; 0 = never.
    pub low_stock_threshold: Option<i64>,
}

/// An item of a changed drop.
#[derive(Debug, Clone)]
pub struct UpdateItem {
    /// The item that it is; `None`: a new one, unless it is as the one at its place.
    pub item_id: Option<ItemId>,
    /// What it is to be like.
    pub item: ScheduleItem,
}

impl UpdateDrop {
    /// The row as it is to be.
    fn apply(
        &self,
        row: &Drop,
        offer: Option<&Offer>,
        now: Timestamp,
        new_id: impl Fn() -> ItemId,
    ) -> std::result::Result<Drop, Vec<Violation>> {
        let mut next = row.clone();
        let mut violations = Vec::new();
        set(&mut next.title, self.title.as_ref());
        set(&mut next.description, self.description.as_ref());
        set(&mut next.limit_per_buyer, self.limit_per_buyer.as_ref());
        set(&mut next.ends_at, self.ends_at.as_ref());
        set(&mut next.hold, self.hold.as_ref());
        set(
            &mut next.low_stock_threshold,
            self.low_stock_threshold.as_ref(),
        );
        if let Some(((_, wishes), offer)) = self.items.as_ref().zip(offer) {
            next.currency = offer.currency;
            next.items = items(wishes, offer, row, new_id, &mut violations);
        }
        if let Some(opens_at) = self.opens_at
            // A drop that is to open now, and has opened, is as wished: so is a repeat of the call that opened it.
            && (opens_at > now || row.opens_at > now)
        {
            next.opens_at = opens_at.max(now);
        }
        if (next.opens_at, next.ends_at) != (row.opens_at, row.ends_at) {
            let opens_at = Some(next.opens_at);
            violations.extend(drops::time_violations(opens_at, next.ends_at, now));
        }
        if violations.is_empty() {
            Ok(next)
        } else {
            Err(violations)
        }
    }
}

fn set<T: Clone>(field: &mut T, wish: Option<&T>) {
    if let Some(wish) = wish {
        field.clone_from(wish);
    }
}

/// The items of the changed drop, each with its id.
fn items(
    wishes: &[UpdateItem],
    offer: &Offer,
    row: &Drop,
    new_id: impl Fn() -> ItemId,
    violations: &mut Vec<Violation>,
) -> Vec<Item> {
    let is_named = |id: ItemId| wishes.iter().any(|it| it.item_id == Some(id));
    let mut items = Vec::with_capacity(wishes.len());
    let complete = wishes.iter().zip(&offer.items).enumerate();
    for (i, (UpdateItem { item_id, .. }, item)) in complete {
        let id = match item_id {
            Some(id) if row.items.iter().any(|known| known.item_id == *id) => *id,
            Some(_) => {
                violations.push(refusals::unknown_item(format!("items[{i}].item_id")));
                continue;
            }
            None => {
                let same = row.items.get(i).filter(|known| {
                    !is_named(known.item_id) && item.clone().into_item(known.item_id) == **known
                });
                same.map_or_else(&new_id, |known| known.item_id)
            }
        };
        items.push(item.clone().into_item(id));
    }
    items
}

/// Changes a drop.
///
/// # Errors
/// As `UpdateDrop` of the contract.
pub async fn update(
    ctx: &Context,
    caller: AccountId,
    wish: UpdateDrop,
    time_left: Duration,
) -> Result<DropDetails> {
    let drop_id = wish.drop_id;
    let mut offer = None;
    for _ in 0..drops::TRIES_MAX {
        let details = newest(ctx, drop_id, time_left).await?;
        let row = &*details.drop;
        drops::owns(caller, row.creator_id, drop_id)?;
        if offer.is_none() {
            offer = self::offer(ctx, caller, &wish).await?;
        }
        let new_id = || ItemId::new(ctx.env.uuid());
        let next = wish.apply(row, offer.as_ref(), ctx.env.now(), new_id);
        if next.as_ref().is_ok_and(|next| next == row) {
            return Ok(details);
        }
        let are_terms_changed = next
            .as_ref()
            .map_or(true, |next| has_other_terms(next, row));
        allowed(&details, are_terms_changed)?;
        if wish.etag.as_ref().is_some_and(|etag| *etag != row.etag()) {
            return Err(stale(drop_id));
        }
        let mut next = next.map_err(Error::Invalid)?;
        next.version += 1;
        next.op_id = ctx.env.uuid();
        // Later than the row's: of two writes of `drops_by_time` that of the later change stays.
        next.changed_at = ctx.env.now().max(row.changed_at + Duration::from_micros(1));
        match write(ctx, row, &next).await? {
            Cas::Done => return changed(ctx, details.clone(), next, time_left).await,
            // Frozen, cancelled or changed meanwhile: look again.
            Cas::Stale(_) => {}
        }
    }
    Err(Error::outrun("drop"))
}

/// The items that are wished for, complete.
async fn offer(ctx: &Context, creator_id: AccountId, wish: &UpdateDrop) -> Result<Option<Offer>> {
    let Some((currency, items)) = &wish.items else {
        return Ok(None);
    };
    let items: Vec<ScheduleItem> = items.iter().map(|it| it.item.clone()).collect();
    let offer = drop_items::offer(ctx, creator_id, *currency, &items, ".item", Vec::new());
    offer.await.map(Some)
}

/// The drop with all that any process has written by now.
async fn newest(ctx: &Context, drop_id: DropId, time_left: Duration) -> Result<DropDetails> {
    if let Some(sealed) = drops::sealed(ctx, drop_id).await? {
        return Ok(sealed);
    }
    // Freezes what is to be frozen, and returns after the ledger has taken the terms over: their version is not that of a later text.
    let mut details = drops::newest(ctx, drop_id, time_left).await?;
    if details.ledger.is_some()
        && let Some(row) = ctx.store.get_drop(drop_id).await?
    {
        details.drop = Arc::new(row);
    }
    Ok(details)
}

/// Whether more differs than what people read.
fn has_other_terms(next: &Drop, row: &Drop) -> bool {
    let texts_aside = Drop {
        title: row.title.clone(),
        description: row.description.clone(),
        ..next.clone()
    };
    texts_aside != *row
}

fn allowed(details: &DropDetails, are_terms_changed: bool) -> Result<()> {
    let drop_id = details.drop.drop_id;
    match details.state() {
        DropState::Ended => Err(refusals::refused(drop_id, None, Refusal::Ended)),
        DropState::Cancelled => Err(refusals::refused(drop_id, None, Refusal::DropCancelled)),
        DropState::Scheduled | DropState::Live => {
            if are_terms_changed && details.drop.is_frozen() {
                return Err(Error::Refused {
                    reason: Reason::DropFrozen,
                    message: "the drop's terms are frozen: title and description can be changed"
                        .to_owned(),
                    metadata: vec![("dropId", drop_id.to_string())],
                });
            }
            Ok(())
        }
    }
}

fn stale(drop_id: DropId) -> Error {
    Error::Refused {
        reason: Reason::StaleEtag,
        message: "the drop has changed: read it again".to_owned(),
        metadata: vec![("dropId", drop_id.to_string())],
    }
}

/// Replaces the row. If selling starts at another time, the list of times says so before: a row that no timer finds would never open.
async fn write(
    ctx: &Context,
    row: &Drop,
    next: &Drop,
) -> std::result::Result<Cas<Drop>, StoreError> {
    let list = async {
        if next.opens_at == row.opens_at {
            return Ok(());
        }
        let key = DropTimeKey {
            opens_at: next.opens_at,
            drop_id: next.drop_id,
        };
        let ends_at = next.ends_at;
        // As of the change before: what a change that comes to nothing writes must not outlive the row's own, which comes after it.
        ctx.store
            .put_drop_time(DropTime { key, ends_at }, row.changed_at)
            .await
    };
    let begin = ctx.outbox.begin(drops::entity(next.drop_id), next.op_id);
    let (begun, ()) = futures::future::try_join(begin, list).await?;
    begun.run(ctx.store.update_drop(next)).await
}

/// Tells those who have the drop in memory, and answers with it.
async fn changed(
    ctx: &Context,
    details: DropDetails,
    next: Drop,
    time_left: Duration,
) -> Result<DropDetails> {
    let drop_id = next.drop_id;
    if !next.is_frozen() {
        ctx.timer.arm(&next);
        ctx.drop_watches.row_changed(drop_id);
        // Freezes it if that is due by now.
        return drops::get(ctx, drop_id, time_left).await;
    }
    let drop = Arc::new(next);
    if let Some(ledger) = ctx.ledgers.opened(drop_id) {
        ledger.renew(Arc::clone(&drop));
    }
    ctx.drop_watches.row_changed(drop_id);
    Ok(DropDetails {
        drop,
        ledger: details.ledger,
    })
}

#[cfg(test)]
#[path = "drop_update_tests.rs"]
mod tests;
