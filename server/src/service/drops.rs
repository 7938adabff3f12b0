//! Drops: the row until the terms are frozen, the ledger from then on.

use std::{sync::Arc, time::Duration};

pub use super::drop_items::ScheduleItem;
use super::{
    Context, Error, Result, Violation,
    drop_items::{self, Offer},
    drop_rows, refusals, requests,
    requests::Fingerprint,
};
use crate::{
    domain::{
        AccountId, Currency, DropId, ItemId, RequestId, Timestamp, drop::Drop, reason::Reason,
    },
    ledger::{Answer, Call, Command, DropView, LedgerError, Method},
    store::{
        Cas, Put,
        drops::{DropTime, DropTimeKey},
        outbox::{Entity, EntityKind},
        projections::DropState,
        requests::RequestKey,
    },
};

/// How far ahead a drop may be scheduled.
pub const OPENS_AHEAD_MAX: Duration = Duration::from_secs(366 * 86_400);
/// How long a drop may sell.
pub const OPEN_FOR_MAX: Duration = Duration::from_secs(30 * 86_400);
/// Tries on a row that others change at the same time.
pub(super) const TRIES_MAX: usize = 16;

/// A drop to be made, checked but for what depends on the time of the call.
#[derive(Debug, Clone)]
pub struct ScheduleDrop {
    /// The client's key.
    pub request_id: RequestId,
    /// What people read.
    pub title: String,
    /// What people read below the title.
    pub description: String,
    /// Currency of the prices that are given; `None` if none is.
    pub currency: Option<Currency>,
    /// 1 to 100 items; ids are given when the drop is made.
    pub items: Vec<ScheduleItem>,
    /// Most units per buyer; 0 = no limit.
    pub limit_per_buyer: i32,
    /// When selling starts; `None` or past: now.
    pub opens_at: Option<Timestamp>,
    /// When selling stops.
    pub ends_at: Timestamp,
    /// How long an unpaid order keeps its units.
    pub hold: Duration,
    /// An item is low when this many units or fewer are available; 0 = never.
    pub low_stock_threshold: i64,
}

impl ScheduleDrop {
    fn fingerprint(&self) -> [u8; 32] {
        let currency = self.currency.as_ref().map(Currency::as_str);
        let print = Fingerprint::new("ScheduleDrop")
            .text(&self.title)
            .text(&self.description)
            .text(currency.unwrap_or_default())
            .number(i64::from(self.limit_per_buyer))
            .number(self.opens_at.map_or(0, Timestamp::micros))
            .number(self.ends_at.micros())
            .number(i64::try_from(self.hold.as_micros()).unwrap_or(i64::MAX))
            .number(self.low_stock_threshold);
        drop_items::print(print, &self.items).finish()
    }

    fn into_row(
        self,
        drop_id: DropId,
        creator_id: AccountId,
        op_id: uuid::Uuid,
        now: Timestamp,
        offer: Offer,
    ) -> Drop {
        Drop {
            drop_id,
            creator_id,
            version: 1,
            op_id,
            title: self.title,
            description: self.description,
            currency: offer.currency,
            items: offer.into_items(drop_id),
            limit_per_buyer: self.limit_per_buyer,
            opens_at: self.opens_at.unwrap_or(now).max(now),
            ends_at: self.ends_at,
            hold: self.hold,
            low_stock_threshold: self.low_stock_threshold,
            created_at: now,
            changed_at: now,
            cancelled: false,
            secret: None,
        }
    }
}

/// What is wrong with a drop's times if the call comes `now`.
#[must_use]
pub fn time_violations(
    opens_at: Option<Timestamp>,
    ends_at: Timestamp,
    now: Timestamp,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let opens_at = opens_at.unwrap_or(now).max(now);
    if opens_at > now + OPENS_AHEAD_MAX {
        violations.push(Violation::new("opens_at", "must be at most 366 days ahead"));
    }
    if ends_at <= now {
        violations.push(Violation::new("ends_at", "must be in the future"));
    } else if ends_at <= opens_at {
        violations.push(Violation::new("ends_at", "must be after opens_at"));
    } else if ends_at > opens_at + OPEN_FOR_MAX {
        violations.push(Violation::new(
            "ends_at",
            "must be at most 30 days after opens_at",
        ));
    }
    violations
}

/// A drop with its stock.
#[derive(Debug, Clone)]
pub struct DropDetails {
    /// The row.
    pub drop: Arc<Drop>,
    /// The ledger's view; `None` while the row rules.
    pub ledger: Option<Arc<DropView>>,
}

impl DropDetails {
    /// The newest record that it holds; 0 while the row rules.
    pub(super) fn seq(&self) -> u64 {
        self.ledger.as_ref().map_or(0, |view| view.seq)
    }

    /// Where the drop's life stands.
    #[must_use]
    pub fn state(&self) -> DropState {
        match &self.ledger {
            Some(view) => view.state(),
            None if self.drop.cancelled => DropState::Cancelled,
            None => DropState::Scheduled,
        }
    }

    pub(super) fn is_sold_out(&self) -> bool {
        self.ledger.as_ref().is_some_and(|view| view.is_sold_out)
    }

    /// About how many bytes it takes in an answer.
    pub(super) fn weight(&self) -> usize {
        let drop = &self.drop;
        let items: usize = drop.items.iter().map(|item| item.title.len() + 120).sum();
        drop.title.len() + drop.description.len() + items + 200
    }

    pub(super) fn row(drop: Drop) -> Self {
        Self {
            drop: Arc::new(drop),
            ledger: None,
        }
    }
}

/// Makes a drop. A drop without `opens_at` is live when this returns.
///
/// # Errors
/// As `ScheduleDrop` of the contract.
pub async fn schedule(
    ctx: &Context,
    caller: AccountId,
    wish: ScheduleDrop,
    time_left: Duration,
) -> Result<DropDetails> {
    if ctx.creator(caller).await?.is_none() {
        return Err(Error::refused(Reason::NotCreator, "become a creator first"));
    }
    let now = ctx.env.now();
    let (request_id, fingerprint) = (wish.request_id, wish.fingerprint());
    let key = RequestKey {
        caller_id: Some(caller),
        method: "ScheduleDrop",
        request_id,
    };
    let violations = time_violations(wish.opens_at, wish.ends_at, now);
    let offer = drop_items::offer(ctx, caller, wish.currency, &wish.items, "", violations).await;
    // A late repeat of a call that was fine in its time is answered, not refused. A refused first try claims nothing.
    let offer = match offer {
        Err(refusal) if ctx.store.get_request(&key).await?.is_none() => return Err(refusal),
        offer => offer,
    };
    let claimed = requests::claim(ctx, key, fingerprint, || ctx.env.uuid()).await?;
    let drop_id = DropId::new(claimed.entity_id);
    if claimed.is_replay {
        match get(ctx, drop_id, time_left).await {
            Err(Error::NotFound { .. }) => {}
            answer => return answer,
        }
    }
    let drop = wish.into_row(drop_id, caller, ctx.env.uuid(), now, offer?);
    let key = DropTimeKey {
        opens_at: drop.opens_at,
        drop_id,
    };
    let ends_at = drop.ends_at;
    // Before the row: a row that no timer finds would never open.
    let (begun, ()) = futures::future::try_join(
        ctx.outbox.begin(entity(drop_id), drop.op_id),
        ctx.store.put_drop_time(DropTime { key, ends_at }, now),
    )
    .await?;
    let drop = match begun.run(ctx.store.insert_drop(&drop)).await? {
        Put::Done => drop,
        Put::Exists(first) => first,
    };
    ctx.timer.arm(&drop);
    get(ctx, drop_id, time_left).await
}

pub(super) fn entity(drop_id: DropId) -> Entity {
    Entity {
        kind: EntityKind::Drop,
        id: drop_id.uuid(),
    }
}

/// Reads a drop with its stock.
///
/// # Errors
/// As `GetDrop` of the contract.
pub async fn get(ctx: &Context, drop_id: DropId, time_left: Duration) -> Result<DropDetails> {
    if let Some(sealed) = sealed(ctx, drop_id).await? {
        return Ok(sealed);
    }
    from_ledger(ctx, drop_id, time_left).await
}

/// Reads a drop with its stock and all changes, by its open ledger if it has one.
pub(super) async fn from_ledger(
    ctx: &Context,
    drop_id: DropId,
    time_left: Duration,
) -> Result<DropDetails> {
    let ledger = match ctx.ledgers.ledger(drop_id).await {
        Ok(ledger) => ledger,
        Err(LedgerError::NotFrozen(drop)) => return Ok(DropDetails::row(*drop)),
        Err(error) => return Err(refusals::no_answer(drop_id, error)),
    };
    let view = ledger.view.borrow().clone();
    if view.seq > 0 {
        return Ok(DropDetails {
            drop: drop_rows::newest_of(ctx, &ledger).await,
            ledger: Some(view),
        });
    }
    // Just opened: its first record is on the way.
    newest(ctx, drop_id, time_left).await
}

/// As [`from_ledger`], and nothing that any process has written by now is missing.
pub(super) async fn newest(
    ctx: &Context,
    drop_id: DropId,
    time_left: Duration,
) -> Result<DropDetails> {
    let answer = ctx.ledgers.call(drop_id, Command::GetDrop, time_left).await;
    match answer {
        Err(LedgerError::NotFrozen(drop)) => Ok(DropDetails::row(*drop)),
        answer => answered(ctx, drop_id, None, answer).await,
    }
}

/// A sealed drop whose ledger is not in memory is read from its rows: old drops are looked at for years.
pub(super) async fn sealed(ctx: &Context, drop_id: DropId) -> Result<Option<DropDetails>> {
    if ctx.ledgers.is_open(drop_id) {
        return Ok(None);
    }
    let status = ctx.store.get_drop_status(drop_id).await?;
    let Some(view) = status.as_ref().and_then(DropView::sealed) else {
        return Ok(None);
    };
    let drop = ctx.store.get_drop(drop_id).await?;
    Ok(drop.map(|drop| DropDetails {
        drop: Arc::new(drop),
        ledger: Some(Arc::new(view)),
    }))
}

/// Stops selling. Open holds may still be paid.
///
/// # Errors
/// As `EndDrop` of the contract.
pub async fn end(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    time_left: Duration,
) -> Result<DropDetails> {
    owned(ctx, caller, drop_id).await?;
    let fingerprint = Fingerprint::new("EndDrop").finish();
    let call = Call {
        caller_id: caller,
        method: Method::EndDrop,
        request_id: None,
        fingerprint,
    };
    on_ledger(ctx, drop_id, Command::EndDrop { call }, time_left).await
}

/// Adds units to an item.
///
/// # Errors
/// As `RestockDrop` of the contract.
pub async fn restock(
    ctx: &Context,
    caller: AccountId,
    request_id: RequestId,
    drop_id: DropId,
    (item_id, units, reason): (ItemId, i64, String),
    time_left: Duration,
) -> Result<DropDetails> {
    owned(ctx, caller, drop_id).await?;
    let print = Fingerprint::new("RestockDrop")
        .bytes(item_id.as_bytes())
        .number(units)
        .text(&reason);
    let request = Some(request_id);
    let call = Call {
        caller_id: caller,
        method: Method::RestockDrop,
        request_id: request,
        fingerprint: print.finish(),
    };
    on_ledger(
        ctx,
        drop_id,
        Command::RestockDrop {
            call,
            item_id,
            units,
            reason,
        },
        time_left,
    )
    .await
}

/// Cancels a drop: before the freeze in its row, afterwards in its ledger.
///
/// # Errors
/// As `CancelDrop` of the contract.
pub async fn cancel(
    ctx: &Context,
    caller: AccountId,
    request_id: RequestId,
    drop_id: DropId,
    time_left: Duration,
) -> Result<DropDetails> {
    owned(ctx, caller, drop_id).await?;
    let fingerprint = Fingerprint::new("CancelDrop").finish();
    let request_id = Some(request_id);
    let call = Call {
        caller_id: caller,
        method: Method::CancelDrop,
        request_id,
        fingerprint,
    };
    for _ in 0..TRIES_MAX {
        let mut drop = match ctx
            .ledgers
            .call(drop_id, Command::CancelDrop { call }, time_left)
            .await
        {
            Err(LedgerError::NotFrozen(drop)) => *drop,
            answer => return answered(ctx, drop_id, request_id, answer).await,
        };
        if drop.cancelled {
            return Ok(DropDetails::row(drop));
        }
        drop.cancelled = true;
        drop.version += 1;
        drop.op_id = ctx.env.uuid();
        drop.changed_at = ctx.env.now().max(drop.changed_at);
        let update = ctx.store.update_drop(&drop);
        let update = ctx.outbox.change(entity(drop_id), drop.op_id, update);
        match update.await? {
            Cas::Done => {
                ctx.drop_watches.row_changed(drop_id);
                return Ok(DropDetails::row(drop));
            }
            // Frozen or changed meanwhile: look again.
            Cas::Stale(_) => {}
        }
    }
    Err(Error::outrun("drop"))
}

/// Refuses callers who are not the drop's creator.
pub(super) async fn owned(ctx: &Context, caller: AccountId, drop_id: DropId) -> Result<()> {
    let creator_id = match ctx.ledgers.ledger(drop_id).await {
        Ok(ledger) => ledger.row().creator_id,
        Err(LedgerError::NotFrozen(drop)) => drop.creator_id,
        Err(error) => return Err(refusals::no_answer(drop_id, error)),
    };
    owns(caller, creator_id, drop_id)
}

pub(super) fn owns(caller: AccountId, creator_id: AccountId, drop_id: DropId) -> Result<()> {
    if creator_id == caller {
        return Ok(());
    }
    let metadata = vec![("dropId", drop_id.to_string())];
    Err(Error::Refused {
        reason: Reason::NotOwner,
        message: "this drop is another creator's".to_owned(),
        metadata,
    })
}

async fn on_ledger(
    ctx: &Context,
    drop_id: DropId,
    command: Command,
    time_left: Duration,
) -> Result<DropDetails> {
    let request_id = command.request_id();
    let answer = ctx.ledgers.call(drop_id, command, time_left).await;
    answered(ctx, drop_id, request_id, answer).await
}

type Answered =
    std::result::Result<(Arc<crate::ledger::registry::OpenedLedger>, Answer), LedgerError>;

async fn answered(
    ctx: &Context,
    drop_id: DropId,
    request_id: Option<RequestId>,
    answer: Answered,
) -> Result<DropDetails> {
    match answer {
        Ok((ledger, Answer::Drop(view))) => Ok(DropDetails {
            drop: drop_rows::newest_of(ctx, &ledger).await,
            ledger: Some(view),
        }),
        Ok((_, Answer::Refused(refusal))) => Err(refusals::refused(drop_id, request_id, refusal)),
        Ok((_, Answer::Order(_) | Answer::Attempt(_))) => Err(Error::Internal(
            "a drop's call was answered with an order".to_owned(),
        )),
        Err(error) => Err(refusals::no_answer(drop_id, error)),
    }
}

#[cfg(test)]
#[path = "drops_tests.rs"]
mod tests;
