//! Entries of a ledger for people: ids bare, times in RFC 3339, money in minor units, only the counts that change.

use crate::{
    domain::OrderId,
    ledger::{
        Entry, Event, Line, Method, Move, Terms,
        entry::{CloseReason, ReleaseReason, TermsItem, WaitReason},
    },
};

/// The entry in one line, such as `Sold  order 0199…; 0199…: held -1, sold +1; by PlaceOrder of 0199…`.
pub(super) fn line(entry: &Entry) -> String {
    let told = told(&entry.event);
    let mut parts: Vec<String> = (!told.is_empty()).then_some(told).into_iter().collect();
    parts.extend(entry.moves.iter().filter_map(moved));
    if let Some(call) = &entry.call {
        parts.push(format!("by {} of {}", method(call.method), call.caller_id));
    }
    let line = format!("{:<14}  {}", kind(&entry.event), parts.join("; "));
    line.trim_end().to_owned()
}

/// The event's name.
pub(super) fn kind(event: &Event) -> &'static str {
    match event {
        Event::TermsFrozen { .. } => "TermsFrozen",
        Event::WentLive => "WentLive",
        Event::Held { .. } => "Held",
        Event::PaymentStarted { .. } => "PaymentStarted",
        Event::PaymentWaiting { .. } => "PaymentWaiting",
        Event::PaymentFailed { .. } => "PaymentFailed",
        Event::Sold { .. } => "Sold",
        Event::SoldLate { .. } => "SoldLate",
        Event::Released { .. } => "Released",
        Event::RefundStarted { .. } => "RefundStarted",
        Event::Refunded { .. } => "Refunded",
        Event::Restocked { .. } => "Restocked",
        Event::LowStock { .. } => "LowStock",
        Event::SoldOut => "SoldOut",
        Event::Refused { .. } => "Refused",
        Event::Closed { .. } => "Closed",
        Event::Sealed => "Sealed",
    }
}

/// What the name does not say.
fn told(event: &Event) -> String {
    match event {
        // The secret keeps buyers' names out of the public ledger: it is never shown.
        Event::TermsFrozen { terms, secret: _ } => terms_told(terms),
        Event::Held {
            order_id,
            buyer_id,
            lines,
            expires_at,
            total_minor,
        } => {
            let lines: Vec<_> = lines.iter().map(line_told).collect();
            let lines = lines.join(", ");
            format!(
                "order {order_id}, buyer {buyer_id}, {lines}, total {total_minor}, until {expires_at}"
            )
        }
        Event::PaymentStarted {
            order_id,
            attempt,
            amount_minor,
            provider,
            payment_method,
        } => {
            let by = format!("{provider} with {payment_method:?}");
            format!(
                "{}, {amount_minor} by {by}",
                attempt_told(*order_id, *attempt)
            )
        }
        Event::PaymentWaiting {
            order_id,
            attempt,
            reason,
            action_url: _,
        } => {
            let reason = match reason {
                WaitReason::ActionRequired => "for the buyer",
                WaitReason::Pending => "for the provider",
                WaitReason::Unknown => "to know the outcome",
            };
            format!("{} {reason}", attempt_told(*order_id, *attempt))
        }
        Event::PaymentFailed {
            order_id,
            attempt,
            reason,
        } => format!("{}, {reason}", attempt_told(*order_id, *attempt)),
        Event::Sold { order_id, attempt } | Event::SoldLate { order_id, attempt } => {
            attempt_told(*order_id, *attempt)
        }
        Event::Released { order_id, reason } => {
            let reason = match reason {
                ReleaseReason::Expired => "expired",
                ReleaseReason::CancelledByBuyer => "cancelled by the buyer",
                ReleaseReason::DropCancelled => "the drop was cancelled",
            };
            format!("order {order_id}, {reason}")
        }
        Event::RefundStarted {
            order_id,
            attempt,
            reason,
            restock,
            amount_minor,
            stray,
        } => {
            let restock = if *restock { ", units come back" } else { "" };
            let attempt = attempt_told(*order_id, *attempt);
            format!(
                "{attempt}, {amount_minor}, {reason}{restock}{}",
                stray_told(*stray)
            )
        }
        Event::Refunded {
            order_id,
            attempt,
            stray,
        } => format!(
            "{}{}",
            attempt_told(*order_id, *attempt),
            stray_told(*stray)
        ),
        Event::Restocked {
            item_id,
            units,
            reason,
        } => format!("item {item_id}, {units} units, {reason:?}"),
        Event::LowStock { item_id } => format!("item {item_id}"),
        Event::Refused { reason } => reason.clone(),
        Event::Closed { reason } => match reason {
            CloseReason::Ended => "its end came".to_owned(),
            CloseReason::EndedEarly => "ended early".to_owned(),
            CloseReason::Cancelled => "cancelled".to_owned(),
        },
        Event::WentLive | Event::SoldOut | Event::Sealed => String::new(),
    }
}

fn terms_told(terms: &Terms) -> String {
    let items: Vec<_> = terms
        .items
        .iter()
        .map(|item| item_told(item, terms))
        .collect();
    format!(
        "creator {}, opens {}, ends {}{}, items {}",
        terms.creator_id,
        terms.opens_at,
        terms.ends_at,
        limit_told(terms.limit_per_buyer),
        items.join(", ")
    )
}

fn item_told(item: &TermsItem, terms: &Terms) -> String {
    let (id, stock, price) = (item.item_id, item.stock, item.unit_price_minor);
    let limit = limit_told(item.limit_per_buyer);
    format!("{stock} × {id} at {price} {}{limit}", terms.currency)
}

fn limit_told(limit_per_buyer: i32) -> String {
    match limit_per_buyer {
        0 => String::new(),
        limit => format!(" (most {limit} per buyer)"),
    }
}

fn line_told(line: &Line) -> String {
    format!("{} × {}", line.quantity, line.item_id)
}

/// What is sold without a payment has attempt 0.
fn attempt_told(order_id: OrderId, attempt: i32) -> String {
    match attempt {
        0 => format!("order {order_id}"),
        attempt => format!("order {order_id}, attempt {attempt}"),
    }
}

fn stray_told(stray: bool) -> &'static str {
    if stray { ", of a stray payment" } else { "" }
}

/// The counts that change; none if none does.
fn moved(change: &Move) -> Option<String> {
    let counts = [
        ("available", change.available),
        ("held", change.held),
        ("sold", change.sold),
    ];
    let counts: Vec<_> = counts
        .into_iter()
        .filter(|(_, delta)| *delta != 0)
        .map(|(name, delta)| format!("{name} {delta:+}"))
        .collect();
    (!counts.is_empty()).then(|| format!("{}: {}", change.item_id, counts.join(", ")))
}

fn method(method: Method) -> &'static str {
    match method {
        Method::PlaceOrder => "PlaceOrder",
        Method::PayOrder => "PayOrder",
        Method::CancelOrder => "CancelOrder",
        Method::RefundOrder => "RefundOrder",
        Method::RestockDrop => "RestockDrop",
        Method::CancelDrop => "CancelDrop",
        Method::EndDrop => "EndDrop",
        Method::SettleOrder => "SettleOrder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{AccountId, ItemId, Timestamp},
        ledger::Call,
    };

    #[test]
    fn a_line_is_for_people() {
        let id = |last: u8| uuid::Uuid::from_u128(u128::from(last));
        let short = |line: String| line.replace("00000000-0000-0000-0000-00000000000", "");
        let line_of = |event, deltas: (i64, i64, i64), call| {
            let (available, held, sold) = deltas;
            let moves = vec![Move {
                item_id: ItemId::new(id(3)),
                available,
                held,
                sold,
            }];
            short(line(&Entry { event, moves, call }))
        };
        let call = Call {
            caller_id: AccountId::new(id(2)),
            method: Method::PlaceOrder,
            request_id: None,
            fingerprint: [0; 32],
        };
        let held = Event::Held {
            order_id: OrderId::new(id(1)),
            buyer_id: AccountId::new(id(2)),
            lines: vec![Line {
                item_id: ItemId::new(id(3)),
                quantity: 2,
            }],
            expires_at: Timestamp::from_micros(1_500_000),
            total_minor: 50,
        };
        assert_eq!(
            line_of(held, (-2, 2, 0), Some(call)),
            "Held            order 1, buyer 2, 2 × 3, total 50, until 1970-01-01T00:00:01.500Z; 3: available -2, held +2; by PlaceOrder of 2"
        );
        let sold = Event::Sold {
            order_id: OrderId::new(id(1)),
            attempt: 0,
        };
        assert_eq!(
            line_of(sold, (0, -2, 2), None),
            "Sold            order 1; 3: held -2, sold +2"
        );
        assert_eq!(line_of(Event::WentLive, (0, 0, 0), None), "WentLive");
    }
}
