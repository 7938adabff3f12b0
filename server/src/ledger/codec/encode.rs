//! Entries to stored bytes.

use bytes::Bytes;
use livedrop_proto::internal::v1::{self as stored, entry_private::Detail};
use prost::Message;

use super::EncodedEntry;
use crate::{
    domain::OrderId,
    ledger::entry::{
        Call, CloseReason, Entry, Event, Method, Move, ReleaseReason, Terms, TermsItem, WaitReason,
    },
};

/// Encodes an entry.
#[must_use]
pub fn encode(entry: &Entry) -> EncodedEntry {
    let terms = if let Event::TermsFrozen { terms, .. } = &entry.event {
        Some(self::terms(terms))
    } else {
        None
    };
    let public = stored::EntryPublic {
        kind: kind(&entry.event).into(),
        moves: entry.moves.iter().map(move_).collect(),
        terms,
    };
    let private = stored::EntryPrivate {
        call: entry.call.as_ref().map(call),
        detail: detail(&entry.event),
    };
    EncodedEntry {
        public: public.encode_to_vec().into(),
        private: private.encode_to_vec().into(),
    }
}

fn bytes(id: &[u8]) -> Bytes {
    Bytes::copy_from_slice(id)
}

fn move_(change: &Move) -> stored::Move {
    stored::Move {
        item_id: bytes(change.item_id.as_bytes()),
        available: change.available,
        held: change.held,
        sold: change.sold,
    }
}

fn terms(terms: &Terms) -> stored::Terms {
    let item = |item: &TermsItem| stored::TermsItem {
        item_id: bytes(item.item_id.as_bytes()),
        stock: item.stock,
        unit_price_minor: item.unit_price_minor,
        limit_per_buyer: item.limit_per_buyer,
    };
    stored::Terms {
        version: terms.version,
        creator_id: bytes(terms.creator_id.as_bytes()),
        currency_code: terms.currency.as_str().to_owned(),
        items: terms.items.iter().map(item).collect(),
        limit_per_buyer: terms.limit_per_buyer,
        opens_at_us: terms.opens_at.micros(),
        ends_at_us: terms.ends_at.micros(),
        hold_us: terms.hold_micros,
        low_stock_threshold: terms.low_stock_threshold,
    }
}

fn call(call: &Call) -> stored::Call {
    let method = match call.method {
        Method::PlaceOrder => stored::Method::PlaceOrder,
        Method::PayOrder => stored::Method::PayOrder,
        Method::CancelOrder => stored::Method::CancelOrder,
        Method::RefundOrder => stored::Method::RefundOrder,
        Method::RestockDrop => stored::Method::RestockDrop,
        Method::CancelDrop => stored::Method::CancelDrop,
        Method::EndDrop => stored::Method::EndDrop,
        Method::SettleOrder => stored::Method::SettleOrder,
    };
    stored::Call {
        caller_id: bytes(call.caller_id.as_bytes()),
        method: method.into(),
        request_id: call
            .request_id
            .map(|id| bytes(id.as_bytes()))
            .unwrap_or_default(),
        fingerprint: bytes(&call.fingerprint),
    }
}

const fn kind(event: &Event) -> stored::EntryKind {
    use stored::EntryKind;
    match event {
        Event::TermsFrozen { .. } => EntryKind::TermsFrozen,
        Event::WentLive => EntryKind::WentLive,
        Event::Held { .. } => EntryKind::Held,
        Event::PaymentStarted { .. } => EntryKind::PaymentStarted,
        Event::PaymentWaiting { .. } => EntryKind::PaymentWaiting,
        Event::PaymentFailed { .. } => EntryKind::PaymentFailed,
        Event::Sold { .. } => EntryKind::Sold,
        Event::SoldLate { .. } => EntryKind::SoldLate,
        Event::Released { .. } => EntryKind::Released,
        Event::RefundStarted { .. } => EntryKind::RefundStarted,
        Event::Refunded { .. } => EntryKind::Refunded,
        Event::Restocked { .. } => EntryKind::Restocked,
        Event::LowStock { .. } => EntryKind::LowStock,
        Event::SoldOut => EntryKind::SoldOut,
        Event::Refused { .. } => EntryKind::Refused,
        Event::Closed { .. } => EntryKind::Closed,
        Event::Sealed => EntryKind::Sealed,
    }
}

fn detail(event: &Event) -> Option<Detail> {
    let id = |order_id: &OrderId| bytes(order_id.as_bytes());
    Some(match event {
        Event::WentLive | Event::SoldOut | Event::Sealed => return None,
        Event::TermsFrozen { secret, .. } => Detail::TermsFrozen(stored::TermsFrozen {
            secret: bytes(&secret.0),
        }),
        Event::Held {
            order_id,
            buyer_id,
            lines,
            expires_at,
            total_minor,
        } => Detail::Held(stored::Held {
            order_id: id(order_id),
            buyer_id: bytes(buyer_id.as_bytes()),
            lines: lines
                .iter()
                .map(|line| stored::Line {
                    item_id: bytes(line.item_id.as_bytes()),
                    quantity: line.quantity,
                })
                .collect(),
            expires_at_us: expires_at.micros(),
            total_minor: *total_minor,
        }),
        Event::PaymentStarted {
            order_id,
            attempt,
            amount_minor,
            provider,
            payment_method,
        } => Detail::PaymentStarted(stored::PaymentStarted {
            order_id: id(order_id),
            attempt: *attempt,
            amount_minor: *amount_minor,
            provider: provider.clone(),
            payment_method: payment_method.expose().to_owned(),
        }),
        Event::PaymentWaiting {
            order_id,
            attempt,
            reason,
            action_url,
        } => {
            let reason = match reason {
                WaitReason::ActionRequired => stored::WaitReason::ActionRequired,
                WaitReason::Pending => stored::WaitReason::Pending,
                WaitReason::Unknown => stored::WaitReason::Unknown,
            };
            Detail::PaymentWaiting(stored::PaymentWaiting {
                order_id: id(order_id),
                attempt: *attempt,
                reason: reason.into(),
                action_url: action_url.clone(),
            })
        }
        Event::PaymentFailed {
            order_id,
            attempt,
            reason,
        } => Detail::PaymentFailed(stored::PaymentFailed {
            order_id: id(order_id),
            attempt: *attempt,
            reason: reason.clone(),
        }),
        Event::Sold { order_id, attempt } => Detail::Sold(stored::Sold {
            order_id: id(order_id),
            attempt: *attempt,
        }),
        Event::SoldLate { order_id, attempt } => Detail::SoldLate(stored::SoldLate {
            order_id: id(order_id),
            attempt: *attempt,
        }),
        Event::Released { order_id, reason } => {
            let reason = match reason {
                ReleaseReason::Expired => stored::ReleaseReason::Expired,
                ReleaseReason::CancelledByBuyer => stored::ReleaseReason::CancelledByBuyer,
                ReleaseReason::DropCancelled => stored::ReleaseReason::DropCancelled,
            };
            Detail::Released(stored::Released {
                order_id: id(order_id),
                reason: reason.into(),
            })
        }
        Event::RefundStarted {
            order_id,
            attempt,
            reason,
            restock,
            amount_minor,
            stray,
        } => Detail::RefundStarted(stored::RefundStarted {
            order_id: id(order_id),
            attempt: *attempt,
            reason: reason.clone(),
            restock: *restock,
            amount_minor: *amount_minor,
            stray: *stray,
        }),
        Event::Refunded {
            order_id,
            attempt,
            stray,
        } => Detail::Refunded(stored::Refunded {
            order_id: id(order_id),
            attempt: *attempt,
            stray: *stray,
        }),
        Event::Restocked {
            item_id,
            units,
            reason,
        } => Detail::Restocked(stored::Restocked {
            item_id: bytes(item_id.as_bytes()),
            unit_count: *units,
            reason: reason.clone(),
        }),
        Event::LowStock { item_id } => Detail::LowStock(stored::LowStock {
            item_id: bytes(item_id.as_bytes()),
        }),
        Event::Refused { reason } => Detail::Refused(stored::Refused {
            reason: reason.clone(),
        }),
        Event::Closed { reason } => {
            let reason = match reason {
                CloseReason::Ended => stored::CloseReason::Ended,
                CloseReason::EndedEarly => stored::CloseReason::EndedEarly,
                CloseReason::Cancelled => stored::CloseReason::Cancelled,
            };
            Detail::Closed(stored::Closed {
                reason: reason.into(),
            })
        }
    })
}
