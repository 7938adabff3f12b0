//! Stored bytes to entries.

use bytes::Bytes;
use livedrop_proto::internal::v1::{self as stored, entry_private::Detail};
use prost::Message;

use super::{CodecError, EncodedEntry, encode};
use crate::{
    domain::{
        AccountId, ItemId, OrderId, RequestId, Timestamp, drop::LedgerSecret,
        payment::PaymentMethod,
    },
    ledger::entry::{
        Call, CloseReason, Entry, Event, Line, Method, Move, ReleaseReason, Terms, TermsItem,
        WaitReason,
    },
};

type Result<T> = std::result::Result<T, CodecError>;

/// Decodes an entry; refuses bytes that would not encode to themselves.
///
/// # Errors
/// If the bytes are malformed or of a kind this version does not know.
pub fn decode(encoded: &EncodedEntry) -> Result<Entry> {
    let public = stored::EntryPublic::decode(encoded.public.clone())
        .map_err(|_| CodecError("public half is malformed"))?;
    let private = stored::EntryPrivate::decode(encoded.private.clone())
        .map_err(|_| CodecError("private half is malformed"))?;
    let entry = Entry {
        moves: public.moves.iter().map(move_).collect::<Result<_>>()?,
        call: private.call.as_ref().map(call).transpose()?,
        event: event(public, private.detail)?,
    };
    if encode(&entry) == *encoded {
        Ok(entry)
    } else {
        Err(CodecError("bytes are not canonical"))
    }
}

fn move_(change: &stored::Move) -> Result<Move> {
    let item_id = item(&change.item_id)?;
    Ok(Move {
        item_id,
        available: change.available,
        held: change.held,
        sold: change.sold,
    })
}

fn terms(terms: &stored::Terms) -> Result<Terms> {
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
        currency: terms
            .currency_code
            .parse()
            .map_err(|_| CodecError("unknown currency"))?,
        items: terms.items.iter().map(item).collect::<Result<_>>()?,
        limit_per_buyer: terms.limit_per_buyer,
        opens_at: Timestamp::from_micros(terms.opens_at_us),
        ends_at: Timestamp::from_micros(terms.ends_at_us),
        hold_micros: terms.hold_us,
        low_stock_threshold: terms.low_stock_threshold,
    })
}

fn call(call: &stored::Call) -> Result<Call> {
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
        false => Some(
            RequestId::from_slice(&call.request_id)
                .map_err(|_| CodecError("malformed request id"))?,
        ),
    };
    let fingerprint = call
        .fingerprint
        .as_ref()
        .try_into()
        .map_err(|_| CodecError("malformed fingerprint"))?;
    Ok(Call {
        caller_id: account(&call.caller_id)?,
        method,
        request_id,
        fingerprint,
    })
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

fn event(public: stored::EntryPublic, detail: Option<Detail>) -> Result<Event> {
    use stored::EntryKind;
    let Some(detail) = detail else {
        let bare = [
            (EntryKind::WentLive, Event::WentLive),
            (EntryKind::SoldOut, Event::SoldOut),
            (EntryKind::Sealed, Event::Sealed),
        ];
        let found = bare.into_iter().find(|(kind, _)| *kind == public.kind());
        return found
            .map(|(_, event)| event)
            .ok_or(CodecError("unknown kind of entry"));
    };
    // Whether kind and detail belong together shows when the entry is encoded again.
    Ok(match detail {
        Detail::TermsFrozen(it) => Event::TermsFrozen {
            terms: terms(&public.terms.ok_or(CodecError("terms are missing"))?)?,
            secret: LedgerSecret(
                it.secret
                    .as_ref()
                    .try_into()
                    .map_err(|_| CodecError("malformed secret"))?,
            ),
        },
        Detail::Held(it) => Event::Held {
            order_id: order(&it.order_id)?,
            buyer_id: account(&it.buyer_id)?,
            lines: it
                .lines
                .iter()
                .map(|line| {
                    Ok(Line {
                        item_id: item(&line.item_id)?,
                        quantity: line.quantity,
                    })
                })
                .collect::<Result<_>>()?,
            expires_at: Timestamp::from_micros(it.expires_at_us),
            total_minor: it.total_minor,
        },
        Detail::PaymentStarted(it) => Event::PaymentStarted {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            amount_minor: it.amount_minor,
            provider: it.provider,
            payment_method: PaymentMethod::stored(it.payment_method),
        },
        Detail::PaymentWaiting(it) => Event::PaymentWaiting {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            reason: match it.reason() {
                stored::WaitReason::ActionRequired => WaitReason::ActionRequired,
                stored::WaitReason::Pending => WaitReason::Pending,
                stored::WaitReason::Unknown => WaitReason::Unknown,
                stored::WaitReason::Unspecified => {
                    return Err(CodecError("unknown reason to wait"));
                }
            },
            action_url: it.action_url,
        },
        Detail::PaymentFailed(it) => Event::PaymentFailed {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            reason: it.reason,
        },
        Detail::Sold(it) => Event::Sold {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
        },
        Detail::SoldLate(it) => Event::SoldLate {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
        },
        Detail::Released(it) => Event::Released {
            order_id: order(&it.order_id)?,
            reason: match it.reason() {
                stored::ReleaseReason::Expired => ReleaseReason::Expired,
                stored::ReleaseReason::CancelledByBuyer => ReleaseReason::CancelledByBuyer,
                stored::ReleaseReason::DropCancelled => ReleaseReason::DropCancelled,
                stored::ReleaseReason::Unspecified => {
                    return Err(CodecError("unknown reason of release"));
                }
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
        Detail::Refunded(it) => Event::Refunded {
            order_id: order(&it.order_id)?,
            attempt: it.attempt,
            stray: it.stray,
        },
        Detail::Restocked(it) => Event::Restocked {
            item_id: item(&it.item_id)?,
            units: it.unit_count,
            reason: it.reason,
        },
        Detail::LowStock(it) => Event::LowStock {
            item_id: item(&it.item_id)?,
        },
        Detail::Refused(it) => Event::Refused { reason: it.reason },
        Detail::Closed(it) => Event::Closed {
            reason: match it.reason() {
                stored::CloseReason::Ended => CloseReason::Ended,
                stored::CloseReason::EndedEarly => CloseReason::EndedEarly,
                stored::CloseReason::Cancelled => CloseReason::Cancelled,
                stored::CloseReason::Unspecified => {
                    return Err(CodecError("unknown reason of closing"));
                }
            },
        },
    })
}
