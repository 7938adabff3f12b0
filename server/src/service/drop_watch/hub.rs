//! One task per watched drop looks at its ledger, or at its row while that rules, and shows it to all watchers. So a sale wakes one task
//! with each record, and its thousand watchers only as often as people can see.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::Shown;
use crate::{
    domain::{DropId, drop::Drop},
    ledger::{DropView, LedgerError, state::Phase},
    service::{Context, drops, drops::DropDetails},
};

/// How long the stock stays as it is shown, at least; changes of the drop's state do not wait. Twenty times a second is smooth for people.
const STOCK_EVERY: Duration = Duration::from_millis(50);
/// How often the row is read for changes that were made elsewhere: of its terms before the freeze, of its texts afterwards.
const ROW_EVERY: Duration = Duration::from_millis(500);
/// A drop that can't be looked at is tried again after this, so many times: watchers are told after ten seconds.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const TRIES_MAX: u32 = 40;
/// How long one look at the head of a ledger may take.
const LOOK_WITHIN: Duration = Duration::from_secs(10);

/// The drops that somebody watches; as many as there are open streams at most. Cheap to clone.
#[derive(Clone, Default)]
pub struct DropWatches(Arc<Mutex<HashMap<DropId, Hub>>>);

/// Where a drop's watchers meet. Gone with the task that looks at the drop, however that ends.
struct Hub {
    shown: Weak<watch::Sender<Arc<Shown>>>,
    hint: Arc<Notify>,
}

impl fmt::Debug for DropWatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DropWatches")
            .field("drops", &self.0.lock().len())
            .finish()
    }
}

impl DropWatches {
    /// Tells that a drop's row was changed here: its watchers need not wait for the next look.
    pub fn row_changed(&self, drop_id: DropId) {
        if let Some(hub) = self.0.lock().get(&drop_id) {
            hub.hint.notify_one();
        }
    }

    /// Whether somebody watches, or did a moment ago.
    #[must_use]
    pub fn is_watched(&self, drop_id: DropId) -> bool {
        self.0.lock().contains_key(&drop_id)
    }

    /// Joins the watchers of a drop; the first one brings what is shown first.
    pub(super) fn join(
        &self,
        ctx: &Context,
        drop_id: DropId,
        details: &DropDetails,
    ) -> watch::Receiver<Arc<Shown>> {
        let mut hubs = self.0.lock();
        if let Some(shown) = hubs.get(&drop_id).and_then(|hub| hub.shown.upgrade()) {
            return shown.subscribe();
        }
        let (shown, watcher) = watch::channel(Arc::new(Shown::new(details, None)));
        let shown = Arc::new(shown);
        let hint = Arc::new(Notify::new());
        let lookout = Lookout {
            ctx: ctx.clone(),
            drop_id,
            shown: Arc::clone(&shown),
            hint: Arc::clone(&hint),
            details: details.clone(),
        };
        let shown = Arc::downgrade(&shown);
        hubs.insert(drop_id, Hub { shown, hint });
        ctx.env
            .spawn("drop watch", Box::pin(lookout.run(self.clone())));
        watcher
    }

    /// Takes a hub away that nobody watches; whether that is so. Under the lock nobody can join meanwhile.
    fn leave(&self, drop_id: DropId) -> bool {
        let mut hubs = self.0.lock();
        let is_empty = |hub: &Hub| {
            hub.shown
                .upgrade()
                .is_none_or(|it| it.receiver_count() == 0)
        };
        let leaves = hubs.get(&drop_id).is_none_or(is_empty);
        if leaves {
            hubs.remove(&drop_id);
        }
        leaves
    }

    /// Takes a hub away whose drop can't be followed.
    fn give_up(&self, drop_id: DropId) {
        self.0.lock().remove(&drop_id);
    }
}

/// Looks at a drop for all who watch it.
struct Lookout {
    ctx: Context,
    drop_id: DropId,
    shown: Arc<watch::Sender<Arc<Shown>>>,
    hint: Arc<Notify>,
    /// What is shown.
    details: DropDetails,
}

impl Lookout {
    async fn run(mut self, watches: DropWatches) {
        let shown = Arc::clone(&self.shown);
        loop {
            tokio::select! {
                () = shown.closed() => if watches.leave(self.drop_id) {
                    return;
                },
                // May be dropped at any time: it begins with a look.
                () = self.follow() => {
                    // Dropping the sender tells those who watch.
                    watches.give_up(self.drop_id);
                    return;
                }
            }
        }
    }

    /// Shows the drop until it can't be looked at any more.
    async fn follow(&mut self) {
        let mut tries = 0;
        while tries < TRIES_MAX {
            match self.look().await {
                Ok(Some((drop, view))) => {
                    tries = 0;
                    self.follow_ledger(drop, view).await;
                }
                Ok(None) => {
                    tries = 0;
                    let is_over = self.details.drop.cancelled;
                    self.wait(if is_over { Duration::MAX } else { ROW_EVERY })
                        .await;
                }
                Err(error) => {
                    tracing::debug!(drop_id = %self.drop_id, %error, "watched drop can't be looked at");
                    tries += 1;
                    self.wait(AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn wait(&self, span: Duration) {
        tokio::select! {
            () = self.ctx.env.sleep(span) => {}
            () = self.hint.notified() => {}
        }
    }

    /// The ledger, if there is one; while the row rules, that is shown. A drop whose terms are to be frozen now gets its ledger.
    async fn look(
        &mut self,
    ) -> Result<Option<(Arc<Drop>, watch::Receiver<Arc<DropView>>)>, LedgerError> {
        match self.ctx.ledgers.ledger(self.drop_id).await {
            Ok(ledger) => {
                let view = ledger.view.clone();
                if !self.ctx.store.is_exclusive() {
                    // Reads what others wrote, and wakes a writer that would look for it in a while only.
                    let newest = drops::newest(&self.ctx, self.drop_id, LOOK_WITHIN).await;
                    newest.map_err(|error| LedgerError::Unavailable(error.to_string()))?;
                }
                Ok(Some((ledger.row(), view)))
            }
            Err(LedgerError::NotFrozen(drop)) => {
                self.show(DropDetails::row(*drop));
                Ok(None)
            }
            Err(
                error @ (LedgerError::UnknownDrop
                | LedgerError::Overloaded
                | LedgerError::Unavailable(_)),
            ) => Err(error),
        }
    }

    /// Shows what the ledger tells until it leaves memory.
    async fn follow_ledger(&mut self, mut drop: Arc<Drop>, view: watch::Receiver<Arc<DropView>>) {
        let mut view = Some(view);
        let mut row_due = self.ctx.env.sleep(ROW_EVERY);
        loop {
            if let Some(told) = &mut view {
                let newest = told.borrow_and_update().clone();
                // Of a sealed drop there is nothing more to tell: its ledger may leave memory.
                let is_over = matches!(newest.phase, Phase::Sealed(_));
                if newest.seq > 0 {
                    self.show(DropDetails {
                        drop: drop.clone(),
                        ledger: Some(newest),
                    });
                }
                if is_over {
                    view = None;
                }
            }
            let known = self
                .details
                .ledger
                .as_ref()
                .map_or(0, |view| view.changes.len());
            let next = tokio::select! {
                () = &mut row_due, if view.is_some() => Next::Row,
                next = news(&self.ctx, view.as_mut(), known) => next,
                () = self.hint.notified() => Next::Row,
            };
            match next {
                Next::View => {}
                Next::Gone => return,
                Next::Row => {
                    row_due = self.ctx.env.sleep(ROW_EVERY);
                    // Unreadable: it is shown with the next change.
                    if let Ok(Some(row)) = self.ctx.store.get_drop(self.drop_id).await
                        && row.version > drop.version
                    {
                        drop = Arc::new(row);
                    }
                    let ledger = self.details.ledger.clone();
                    self.show(DropDetails {
                        drop: drop.clone(),
                        ledger,
                    });
                }
            }
        }
    }

    /// Shows what is new in `details` to those who watch; a record that changes nothing they see wakes nobody.
    fn show(&mut self, mut details: DropDetails) {
        let old = &self.details;
        // An open ledger keeps the row that was frozen.
        if details.drop.version < old.drop.version {
            details.drop = old.drop.clone();
        }
        let is_older = details.seq() < old.seq();
        let is_same = details.drop.public_version() == old.drop.public_version()
            && match (&details.ledger, &old.ledger) {
                (None, None) => true,
                (Some(new), Some(old)) => {
                    new.changes.len() == old.changes.len()
                        && new.is_sold_out == old.is_sold_out
                        && new.items == old.items
                }
                (Some(_), None) | (None, Some(_)) => false,
            };
        if is_older || is_same {
            return;
        }
        let before = self.shown.borrow().clone();
        self.shown
            .send_replace(Arc::new(Shown::new(&details, Some(&before))));
        self.details = details;
    }
}

/// What a look-out wakes up for.
enum Next {
    View,
    Row,
    Gone,
}

/// Waits for something to show: for a change of the drop's state not a moment, for others until the stock has been as it is long enough.
async fn news(
    ctx: &Context,
    view: Option<&mut watch::Receiver<Arc<DropView>>>,
    known: usize,
) -> Next {
    let Some(view) = view else {
        return std::future::pending().await;
    };
    let mut pause = ctx.env.sleep(STOCK_EVERY);
    let (mut is_paused, mut is_new) = (true, false);
    loop {
        tokio::select! {
            changed = view.changed() => {
                if changed.is_err() {
                    return Next::Gone;
                }
                is_new = true;
                let has_change = view.borrow_and_update().changes.len() > known;
                if has_change || !is_paused {
                    return Next::View;
                }
            }
            () = &mut pause, if is_paused => {
                is_paused = false;
                if is_new {
                    return Next::View;
                }
            }
        }
    }
}
