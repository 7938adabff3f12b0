//! Orders and receipts as the contract shows them.

use livedrop_proto::v1;

use super::fields::{to_money, to_time};
use crate::{
    domain::{DropId, ItemId, order::OrderState},
    ledger::{OrderView, receipt::Receipt},
};

/// The answer to `PlaceOrder`.
pub(super) fn placed(drop_id: DropId, view: &OrderView) -> v1::PlaceOrderResponse {
    let left = |&(item_id, available): &(ItemId, i64)| v1::StockLeft {
        item_id: item_id.to_string(),
        available,
    };
    v1::PlaceOrderResponse {
        order: Some(order(drop_id, view)),
        stock_left: view.stock_left.iter().map(left).collect(),
        receipt: Some(v1::ReceiptRef {
            ledger_id: drop_id.to_string(),
            seq: seq(view.order.proof.seq),
            index: i32::try_from(view.order.proof.index).unwrap_or(i32::MAX),
            record_hash: view.proof_hash.to_vec().into(),
        }),
    }
}

/// An order.
pub(super) fn order(drop_id: DropId, view: &OrderView) -> v1::Order {
    let (order, terms) = (&view.order, &view.terms);
    let line = |line: &crate::ledger::Line| v1::OrderLine {
        item_id: line.item_id.to_string(),
        quantity: line.quantity,
        unit_price: terms
            .item(line.item_id)
            .map(|item| to_money(terms.currency, item.unit_price_minor)),
    };
    v1::Order {
        order_id: order.order_id.to_string(),
        drop_id: drop_id.to_string(),
        buyer_id: order.buyer_id.to_string(),
        lines: order.lines.iter().map(line).collect(),
        total: Some(to_money(terms.currency, order.total_minor)),
        state: state(order.state).into(),
        hold_expires_at: Some(to_time(order.hold_expires_at)),
        created_at: Some(to_time(order.created_at)),
        updated_at: Some(to_time(order.updated.recorded_at)),
        seq: seq(order.updated.seq),
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
