//! The payment provider's own books: what was really captured and refunded. The test provider's file is read by the format that it
//! documents, and by nothing of the server's code.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use serde::Deserialize;

use super::{
    stripe::{self, Stripe},
    wallet::LATE,
};

/// Who takes the money.
#[derive(Debug, Clone)]
pub(crate) enum Provider {
    /// The servers' own, whose file is there.
    Test(PathBuf),
    /// The fake Stripe beside them.
    Stripe(Arc<Stripe>),
    /// That of a server elsewhere, whose books are not at hand.
    Elsewhere,
}

impl Provider {
    /// Its books as they stand; `None` if they are not at hand.
    pub(crate) fn books(&self) -> anyhow::Result<Option<Books>> {
        match self {
            Self::Test(file) => Books::read(file).map(Some),
            Self::Stripe(stripe) => Ok(Some(stripe.books())),
            Self::Elsewhere => Ok(None),
        }
    }

    /// What it calls a card of a wallet.
    pub(crate) fn token(&self, card: &'static str) -> &'static str {
        match self {
            Self::Stripe(_) => stripe::method(card),
            Self::Test(_) | Self::Elsewhere => card,
        }
    }

    /// The fake.
    pub(crate) fn stripe(&self) -> Option<Arc<Stripe>> {
        match self {
            Self::Stripe(stripe) => Some(Arc::clone(stripe)),
            Self::Test(_) | Self::Elsewhere => None,
        }
    }
}

/// All payments that the provider has heard of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// By drop, then by order and attempt.
    pub(crate) drops: BTreeMap<String, BTreeMap<(String, i32), Payment>>,
    /// What it will do or tell by itself: webhooks that nobody has taken, say.
    pub(crate) owed: BTreeSet<String>,
    /// Lines that can't be read.
    pub(crate) faults: Vec<String>,
}

/// One attempt to pay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Payment {
    /// ISO 4217, one of each line.
    pub(crate) currencies: BTreeSet<String>,
    /// It said failed, and will capture.
    pub(crate) is_late: bool,
    /// The amount of each capture, in minor units.
    pub(crate) captures: Vec<i64>,
    /// The amount of each refund.
    pub(crate) refunds: Vec<i64>,
    /// It was taken back.
    pub(crate) is_cancelled: bool,
}

/// A line of the file.
#[derive(Debug, Deserialize)]
struct Line {
    drop_id: String,
    order_id: String,
    attempt: i32,
    amount_minor: i64,
    #[serde(default)]
    currency: Option<String>,
    fact: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    event: Option<String>,
}

impl Payment {
    /// What the provider has taken and not given back, in minor units.
    pub(crate) fn kept(&self) -> i64 {
        self.captures.iter().sum::<i64>() - self.refunds.iter().sum::<i64>()
    }
}

impl Books {
    /// Reads the file, also while the provider writes it. Without a file nobody has paid.
    fn read(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut books = Self::default();
        let lines = (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n'));
        // A line without its end is being written, or was torn by a crash.
        for (number, line) in lines.filter(|(_, line)| line.ends_with(b"\n")) {
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => books.take(line),
                Err(error) => books.faults.push(format!("line {number}: {error}")),
            }
        }
        books
    }

    /// Whether the provider will do nothing more by itself: no webhook is owed, and no failed payment is going to capture.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut payments = self.drops.values().flat_map(BTreeMap::values);
        self.owed.is_empty()
            && payments.all(|it| !it.is_late || it.is_cancelled || !it.captures.is_empty())
    }

    fn take(&mut self, line: Line) {
        match line.event {
            Some(event) if line.fact == "webhook_delivered" => {
                self.owed.remove(&event);
            }
            Some(event) => {
                self.owed.insert(event);
            }
            None => {}
        }
        let payments = self.drops.entry(line.drop_id).or_default();
        let payment = payments.entry((line.order_id, line.attempt)).or_default();
        payment.currencies.extend(line.currency);
        let late = LATE.trim_start_matches("pm_test_");
        payment.is_late |= line.kind.as_deref() == Some(late);
        match line.fact.as_str() {
            "captured" => payment.captures.push(line.amount_minor),
            "refunded" => payment.refunds.push(line.amount_minor),
            "cancelled" => payment.is_cancelled = true,
            "started" | "action_done" | "failed" | "refund_failed" | "webhook_delivered" => {}
            other => self.faults.push(format!("unknown fact {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_counts_but_a_torn_one() {
        let line = |attempt: i32, rest: &str| {
            format!(
                r#"{{"at":1,"drop_id":"d","order_id":"o","attempt":{attempt},"amount_minor":5,"currency":"EUR",{rest}}}"#
            ) + "\n"
        };
        let late = line(1, r#""fact":"started","kind":"late""#)
            + &line(1, r#""fact":"failed","reason":"DECLINED""#);
        let mut books = Books::parse(late.as_bytes());
        assert!(!books.is_quiet(), "it will capture");
        let captured = late + &line(1, r#""fact":"captured","event":"e""#);
        books = Books::parse(captured.as_bytes());
        assert!(!books.is_quiet(), "a webhook is owed");
        let taken = captured + &line(1, r#""fact":"webhook_delivered","event":"e""#);
        books = Books::parse(taken.as_bytes());
        assert!(books.is_quiet());
        let kept = |books: &Books| books.drops["d"][&("o".to_owned(), 1)].kept();
        assert_eq!(kept(&books), 5);
        let refunded = line(1, r#""fact":"refunded""#);
        let twice = taken + &refunded + &refunded + refunded.trim_end();
        books = Books::parse(twice.as_bytes());
        assert_eq!((kept(&books), books.faults.len()), (-5, 0));
        assert_eq!(Books::parse(b"{}\nnothing\n").faults.len(), 2);
    }
}
