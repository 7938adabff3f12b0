//! Payments and refunds that somebody has to go on with, of all ledgers in memory. A set: telling twice is harmless. It holds no more than
//! the ledgers do.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::{DropId, OrderId};

/// Names an attempt to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptId {
    /// The order's drop.
    pub drop_id: DropId,
    /// The order.
    pub order_id: OrderId,
    /// Which attempt, from 1.
    pub attempt: i32,
}

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// This process began it, or found it begun when it opened the ledger.
    Own,
    /// Another process began it while this one was looking on; it goes on with it, if it lives.
    Others,
}

/// What is to be done about money.
#[derive(Debug, Default)]
pub struct WorkList {
    waiting: Mutex<BTreeMap<AttemptId, Share>>,
    added: Notify,
}

impl WorkList {
    /// Adds work.
    pub(super) fn add(&self, share: Share, work: impl Iterator<Item = AttemptId>) {
        let mut waiting = self.waiting.lock();
        let before = waiting.len();
        for id in work {
            let found = waiting.entry(id).or_insert(share);
            *found = share.min(*found);
        }
        if waiting.len() > before {
            self.added.notify_one();
        }
    }

    /// Waits for work and takes all of it.
    pub async fn take(&self) -> BTreeMap<AttemptId, Share> {
        loop {
            let added = self.added.notified();
            let taken = std::mem::take(&mut *self.waiting.lock());
            if !taken.is_empty() {
                return taken;
            }
            added.await;
        }
    }
}
