//! A line of the provider's file.

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use crate::{
    domain::{Currency, DropId, Money, OrderId, Timestamp, payment::FailReason},
    payments::AttemptKey,
};

/// Something that happened to a payment. The format is described at the top of `payments/test.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    pub(super) drop_id: DropId,
    pub(super) order_id: OrderId,
    pub(super) attempt: i32,
    /// Zero if the payment was never started.
    pub(super) amount_minor: i64,
    /// `None` if the payment was never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) currency: Option<Currency>,
    #[serde(flatten)]
    pub(super) fact: Fact,
}

/// What happened. An `event` is the id of a webhook that is owed from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(super) enum Fact {
    Started {
        kind: Kind,
        /// The unguessable part of the 3-D Secure page's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<String>,
    },
    ActionDone {
        event: String,
    },
    Captured {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
    },
    Failed {
        #[serde(with = "reason")]
        reason: FailReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
    },
    Cancelled,
    RefundFailed,
    Refunded,
    WebhookDelivered {
        event: String,
    },
}

impl Line {
    pub(super) fn new(at: Timestamp, key: AttemptKey, amount: Option<Money>, fact: Fact) -> Self {
        Self {
            at,
            drop_id: key.drop_id,
            order_id: key.order_id,
            attempt: key.attempt,
            amount_minor: amount.map_or(0, |money| money.amount_minor),
            currency: amount.map(|money| money.currency),
            fact,
        }
    }

    pub(super) fn key(&self) -> AttemptKey {
        AttemptKey {
            drop_id: self.drop_id,
            order_id: self.order_id,
            attempt: self.attempt,
        }
    }

    pub(super) fn amount(&self) -> Option<Money> {
        self.currency.map(|currency| Money {
            currency,
            amount_minor: self.amount_minor,
        })
    }
}

impl Fact {
    /// The webhook that is owed because of it.
    pub(super) fn event(&self) -> Option<&String> {
        match self {
            Self::ActionDone { event } => Some(event),
            Self::Captured { event } | Self::Failed { event, .. } => event.as_ref(),
            Self::Started { .. }
            | Self::Cancelled
            | Self::RefundFailed
            | Self::Refunded
            | Self::WebhookDelivered { .. } => None,
        }
    }
}

mod reason {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::domain::payment::FailReason;

    pub(super) fn serialize<S: Serializer>(reason: &FailReason, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(reason.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<FailReason, D::Error> {
        Ok(FailReason::from_name(&String::deserialize(from)?))
    }
}
