//! Entries to stored bytes and back: a public half that anyone may read and a private half that only the ledger's owner can open.

use bytes::Bytes;
use livedrop_proto::internal::v1::{self as stored, entry_private::Detail};
use prost::Message;

use super::entry::{
    Call, CloseReason, Entry, Event, Line, Method, Move, ReleaseReason, Terms, TermsItem, WaitReason,
};
use crate::domain::{AccountId, ItemId, OrderId, RequestId, Timestamp, drop::LedgerSecret};

/// Stored bytes that this version can't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub &'static str);

type Result<T> = std::result::Result<T, CodecError>;

/// An entry's two halves as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEntry {
    /// Encoded `EntryPublic`.
    pub public: Bytes,
    /// Encoded `EntryPrivate`.
    pub private: Bytes,
}

/// Encodes an entry.
#[must_use]
pub fn encode(entry: &Entry) -> EncodedEntry {
    let public = stored::EntryPublic {
        kind: kind(&entry.event).into(),
        moves: entry.moves.iter().map(encode_move).collect(),
        terms: match &entry.event {
            Event::TermsFrozen { terms, .. } => Some(encode_terms(terms)),
            _ => None,
        },
    };
    let private = stored::EntryPrivate { call: entry.call.as_ref().map(encode_call), detail: detail(&entry.event) };
    EncodedEntry { public: public.encode_to_vec().into(), private: private.encode_to_vec().into() }
}

/// Decodes an entry; refuses bytes that would not encode to themselves.
///
/// # Errors
/// If the bytes are malformed or of a kind this version does not know.
pub fn decode(encoded: &EncodedEntry) -> Result<Entry> {
    let public =
        stored::EntryPublic::decode(encoded.public.clone()).map_err(|_| CodecError("public half is malformed"))?;
    let private =
        stored::EntryPrivate::decode(encoded.private.clone()).map_err(|_| CodecError("private half is malformed"))?;
    let entry = Entry {
        moves: public.moves.iter().map(decode_move).collect::<Result<_>>()?,
        call: private.call.as_ref().map(decode_call).transpose()?,
        event: decode_event(public, private.detail)?,
    };
    if encode(&entry) == *encoded { Ok(entry) } else { Err(CodecError("bytes are not canonical")) }
}

fn bytes(id: &[u8]) -> Bytes {
    Bytes::copy_from_slice(id)
}

fn encode_move(change: &Move) -> stored::Move {
    stored::Move {
        item_id: bytes(change.item_id.as_bytes()),
        available: change.available,
        held: change.held,
        sold: change.sold,
    }
}

fn decode_move(change: &stored::Move) -> Result<Move> {
    let item_id = item(&change.item_id)?;
    Ok(Move { item_id, available: change.available, held: change.held, sold: change.sold })
}

fn encode_terms(terms: &Terms) -> stored::Terms {
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

fn decode_terms(terms: &stored::Terms) -> Result<Terms> {
    let item = |it: &stored::TermsItem| {
        Ok(TermsItem {
            item_id: item(&it.item_id)?,
            stock: it.stock,
            unit_price_minor: it.unit_price_minor,
            limit_per_buyer: it.limit_per_buyer,
        })
    };
    Ok(Terms {
        version: terms.version,
        creator_id: account(&terms.creator_id)?,
        currency: terms.currency_code.parse().map_err(|_| CodecError("unknown currency"))?,
        items: terms.items.iter().map(item).collect::<Result<_>>()?,
        limit_per_buyer: terms.limit_per_buyer,
        opens_at: Timestamp::from_micros(terms.opens_at_us),
        ends_at: Timestamp::from_micros(terms.ends_at_us),
        hold_micros: terms.hold_us,
        low_stock_threshold: terms.low_stock_threshold,
    })
}

fn encode_call(call: &Call) -> stored::Call {
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
        request_id: call.request_id.map(|id| bytes(id.as_bytes())).unwrap_or_default(),
        fingerprint: bytes(&call.fingerprint),
    }
}

fn decode_call(call: &stored::Call) -> Result<Call> {
    let method = match call.method() {
        stored::Method::PlaceOrder => Method::PlaceOrder,
        stored::Method::PayOrder => Method::PayOrder,
        stored::Method::CancelOrder => Method::CancelOrder,
        stored::Method::RefundOrder => Method::RefundOrder,
        stored::Method::RestockDrop => Method::RestockDrop,
        stored::Method::CancelDrop => Method::CancelDrop,
        stored::Method::EndDrop => Method::EndDrop,
        stored::Method::SettleOrder => Method::SettleOrder,
        stored::Method::Unspecified => return Err(CodecError("unknown method")),
    };
    let request_id = match call.request_id.is_empty() {
        true => None,
        false => Some(RequestId::from_slice(&call.request_id).map_err(|_| CodecError("malformed request id"))?),
    };
    let fingerprint = call.fingerprint.as_ref().try_into().map_err(|_| CodecError("malformed fingerprint"))?;
    Ok(Call { caller_id: account(&call.caller_id)?, method, request_id, fingerprint })
}

fn item(id: &Bytes) -> Result<ItemId> {
    ItemId::from_slice(id).map_err(|_| CodecError("malformed item id"))
}

fn account(id: &Bytes) -> Result<AccountId> {
    AccountId::from_slice(id).map_err(|_| CodecError("malformed account id"))
}

fn order(id: &Bytes) -> Result<OrderId> {
    OrderId::from_slice(id).map_err(|_| CodecError("malformed order id"))
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
        Event::TermsFrozen { secret, .. } => Detail::TermsFrozen(stored::TermsFrozen { secret: bytes(&secret.0) }),
        Event::Held { order_id, buyer_id, lines, expires_at, total_minor } => Detail::Held(stored::Held {
            order_id: id(order_id),
            buyer_id: bytes(buyer_id.as_bytes()),
            lines: lines
                .iter()
                .map(|line| stored::Line { item_id: bytes(line.item_id.as_bytes()), quantity: line.quantity })
                .collect(),
            expires_at_us: expires_at.micros(),
            total_minor: *total_minor,
        }),
        Event::PaymentStarted { order_id, attempt, amount_minor, provider, payment_method } => {
            Detail::PaymentStarted(stored::PaymentStarted {
                order_id: id(order_id),
                attempt: *attempt,
                amount_minor: *amount_minor,
                provider: provider.clone(),
                payment_method: payment_method.clone(),
            })
        }
        Event::PaymentWaiting { order_id, attempt, reason, action_url } => {
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
        Event::PaymentFailed { order_id, attempt, reason } => Detail::PaymentFailed(stored::PaymentFailed {
            order_id: id(order_id),
            attempt: *attempt,
            reason: reason.clone(),
        }),
        Event::Sold { order_id, attempt } => Detail::Sold(stored::Sold { order_id: id(order_id), attempt: *attempt }),
        Event::SoldLate { order_id, attempt } => {
            Detail::SoldLate(stored::SoldLate { order_id: id(order_id), attempt: *attempt })
        }
        Event::Released { order_id, reason } => {
            let reason = match reason {
                ReleaseReason::Expired => stored::ReleaseReason::Expired,
                ReleaseReason::CancelledByBuyer => stored::ReleaseReason::CancelledByBuyer,
                ReleaseReason::DropCancelled => stored::ReleaseReason::DropCancelled,
            };
            Detail::Released(stored::Released { order_id: id(order_id), reason: reason.into() })
        }
        Event::RefundStarted { order_id, attempt, reason, restock, amount_minor, stray } => {
            Detail::RefundStarted(stored::RefundStarted {
                order_id: id(order_id),
                attempt: *attempt,
                reason: reason.clone(),
                restock: *restock,
                amount_minor: *amount_minor,
                stray: *stray,
            })
        }
        Event::Refunded { order_id, attempt, stray } => {
            Detail::Refunded(stored::Refunded { order_id: id(order_id), attempt: *attempt, stray: *stray })
        }
        Event::Restocked { item_id, units, reason } => Detail::Restocked(stored::Restocked {
            item_id: bytes(item_id.as_bytes()),
            unit_count: *units,
            reason: reason.clone(),
        }),
        Event::LowStock { item_id } => Detail::LowStock(stored::LowStock { item_id: bytes(item_id.as_bytes()) }),
        Event::Refused { reason } => Detail::Refused(stored::Refused { reason: reason.clone() }),
        Event::Closed { reason } => {
            let reason = match reason {
                CloseReason::Ended => stored::CloseReason::Ended,
                CloseReason::EndedEarly => stored::CloseReason::EndedEarly,
                CloseReason::Cancelled => stored::CloseReason::Cancelled,
            };
            Detail::Closed(stored::Closed { reason: reason.into() })
        }
    })
}

fn decode_event(public: stored::EntryPublic, detail: Option<Detail>) -> Result<Event> {
    use stored::EntryKind;
    let Some(detail) = detail else {
        return match public.kind() {
            EntryKind::WentLive => Ok(Event::WentLive),
            EntryKind::SoldOut => Ok(Event::SoldOut),
            EntryKind::Sealed => Ok(Event::Sealed),
            _ => Err(CodecError("unknown kind of entry")),
        };
    };
    // Whether kind and detail belong together shows when the entry is encoded again.
    Ok(match detail {
        Detail::TermsFrozen(it) => Event::TermsFrozen {
            terms: decode_terms(&public.terms.ok_or(CodecError("terms are missing"))?)?,
            secret: LedgerSecret(it.secret.as_ref().try_into().map_err(|_| CodecError("malformed secret"))?),
        },
        Detail::Held(it) => Event::Held {
            order_id: order(&it.order_id)?,
            buyer_id: account(&it.buyer_id)?,
            lines: it
                .lines
                .iter()
                .map(|line| Ok(Line { item_id: item(&line.item_id)?, quantity: line.quantity }))
                .collect::<Result<_>>()?,
            expires_at: Timestamp::from_micros(it.expires_at_us),
            total_minor: it.total_minor,
        },
        Detail::PaymentStarted(it) => Event::PaymentStarted {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            amount_minor: it.amount_minor,
            provider: it.provider,
            payment_method: it.payment_method,
        },
        Detail::PaymentWaiting(it) => Event::PaymentWaiting {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            reason: match it.reason() {
                stored::WaitReason::ActionRequired => WaitReason::ActionRequired,
                stored::WaitReason::Pending => WaitReason::Pending,
                stored::WaitReason::Unknown => WaitReason::Unknown,
                stored::WaitReason::Unspecified => return Err(CodecError("unknown reason to wait")),
            },
            action_url: it.action_url,
        },
        Detail::PaymentFailed(it) => {
            Event::PaymentFailed { order_id: order(&it.order_id)?, attempt: it.attempt, reason: it.reason }
        }
        Detail::Sold(it) => Event::Sold { order_id: order(&it.order_id)?, attempt: it.attempt },
        Detail::SoldLate(it) => Event::SoldLate { order_id: order(&it.order_id)?, attempt: it.attempt },
        Detail::Released(it) => Event::Released {
            order_id: order(&it.order_id)?,
            reason: match it.reason() {
                stored::ReleaseReason::Expired => ReleaseReason::Expired,
                stored::ReleaseReason::CancelledByBuyer => ReleaseReason::CancelledByBuyer,
                stored::ReleaseReason::DropCancelled => ReleaseReason::DropCancelled,
                stored::ReleaseReason::Unspecified => return Err(CodecError("unknown reason of release")),
            },
        },
        Detail::RefundStarted(it) => Event::RefundStarted {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            reason: it.reason,
            restock: it.restock,
            amount_minor: it.amount_minor,
            stray: it.stray,
        },
        Detail::Refunded(it) => {
            Event::Refunded { order_id: order(&it.order_id)?, attempt: it.attempt, stray: it.stray }
        }
        Detail::Restocked(it) => {
            Event::Restocked { item_id: item(&it.item_id)?, units: it.unit_count, reason: it.reason }
        }
        Detail::LowStock(it) => Event::LowStock { item_id: item(&it.item_id)? },
        Detail::Refused(it) => Event::Refused { reason: it.reason },
        Detail::Closed(it) => Event::Closed {
            reason: match it.reason() {
                stored::CloseReason::Ended => CloseReason::Ended,
                stored::CloseReason::EndedEarly => CloseReason::EndedEarly,
                stored::CloseReason::Cancelled => CloseReason::Cancelled,
                stored::CloseReason::Unspecified => return Err(CodecError("unknown reason of closing")),
            },
        },
    })
}
