//! Lists of drops: a creator's by when they were made, all of a state by when they open. What a list says of a drop is where to find it; how it
//! stands is read from its row and status.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Context, Result, drop_rows,
    drops::{DropDetails, OPENS_AHEAD_MAX},
};
use crate::{
    domain::{AccountId, DropId, Timestamp, id::SHARDS},
    store::{
        Order, PageRequest,
        drops::{DropTime, DropTimeKey},
        projections::DropState,
    },
};

/// Rows that one page looks at: those of other states, and of times that were changed, count too.
const ROWS_MAX: usize = 1_000;
/// Days that one page looks through, each sixteen reads even if it is empty.
const DAYS_MAX: usize = 31;
/// Rows read at a time, of a creator or of one shard of a day: an ordinary page needs one read of each.
const CHUNK: usize = 64;
/// Drops read at once.
const DROPS_AT_ONCE: usize = 16;
/// What the drops of a page may hold in texts and items, as [`DropDetails::weight`] counts it: gRPC clients commonly take 4 MiB.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// A drop sells for 30 days at most, so older ones are over.
const LIVE_FOR: Duration = Duration::from_secs(31 * 86_400);
/// How late a drop may open or end, and how far the clocks of servers may be apart. What is asked for is decided by the drop's state.
const SLACK: Duration = Duration::from_secs(60);
/// 2026-01-01: no drop opened before there was this software.
const FIRST_DAY: i32 = 20_454;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Which drops are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DropFilter {
    /// In this state.
    pub state: Option<DropState>,
    /// That open then or later.
    pub opens_from: Option<Timestamp>,
    /// That open before.
    pub opens_before: Option<Timestamp>,
}

impl DropFilter {
    fn takes(&self, details: &DropDetails) -> bool {
        let opens_at = details.drop.opens_at;
        self.state.is_none_or(|state| state == details.state())
            && self.opens_from.is_none_or(|from| from <= opens_at)
            && self.opens_before.is_none_or(|before| opens_at < before)
    }
}

/// Where a list by time goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayPlace {
    /// On this UTC day since 1970-01-01.
    pub day: i32,
    /// After this row; `None` = from the day's edge on.
    pub after: Option<DropTimeKey>,
}

/// A page of drops.
#[derive(Debug)]
pub struct DropsPage<P> {
    /// May be fewer than wanted, even none.
    pub drops: Vec<DropDetails>,
    /// Where it goes on; `None` = there are no more.
    pub next: Option<P>,
}

/// Reads drops as lists show them, in the order asked for; `None` for ids that are no drop's.
///
/// # Errors
/// As `BatchGetDrops` of the contract.
pub async fn batch(ctx: &Context, drop_ids: &[DropId]) -> Result<Vec<Option<DropDetails>>> {
    let reads = stream::iter(drop_ids.to_vec()).map(|id| drop_rows::look_up(ctx, id));
    reads.buffered(DROPS_AT_ONCE).try_collect().await
}

/// A creator's drops, the one that was made last first.
///
/// # Errors
/// As `ListDrops` of the contract.
pub async fn of_creator(
    ctx: &Context,
    creator_id: AccountId,
    filter: &DropFilter,
    from: Option<(Timestamp, DropId)>,
    size: usize,
) -> Result<DropsPage<(Timestamp, DropId)>> {
    let (mut found, mut after) = (Found::new(size), from);
    let mut rows_left = ROWS_MAX;
    while !found.is_full() && rows_left > 0 {
        let limit = CHUNK.min(rows_left);
        let page = PageRequest {
            after,
            limit,
            order: Order::Descending,
        };
        let rows = ctx.store.list_creator_drops(creator_id, page).await?;
        let ids = rows.iter().map(|(_, drop_id)| Some(*drop_id)).collect();
        let seen = found.read(ctx, ids, |_, it| filter.takes(it)).await?;
        if seen == rows.len() && rows.len() < limit {
            return Ok(found.page(None));
        }
        rows_left -= seen;
        after = seen.checked_sub(1).and_then(|last| rows.get(last).copied());
    }
    Ok(found.page(after))
}

/// All drops of a state by when they open: scheduled ones upwards from now, all others downwards.
///
/// # Errors
/// As `ListDrops` of the contract.
pub async fn by_time(
    ctx: &Context,
    state: DropState,
    filter: &DropFilter,
    from: Option<DayPlace>,
    size: usize,
) -> Result<DropsPage<DayPlace>> {
    let now = ctx.env.now();
    let walk = Walk::new(state, filter, now);
    let mut found = Found::new(size);
    let mut place = from.unwrap_or_else(|| walk.begin());
    let (mut rows_left, mut days_left) = (ROWS_MAX, DAYS_MAX);
    while walk.goes_to(place.day) {
        if found.is_full() || rows_left == 0 || days_left == 0 {
            return Ok(found.page(Some(place)));
        }
        let Chunk { mut rows, is_last } = walk.read(ctx, place).await?;
        let is_whole = is_last && rows.len() <= rows_left;
        rows.truncate(rows_left);
        let wanted = |row: &DropTime| {
            let may_be = state != DropState::Live || row.ends_at + SLACK > now;
            (may_be && walk.holds(row.key.opens_at)).then_some(row.key.drop_id)
        };
        let ids = rows.iter().map(wanted).collect();
        let takes = |at: usize, it: &DropDetails| {
            // A row of a time that was changed since says nothing.
            let row = rows.get(at).map(|row| row.key.opens_at);
            row == Some(it.drop.opens_at) && filter.takes(it)
        };
        let seen = found.read(ctx, ids, takes).await?;
        rows_left -= seen;
        if is_whole && seen == rows.len() {
            place = walk.after(place.day);
            days_left -= 1;
        } else {
            let last = seen.checked_sub(1).and_then(|last| rows.get(last));
            place.after = last.map(|row| row.key).or(place.after);
        }
    }
    Ok(found.page(None))
}

/// What a page has so far.
struct Found {
    drops: Vec<DropDetails>,
    bytes: usize,
    size: usize,
}

impl Found {
    const fn new(size: usize) -> Self {
        Self {
            drops: Vec::new(),
            bytes: 0,
            size,
        }
    }

    const fn is_full(&self) -> bool {
        self.drops.len() >= self.size || self.bytes >= PAGE_BYTES_MAX
    }

    fn page<P>(self, next: Option<P>) -> DropsPage<P> {
        DropsPage {
            drops: self.drops,
            next,
        }
    }

    /// Reads drops in their order until the page is full, and keeps those that `takes` takes by their place; how many it has seen. `None`
    /// stands for a row that is not wanted.
    async fn read(
        &mut self,
        ctx: &Context,
        ids: Vec<Option<DropId>>,
        takes: impl Fn(usize, &DropDetails) -> bool,
    ) -> Result<usize> {
        let look_up = |id: Option<DropId>| async move {
            match id {
                Some(id) => drop_rows::look_up(ctx, id).await,
                None => Ok(None),
            }
        };
        let mut reads = stream::iter(ids).map(look_up).buffered(DROPS_AT_ONCE);
        let mut seen = 0;
        while !self.is_full()
            && let Some(read) = reads.try_next().await?
        {
            if let Some(details) = read.filter(|it| takes(seen, it)) {
                self.bytes += details.weight();
                self.drops.push(details);
            }
            seen += 1;
        }
        Ok(seen)
    }
}

/// The way through the days.
struct Walk {
    /// From then on,
    from: Timestamp,
    /// and until before then.
    to: Timestamp,
    order: Order,
}

/// Rows of one day in their order.
struct Chunk {
    rows: Vec<DropTime>,
    /// The day has no more.
    is_last: bool,
}

impl Walk {
    fn new(state: DropState, filter: &DropFilter, now: Timestamp) -> Self {
        let first = Timestamp::from_micros(i64::from(FIRST_DAY) * MICROS_PER_DAY);
        let (opened, last) = (now + SLACK, now + OPENS_AHEAD_MAX + SLACK);
        let (from, to, order) = match state {
            DropState::Scheduled => (now - SLACK, last, Order::Ascending),
            DropState::Live => (now - LIVE_FOR, opened, Order::Descending),
            DropState::Ended => (first, opened, Order::Descending),
            DropState::Cancelled => (first, last, Order::Descending),
        };
        Self {
            from: filter.opens_from.map_or(from, |it| it.max(from)),
            to: filter.opens_before.map_or(to, |it| it.min(to)),
            order,
        }
    }

    /// Just before the first row.
    const fn begin(&self) -> DayPlace {
        let opens_at = match self.order {
            Order::Ascending => self.from,
            Order::Descending => self.to,
        };
        // Less than all ids.
        let drop_id = DropId::new(uuid::Uuid::nil());
        DayPlace {
            day: opens_at.day(),
            after: Some(DropTimeKey { opens_at, drop_id }),
        }
    }

    fn holds(&self, opens_at: Timestamp) -> bool {
        self.from <= opens_at && opens_at < self.to
    }

    fn goes_to(&self, day: i32) -> bool {
        self.from < self.to && (self.from.day()..=self.to.day()).contains(&day)
    }

    const fn after(&self, day: i32) -> DayPlace {
        let day = match self.order {
            Order::Ascending => day + 1,
            Order::Descending => day - 1,
        };
        DayPlace { day, after: None }
    }

    /// Reads what comes next on a day, of all shards.
    async fn read(&self, ctx: &Context, place: DayPlace) -> Result<Chunk> {
        let DayPlace { day, after } = place;
        let list = |shard| {
            let page = PageRequest {
                after,
                limit: CHUNK,
                order: self.order,
            };
            ctx.store.list_drop_times(day, shard, page)
        };
        let lists = stream::iter(0..SHARDS).map(list);
        let lists: Vec<_> = lists
            .buffered(usize::from(SHARDS))
            .try_collect::<Vec<_>>()
            .await?;
        // A shard that may go on says nothing beyond its last row.
        let full = lists.iter().filter(|rows| rows.len() >= CHUNK);
        let ends = full.filter_map(|rows| rows.last()).map(|row| row.key);
        let end = match self.order {
            Order::Ascending => ends.min(),
            Order::Descending => ends.max(),
        };
        let is_in = |row: &DropTime| match self.order {
            Order::Ascending => end.is_none_or(|end| row.key <= end),
            Order::Descending => end.is_none_or(|end| row.key >= end),
        };
        let mut rows: Vec<_> = lists.into_iter().flatten().filter(is_in).collect();
        rows.sort_unstable_by_key(|row| row.key);
        if self.order == Order::Descending {
            rows.reverse();
        }
        Ok(Chunk {
            rows,
            is_last: end.is_none(),
        })
    }
}

#[cfg(test)]
#[path = "drop_lists_tests.rs"]
mod tests;
