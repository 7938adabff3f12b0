//! Requests of `OrderService`: all violations of a request at once.

use livedrop_proto::v1;

use super::{fields, resume_token::OrderResume};
use crate::{
    auth::Keys,
    domain::{AccountId, DropId, Money, OrderId, payment::PaymentMethod},
    ledger::Line,
    service::{
        Error,
        order_payments::{PayOrder, RefundOrder},
        orders::PlaceOrder,
        violations::Violations,
    },
    store::orders::LedgerPlace,
};

/// Characters of a refund's reason.
const REASON_CHARS: std::ops::RangeInclusive<usize> = 0..=200;

/// Reads an order to be placed.
pub(super) fn place(request: v1::PlaceOrderRequest) -> Result<PlaceOrder, Error> {
    let mut found = Violations::default();
    let request_id = found.check("request_id", fields::id(&request.request_id));
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let retry_count = found.check(
        "retry_count",
        fields::number(request.retry_count, 0..=i32::MAX),
    );
    let lines = lines(&request.lines, &mut found);
    let expected_total = expected_total(request.expected_total.as_ref(), &mut found);
    let payment_method = match request.payment_method.as_str() {
        "" => Some(None),
        token => payment_method(token, &mut found).map(Some),
    };
    let wish = (|| {
        Some(PlaceOrder {
            request_id: request_id?,
            drop_id: drop_id?,
            lines: lines?,
            expected_total: expected_total?,
            payment_method: payment_method?,
            retry_count: retry_count?,
        })
    })();
    wish.ok_or_else(|| found.into())
}

/// What is wrong with the token is said without the token.
fn payment_method(token: &str, found: &mut Violations) -> Option<PaymentMethod> {
    found.check("payment_method", fields::id(token))
}

/// Reads how to pay.
pub(super) fn pay(request: &v1::PayOrderRequest) -> Result<PayOrder, Error> {
    let mut found = Violations::default();
    let request_id = found.check("request_id", fields::id(&request.request_id));
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let order_id = found.check("order_id", fields::id(&request.order_id));
    let payment_method = payment_method(&request.payment_method, &mut found);
    let retry_count = found.check(
        "retry_count",
        fields::number(request.retry_count, 0..=i32::MAX),
    );
    let wish = (|| {
        Some(PayOrder {
            request_id: request_id?,
            drop_id: drop_id?,
            order_id: order_id?,
            payment_method: payment_method?,
            retry_count: retry_count?,
        })
    })();
    wish.ok_or_else(|| found.into())
}

/// Reads what to refund.
pub(super) fn refund(request: v1::RefundOrderRequest) -> Result<RefundOrder, Error> {
    let mut found = Violations::default();
    let request_id = found.check("request_id", fields::id(&request.request_id));
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let order_id = found.check("order_id", fields::id(&request.order_id));
    let reason = found.check("reason", fields::text(request.reason, REASON_CHARS, false));
    let wish = (|| {
        Some(RefundOrder {
            request_id: request_id?,
            drop_id: drop_id?,
            order_id: order_id?,
            reason: reason?,
            restock: request.restock,
        })
    })();
    wish.ok_or_else(|| found.into())
}

fn lines(lines: &[v1::PlaceOrderLine], found: &mut Violations) -> Option<Vec<Line>> {
    if lines.is_empty() || lines.len() > 100 {
        found.note("lines", "must have 1 to 100 lines");
        return None;
    }
    // Few enough to be looked through.
    let mut seen = Vec::with_capacity(lines.len());
    let mut read = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let item_id = found.check(
            format_args!("lines[{i}].item_id"),
            fields::id(&line.item_id),
        );
        let quantity = found.check(
            format_args!("lines[{i}].quantity"),
            fields::number(line.quantity, 1..=1_000),
        );
        if item_id.is_some() && seen.contains(&item_id) {
            found.note(
                &format!("lines[{i}].item_id"),
                "must not repeat another line's",
            );
        } else if let (Some(item_id), Some(quantity)) = (item_id, quantity) {
            read.push(Line { item_id, quantity });
        }
        seen.push(item_id);
    }
    (read.len() == lines.len()).then_some(read)
}

/// `None` is a violation; `Some(None)` is no expectation.
fn expected_total(total: Option<&v1::Money>, found: &mut Violations) -> Option<Option<Money>> {
    match total.map(|total| fields::money(total, 0..=i64::MAX)) {
        None => Some(None),
        Some(Ok(total)) => Some(Some(total)),
        Some(Err((part, rule))) => {
            found.note(&format!("expected_total.{part}"), &rule);
            None
        }
    }
}

/// Reads the ids that name an order.
pub(super) fn ids(drop_id: &str, order_id: &str) -> Result<(DropId, OrderId), Error> {
    let mut found = Violations::default();
    let drop_id = found.check("drop_id", fields::id(drop_id));
    let order_id = found.check("order_id", fields::id(order_id));
    drop_id.zip(order_id).ok_or_else(|| found.into())
}

/// Reads which order, and how new the answer must be.
pub(super) fn get(request: &v1::GetOrderRequest) -> Result<(DropId, OrderId, u64), Error> {
    let mut found = Violations::default();
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let order_id = found.check("order_id", fields::id(&request.order_id));
    let min_seq = found.check("min_seq", fields::number(request.min_seq, 0..=i64::MAX));
    let asked = (|| Some((drop_id?, order_id?, min_seq?.unsigned_abs())))();
    asked.ok_or_else(|| found.into())
}

/// Reads which order to watch, and after which change.
pub(super) fn watch(
    keys: &Keys,
    caller: AccountId,
    request: &v1::WatchOrderRequest,
) -> Result<(OrderResume, Option<LedgerPlace>), Error> {
    let mut found = Violations::default();
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let order_id = found.check("order_id", fields::id(&request.order_id));
    let resume = drop_id
        .zip(order_id)
        .map(|(drop_id, order_id)| OrderResume {
            caller,
            drop_id,
            order_id,
        });
    let place = resume.and_then(|resume| {
        let place = resume.place(keys, &request.resume_token);
        found.check("resume_token", place)
    });
    resume.zip(place).ok_or_else(|| found.into())
}
