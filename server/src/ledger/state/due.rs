//! What time and earlier entries bring by themselves: opening, closing, expiry, the work of a cancelled drop, notices.

use std::time::Duration;

use super::{
    FoldError, StockState,
    decide::{refund_of, refunded},
    model::{Phase, Position},
};
use crate::{
    domain::{OrderId, Timestamp, drop::LedgerSecret},
    ledger::entry::{CloseReason, Entry, Event, ReleaseReason, Terms},
};

/// How long after `expires_at` a hold is released: a payment that another process accepted at the last moment has landed by then.
pub(super) const EXPIRY_GRACE: Duration = Duration::from_secs(2);

impl StockState {
    /// When [`advance`](Self::advance) will have something to do; `None` if time alone brings nothing more.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let terms = self.core.terms.as_ref()?;
        let life = match self.core.phase {
            Phase::Empty => Some(Timestamp::default()),
            Phase::Scheduled => Some(terms.opens_at),
            Phase::Live => Some(terms.ends_at),
            Phase::Closed(CloseReason::Cancelled) | Phase::Sealed(CloseReason::Cancelled)
                if !self.holds.is_empty() || !self.sold.is_empty() =>
            {
                Some(Timestamp::default())
            }
            Phase::Closed(_) | Phase::Sealed(_) => None,
        };
        let expiry = self
            .holds
            .range()
            .next()
            .map(|((expires_at, _), ())| *expires_at + EXPIRY_GRACE);
        [life, expiry].into_iter().flatten().min()
    }

    /// Freezes the terms into an empty ledger.
    ///
    /// # Errors
    /// If the fold refuses its own entry, which is a bug.
    pub fn freeze(
        &mut self,
        terms: &Terms,
        secret: &LedgerSecret,
        at: &mut Position,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        if self.core.phase == Phase::Empty {
            let event = Event::TermsFrozen {
                terms: terms.clone(),
                secret: secret.clone(),
            };
            self.push_event(event, at, entries)?;
        }
        Ok(())
    }

    /// Folds what is due at the position's time, until there are about `len_max` entries; what is left is due at once again.
    ///
    /// # Errors
    /// If the fold refuses its own entry, which is a bug.
    pub fn advance(
        &mut self,
        at: &mut Position,
        len_max: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        let Some(terms) = self.core.terms.clone() else {
            return Ok(());
        };
        let now = at.recorded_at;
        if self.core.phase == Phase::Scheduled && now >= terms.opens_at {
            self.push_event(Event::WentLive, at, entries)?;
        }
        if self.core.phase == Phase::Live && now >= terms.ends_at {
            self.push_event(
                Event::Closed {
                    reason: CloseReason::Ended,
                },
                at,
                entries,
            )?;
        }
        self.release_due(now, at, len_max, entries)?;
        if self.core.phase.is_cancelled() {
            self.refund_sold(at, len_max, entries)?;
        }
        self.follow(at, entries)
    }

    /// Releases holds that ran out, and all of a cancelled drop.
    fn release_due(
        &mut self,
        now: Timestamp,
        at: &mut Position,
        len_max: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        let is_cancelled = self.core.phase.is_cancelled();
        let reason = if is_cancelled {
            ReleaseReason::DropCancelled
        } else {
            ReleaseReason::Expired
        };
        let due: Vec<OrderId> = self
            .holds
            .range()
            .take_while(|((expires_at, _), ())| is_cancelled || *expires_at + EXPIRY_GRACE <= now)
            .map(|((_, order_id), ())| *order_id)
            .take(len_max.saturating_sub(entries.len()))
            .collect();
        for order_id in due {
            self.push_event(Event::Released { order_id, reason }, at, entries)?;
        }
        Ok(())
    }

    /// Gives back what a cancelled drop sold. A total of zero needs no provider: both entries stand in one record.
    fn refund_sold(
        &mut self,
        at: &mut Position,
        len_max: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        let owed = self
            .sold
            .range()
            .map(|(order_id, ())| self.orders.get(order_id));
        let owed: Vec<_> = owed
            .flatten()
            .take(len_max.saturating_sub(entries.len()).div_ceil(2))
            .cloned()
            .collect();
        for order in owed {
            self.push_event(refund_of(&order, "drop cancelled", false), at, entries)?;
            if order.paid_attempt == 0 {
                self.push_event(refunded(order.order_id, 0, false), at, entries)?;
            }
        }
        Ok(())
    }

    /// Notices that follow from the state: low stock, sold out, sealed; once each.
    pub(super) fn follow(
        &mut self,
        at: &mut Position,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        if self.core.phase == Phase::Live {
            let threshold = self
                .core
                .terms
                .as_ref()
                .map_or(0, |terms| terms.low_stock_threshold);
            let low: Vec<_> = self
                .core
                .items
                .iter()
                .filter(|item| threshold > 0 && !item.low_told && item.available <= threshold)
                .map(|item| item.item_id)
                .collect();
            for item_id in low {
                self.push_event(Event::LowStock { item_id }, at, entries)?;
            }
            if !self.core.sold_out_told && self.is_sold_out() {
                self.push_event(Event::SoldOut, at, entries)?;
            }
        }
        let is_open = !self.holds.is_empty() || self.core.open_payments > 0;
        if matches!(self.core.phase, Phase::Closed(_)) && !is_open {
            self.push_event(Event::Sealed, at, entries)?;
        }
        Ok(())
    }

    /// Whether nothing is available and nothing held.
    #[must_use]
    pub fn is_sold_out(&self) -> bool {
        self.core.phase != Phase::Empty
            && self
                .core
                .items
                .iter()
                .all(|item| item.available == 0 && item.held == 0)
    }

    fn push_event(
        &mut self,
        event: Event,
        at: &mut Position,
        entries: &mut Vec<Entry>,
    ) -> Result<(), FoldError> {
        let moves = self.moves_of(&event)?;
        self.push(
            Entry {
                event,
                moves,
                call: None,
            },
            at,
            entries,
        )
    }
}
