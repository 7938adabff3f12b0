//! Watching a drop: every change of its state, in order and none skipped, and its newest stock.
//!
//! A watcher keeps nothing but what it has told, and looks for what comes next in what the drop's `hub` shows: all changes of the drop's
//! life, and its stock as it is. So a slow one misses stock between, never a change, and needs no buffer.

mod hub;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;

pub use self::hub::DropWatches;
use super::{Context, Error, Result, drops, drops::DropDetails};
use crate::{
    domain::{DropId, reason::Reason},
    ledger::state::{DropChange, Phase},
    store::orders::LedgerPlace,
};

/// What a watcher has told. Where another can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// All changes up to here.
    pub place: LedgerPlace,
    /// The row as of this public version.
    pub version: i64,
}

impl Seen {
    /// All that `details` hold.
    fn all(details: &DropDetails) -> Self {
        Self {
            place: LedgerPlace {
                seq: details.seq(),
                index: u32::MAX,
            },
            version: details.drop.public_version(),
        }
    }
}

/// Something that many watchers are told; encoded by the first of them.
#[derive(Debug)]
pub struct Told<T> {
    /// What it is.
    pub news: T,
    encoded: OnceLock<Bytes>,
}

impl<T> Told<T> {
    fn new(news: T) -> Arc<Self> {
        Arc::new(Self {
            news,
            encoded: OnceLock::new(),
        })
    }

    /// What all watchers send of it.
    pub fn encoded(&self, encode: impl FnOnce(&T) -> Vec<u8>) -> Bytes {
        let bytes = self.encoded.get_or_init(|| encode(&self.news).into());
        bytes.clone()
    }
}

/// What a watcher is told next.
#[derive(Debug, Clone)]
pub enum DropNews {
    /// How the drop stands: the first word of a new watch.
    Snapshot(Arc<Told<DropDetails>>),
    /// The watch goes on: the first word of a resumed one.
    Resumed,
    /// A step of the drop's life.
    Change(Arc<Told<DropChange>>),
    /// The drop's row has changed.
    Row(Arc<Told<DropDetails>>),
    /// The stock has changed.
    Stock(Arc<Told<DropDetails>>),
}

/// A drop as its watchers see it.
#[derive(Debug)]
struct Shown {
    all: Seen,
    snapshot: Arc<Told<DropDetails>>,
    row: Arc<Told<DropDetails>>,
    stock: Arc<Told<DropDetails>>,
    changes: Vec<Arc<Told<DropChange>>>,
}

impl Shown {
    /// Shows `details`; what `before` has shown of them stays encoded.
    fn new(details: &DropDetails, before: Option<&Self>) -> Self {
        let known = before.map_or(&[][..], |before| &before.changes);
        let mut changes = known.to_vec();
        if let Some(view) = &details.ledger {
            let new = view.changes.get(known.len()..).unwrap_or_default();
            changes.extend(new.iter().map(|change| Told::new(*change)));
        }
        Self {
            all: Seen::all(details),
            snapshot: Told::new(details.clone()),
            row: Told::new(details.clone()),
            stock: Told::new(details.clone()),
            changes,
        }
    }

    /// What comes after `seen`, which is moved on.
    fn after(&self, seen: &mut Seen) -> Option<DropNews> {
        let next = self
            .changes
            .partition_point(|change| change.news.place() <= seen.place);
        if let Some(change) = self.changes.get(next) {
            seen.place = change.news.place();
            return Some(DropNews::Change(Arc::clone(change)));
        }
        let (place, version) = (self.all.place, self.all.version);
        let has_new_row = version > seen.version;
        let has_new_stock = place > seen.place;
        seen.version = seen.version.max(version);
        seen.place = seen.place.max(place);
        if has_new_row {
            // It is the whole drop with its stock.
            Some(DropNews::Row(Arc::clone(&self.row)))
        } else {
            has_new_stock.then(|| DropNews::Stock(Arc::clone(&self.stock)))
        }
    }
}

/// Watches one drop.
#[derive(Debug)]
pub struct DropWatch {
    /// Said before anything else.
    first: Option<DropNews>,
    seen: Seen,
    /// `None` for a drop that changes no more.
    shown: Option<watch::Receiver<Arc<Shown>>>,
}

impl DropWatch {
    /// Watches a drop from now on, or from where another watch was. [`next`](Self::next) gives its first word at once.
    ///
    /// # Errors
    /// As `WatchDrop` of the contract.
    pub async fn begin(
        ctx: &Context,
        drop_id: DropId,
        after: Option<Seen>,
        time_left: Duration,
    ) -> Result<Self> {
        let details = match after {
            None => drops::get(ctx, drop_id, time_left).await?,
            // Of a row there is no telling what was missed.
            Some(seen) => known(ctx, drop_id, seen, time_left).await?,
        };
        let all = Seen::all(&details);
        let changes_no_more = details
            .ledger
            .as_ref()
            .is_some_and(|view| matches!(view.phase, Phase::Sealed(_)));
        if changes_no_more && after.is_none_or(|seen| seen == all) {
            return Ok(Self {
                first: Some(first(after, || Told::new(details))),
                seen: after.unwrap_or(all),
                shown: None,
            });
        }
        let shown = ctx.drop_watches.join(ctx, drop_id, &details);
        let snapshot = || {
            // What is shown may be a moment older than what was read.
            let shown = shown.borrow().clone();
            if shown.all == all {
                Arc::clone(&shown.snapshot)
            } else {
                Told::new(details)
            }
        };
        Ok(Self {
            first: Some(first(after, snapshot)),
            seen: after.unwrap_or(all),
            shown: Some(shown),
        })
    }

    /// The next piece of news, and what has been told with it.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the drop can't be followed; watch again from what was told last.
    pub async fn next(&mut self) -> Result<(DropNews, Seen)> {
        if let Some(first) = self.first.take() {
            return Ok((first, self.seen));
        }
        let Some(shown) = &mut self.shown else {
            return std::future::pending().await;
        };
        loop {
            let newest = shown.borrow_and_update().clone();
            if let Some(news) = newest.after(&mut self.seen) {
                return Ok((news, self.seen));
            }
            if shown.changed().await.is_err() {
                return Err(Error::Unavailable {
                    retry_after: Duration::from_millis(250),
                    cause: "the drop can't be followed".to_owned(),
                });
            }
        }
    }
}

fn first(after: Option<Seen>, snapshot: impl FnOnce() -> Arc<Told<DropDetails>>) -> DropNews {
    match after {
        Some(_) => DropNews::Resumed,
        None => DropNews::Snapshot(snapshot()),
    }
}

/// Reads a drop that was `seen` once. Refuses to go on after what it never was, as after a restore: what was missed could not be told.
async fn known(
    ctx: &Context,
    drop_id: DropId,
    seen: Seen,
    time_left: Duration,
) -> Result<DropDetails> {
    let is_known = |details: &DropDetails| {
        seen.place.seq <= details.seq() && seen.version <= details.drop.public_version()
    };
    let mut details = drops::from_ledger(ctx, drop_id, time_left).await?;
    if !is_known(&details) {
        // It may have been seen in another process, which is ahead of this one.
        details = drops::newest(ctx, drop_id, time_left).await?;
        if let Some(row) = ctx.store.get_drop(drop_id).await? {
            details.drop = Arc::new(row);
        }
    }
    if is_known(&details) {
        return Ok(details);
    }
    let message = "the drop is not known at this place: watch it from the start";
    Err(Error::refused(Reason::ResumeTokenExpired, message))
}
