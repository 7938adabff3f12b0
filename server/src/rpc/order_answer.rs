//! Orders and receipts as the contract shows them.

use livedrop_proto::v1;

use super::{
    fields::{to_money, to_time},
    page_token,
};
use crate::{
    auth::Keys,
    domain::{AccountId, DropId, ItemId, order::OrderState, payment::FailReason},
    ledger::receipt::Receipt,
    service::{
        order_lists::{MonthPlace, OrdersPage, SegmentPlace},
        orders::Placed,
    },
    store::orders::{OrderRow, OrderRowLine},
};

/// The answer to `PlaceOrder`.
pub(super) fn placed(placed: &Placed) -> v1::PlaceOrderResponse {
    let row = &placed.order;
    let left = |&(item_id, available): &(ItemId, i64)| v1::StockLeft {
        item_id: item_id.to_string(),
        available,
    };
    v1::PlaceOrderResponse {
        order: Some(order(row.buyer_id, row)),
        stock_left: placed.stock_left.iter().map(left).collect(),
        receipt: Some(v1::ReceiptRef {
            ledger_id: row.drop_id.to_string(),
            seq: seq(row.proof.seq),
            index: i32::try_from(row.proof.index).unwrap_or(i32::MAX),
            record_hash: placed.proof_hash.to_vec().into(),
        }),
    }
}

/// An order as `caller` may see it: where a payment is confirmed is the buyer's alone.
pub(super) fn order(caller: AccountId, row: &OrderRow) -> v1::Order {
    let is_buyer = caller == row.buyer_id;
    let line = |line: &OrderRowLine| v1::OrderLine {
        item_id: line.item_id.to_string(),
        quantity: line.quantity,
        unit_price: Some(to_money(row.currency, line.unit_price_minor)),
    };
    v1::Order {
        order_id: row.order_id.to_string(),
        drop_id: row.drop_id.to_string(),
        buyer_id: row.buyer_id.to_string(),
        lines: row.lines.iter().map(line).collect(),
        total: Some(to_money(row.currency, row.total_minor)),
        state: state(row.state).into(),
        hold_expires_at: Some(to_time(row.hold_expires_at)),
        created_at: Some(to_time(row.created_at)),
        updated_at: Some(to_time(row.updated_at)),
        seq: seq(row.updated.seq),
        payment_error: row.payment_error.as_deref().map(payment_error),
        action_url: row
            .action_url
            .clone()
            .filter(|_| is_buyer)
            .unwrap_or_default(),
        attempts: row.attempts,
    }
}

/// A page of the caller's orders.
pub(super) fn orders(
    keys: &Keys,
    caller: AccountId,
    page: &OrdersPage<MonthPlace>,
) -> v1::ListOrdersResponse {
    let token = |place| page_token::orders_token(keys, caller, place);
    v1::ListOrdersResponse {
        orders: page.orders.iter().map(|row| order(caller, row)).collect(),
        next_page_token: page.next.map(token).unwrap_or_default(),
    }
}

/// A page of a drop's orders.
pub(super) fn drop_orders(
    keys: &Keys,
    caller: AccountId,
    drop_id: DropId,
    page: &OrdersPage<SegmentPlace>,
) -> v1::ListDropOrdersResponse {
    let token = |place| page_token::drop_orders_token(keys, caller, drop_id, place);
    v1::ListDropOrdersResponse {
        orders: page.orders.iter().map(|row| order(caller, row)).collect(),
        next_page_token: page.next.map(token).unwrap_or_default(),
    }
}

const fn state(state: OrderState) -> v1::OrderState {
    match state {
        OrderState::Held => v1::OrderState::Held,
        OrderState::PaymentPending => v1::OrderState::PaymentPending,
        OrderState::ActionRequired => v1::OrderState::ActionRequired,
        OrderState::PaymentUnknown => v1::OrderState::PaymentUnknown,
        OrderState::Paid => v1::OrderState::Paid,
        OrderState::Cancelled => v1::OrderState::Cancelled,
        OrderState::Expired => v1::OrderState::Expired,
        OrderState::RefundPending => v1::OrderState::RefundPending,
        OrderState::Refunded => v1::OrderState::Refunded,
    }
}

fn payment_error(name: &str) -> v1::PaymentError {
    use v1::PaymentErrorReason as Shown;
    let (reason, message) = match FailReason::from_name(name) {
        FailReason::Declined => (Shown::Declined, "the bank declined the payment"),
        FailReason::InsufficientFunds => (Shown::InsufficientFunds, "the account lacks the money"),
        FailReason::AuthenticationFailed => (
            Shown::AuthenticationFailed,
            "the payment was not confirmed by its owner",
        ),
        FailReason::InvalidMethod => (Shown::InvalidMethod, "this payment method is not taken"),
        FailReason::Cancelled => (Shown::Cancelled, "the payment was not finished in time"),
        FailReason::ProviderError => (Shown::ProviderError, "the payment provider could not do it"),
        FailReason::SettledByHand => (Shown::SettledByHand, "an operator settled the payment"),
    };
    v1::PaymentError {
        reason: reason.into(),
        message: message.to_owned(),
    }
}

/// A receipt.
pub(super) fn receipt(receipt: Receipt) -> v1::Receipt {
    v1::Receipt {
        header: receipt.header.into(),
        prev_hash: receipt.prev_hash.to_vec().into(),
        hash: receipt.hash.to_vec().into(),
        counts_hash: receipt.counts_hash.to_vec().into(),
        public: receipt.public,
        private: receipt.private,
        salt: receipt.salt.to_vec().into(),
        index: i32::try_from(receipt.index).unwrap_or(i32::MAX),
        leaves: receipt
            .leaves
            .iter()
            .map(|leaf| leaf.to_vec().into())
            .collect(),
    }
}

fn seq(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payment_errors_have_the_names_of_the_domain() {
        for reason in FailReason::ALL {
            let shown = payment_error(reason.as_str()).reason().as_str_name();
            let name = shown.strip_prefix("PAYMENT_ERROR_REASON_").unwrap();
            assert_eq!(name, reason.as_str());
        }
        let shown = (1..100).filter(|it| v1::PaymentErrorReason::try_from(*it).is_ok());
        assert_eq!(shown.count(), FailReason::ALL.len());
    }
}
