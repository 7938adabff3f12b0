//! Orders and receipts as the contract shows them.

use livedrop_proto::v1;

use super::fields::{to_money, to_time};
use crate::{
    domain::{ItemId, order::OrderState, payment::FailReason},
    ledger::receipt::Receipt,
    service::orders::Placed,
    store::orders::{OrderRow, OrderRowLine},
};

/// The answer to `PlaceOrder`.
pub(super) fn placed(placed: &Placed) -> v1::PlaceOrderResponse {
    let left = |&(item_id, available): &(ItemId, i64)| v1::StockLeft {
        item_id: item_id.to_string(),
        available,
    };
    let proof = placed.order.proof;
    v1::PlaceOrderResponse {
        order: Some(order(&placed.order)),
        stock_left: placed.stock_left.iter().map(left).collect(),
        receipt: Some(v1::ReceiptRef {
            ledger_id: placed.order.drop_id.to_string(),
            seq: seq(proof.seq),
            index: i32::try_from(proof.index).unwrap_or(i32::MAX),
            record_hash: placed.proof_hash.to_vec().into(),
        }),
    }
}

/// An order.
pub(super) fn order(row: &OrderRow) -> v1::Order {
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
        action_url: row.action_url.clone().unwrap_or_default(),
        attempts: row.attempts,
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

/// Why the newest payment failed.
fn payment_error(name: &str) -> v1::PaymentError {
    let (reason, message) = match FailReason::from_name(name) {
        FailReason::Declined => (
            v1::PaymentErrorReason::Declined,
            "the bank declined the payment",
        ),
        FailReason::InsufficientFunds => (
            v1::PaymentErrorReason::InsufficientFunds,
            "the account lacks the money",
        ),
        FailReason::AuthenticationFailed => (
            v1::PaymentErrorReason::AuthenticationFailed,
            "the payment was not confirmed by its owner",
        ),
        FailReason::InvalidMethod => (
            v1::PaymentErrorReason::InvalidMethod,
            "this payment method is not taken",
        ),
        FailReason::Cancelled => (
            v1::PaymentErrorReason::Cancelled,
            "the payment was not finished in time",
        ),
        FailReason::ProviderError => (
            v1::PaymentErrorReason::ProviderError,
            "the payment provider could not do it",
        ),
        FailReason::SettledByHand => (
            v1::PaymentErrorReason::SettledByHand,
            "an operator settled the payment",
        ),
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
