//! Where the writer tells of its records: the drop's view, the orders' watchers, the payment runner, projectors. Telling never waits.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::{
    answer::DropView,
    applied::Applied,
    entry::Event,
    state::StockState,
    watches::OrderWatches,
    work_list::{AttemptId, Share, WorkList},
};

/// Records that a slow projector may be behind before it has to read the log: about 3 s of a rush.
const RECORDS_MAX: usize = 256;

/// What a ledger tells.
#[derive(Debug)]
pub struct Feed {
    view: watch::Sender<Arc<DropView>>,
    records: broadcast::Sender<Arc<Applied>>,
    watches: Arc<OrderWatches>,
    work: Arc<WorkList>,
}

impl Feed {
    /// A feed of a ledger that stands at `state`. Payments and refunds that are open there are told of at once.
    pub(super) fn new(state: &StockState, work: Arc<WorkList>) -> Self {
        let drop_id = state.ledger_id();
        let unfinished = state.unfinished().map(|it| AttemptId {
            drop_id,
            order_id: it.order_id,
            attempt: it.attempt,
        });
        work.add(Share::Own, unfinished);
        Self {
            view: watch::channel(Arc::new(DropView::of(state))).0,
            records: broadcast::channel(RECORDS_MAX).0,
            watches: Arc::default(),
            work,
        }
    }

    pub(super) fn view(&self) -> watch::Receiver<Arc<DropView>> {
        self.view.subscribe()
    }

    pub(super) fn newest(&self) -> Arc<DropView> {
        self.view.borrow().clone()
    }

    pub(super) fn records(&self) -> broadcast::Receiver<Arc<Applied>> {
        self.records.subscribe()
    }

    pub(super) fn watches(&self) -> Arc<OrderWatches> {
        Arc::clone(&self.watches)
    }

    /// Whether somebody watches the drop or an order: the ledger had better stay. One who looks at the view is the open ledger itself.
    pub(super) fn is_watched(&self) -> bool {
        !self.watches.is_empty() || self.view.receiver_count() > 1
    }

    /// Tells of the newest record's drop; those who are answered next must find it there.
    pub(super) fn show(&self, applied: &Applied) {
        self.view.send_replace(applied.view.clone());
    }

    /// Tells of a record that was shown, and whose work it brings.
    pub(super) fn tell(&self, applied: Applied, share: Share) {
        self.watches.tell(&applied.orders);
        let drop_id = applied.ledger_id;
        let begun = applied.entries.iter().filter_map(|entry| {
            let (Event::PaymentStarted {
                order_id, attempt, ..
            }
            | Event::RefundStarted {
                order_id, attempt, ..
            }) = entry.event
            else {
                return None;
            };
            (attempt > 0).then_some(AttemptId {
                drop_id,
                order_id,
                attempt,
            })
        });
        self.work.add(share, begun);
        // Without a projector nobody listens.
        let _ = self.records.send(Arc::new(applied));
    }
}

impl std::ops::Drop for Feed {
    fn drop(&mut self) {
        self.watches.close();
    }
}
