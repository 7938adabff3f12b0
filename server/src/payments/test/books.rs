//! What was really captured and refunded, read from the provider's file without asking the provider.

use std::{collections::BTreeMap, fs::File, path::Path};

use super::{
    file::{self, FileError},
    line::{Fact, Line},
    state::{Refunding, Stage, State},
};
use crate::{
    domain::{Currency, Money, OrderId},
    payments::AttemptKey,
};

/// The provider's books.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Every attempt of which money moved.
    pub attempts: BTreeMap<AttemptKey, Sums>,
}

/// What was taken and given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// In minor units of this currency.
    pub currency: Currency,
    /// All captures.
    pub captured_minor: i64,
    /// All refunds.
    pub refunded_minor: i64,
}

/// Reads the file at `path`, also while a provider writes it. Every line counts, so a capture that is there twice is seen.
///
/// # Errors
/// If the file can't be read or is damaged; a torn last line is left out.
pub fn read(path: &Path) -> Result<Books, FileError> {
    let mut books = Books::default();
    file::read(&File::open(path)?, |line| books.take(&line))?;
    Ok(books)
}

impl Books {
    /// The sums of every order.
    #[must_use]
    pub fn orders(&self) -> BTreeMap<OrderId, Sums> {
        let mut orders: BTreeMap<OrderId, Sums> = BTreeMap::new();
        for (key, sums) in &self.attempts {
            let order = orders.entry(key.order_id).or_insert(Sums {
                currency: sums.currency,
                captured_minor: 0,
                refunded_minor: 0,
            });
            order.captured_minor += sums.captured_minor;
            order.refunded_minor += sums.refunded_minor;
        }
        orders
    }

    pub(super) fn of(state: &State) -> Self {
        let mut books = Self::default();
        for (key, entry) in &state.payments {
            if let Some(origin) = &entry.origin
                && entry.stage == Stage::Captured
            {
                let sums = books.sums(*key, origin.amount);
                sums.captured_minor = origin.amount.amount_minor;
                if entry.refund == Refunding::Done {
                    sums.refunded_minor = origin.amount.amount_minor;
                }
            }
        }
        books
    }

    fn take(&mut self, line: &Line) -> Result<(), String> {
        let (is_capture, is_refund) = match &line.fact {
            Fact::Captured { .. } => (true, false),
            Fact::Refunded => (false, true),
            Fact::Started { .. }
            | Fact::ActionDone { .. }
            | Fact::Failed { .. }
            | Fact::Cancelled
            | Fact::RefundFailed
            | Fact::WebhookDelivered { .. } => return Ok(()),
        };
        let amount = line.amount().ok_or("money without a currency")?;
        let sums = self.sums(line.key(), amount);
        if sums.currency != amount.currency {
            return Err("another currency than before".to_owned());
        }
        if is_capture {
            sums.captured_minor += amount.amount_minor;
        }
        if is_refund {
            sums.refunded_minor += amount.amount_minor;
        }
        Ok(())
    }

    fn sums(&mut self, key: AttemptKey, amount: Money) -> &mut Sums {
        self.attempts.entry(key).or_insert(Sums {
            currency: amount.currency,
            captured_minor: 0,
            refunded_minor: 0,
        })
    }
}
