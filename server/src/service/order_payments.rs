//! Paying for orders and giving the money back. The ledger decides; the payment runner does.

use std::time::Duration;

use super::{Context, Error, OrderWatch, Result, orders::on_order, requests::Fingerprint};
use crate::{
    domain::{
        AccountId, DropId, OrderId, RequestId, Timestamp, order::OrderState, payment::PaymentMethod,
    },
    ledger::{Call, Command, Method, OrderView, PayBy},
    store::orders::OrderRow,
};

/// How long a call waits for the provider's word; after that the buyer watches the order.
const PAYMENT_WAIT: Duration = Duration::from_secs(8);
/// What is left of the caller's time for the answer to arrive.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// How a buyer wants to pay.
#[derive(Debug, Clone)]
pub struct PayOrder {
    /// The client's key.
    pub request_id: RequestId,
    /// The order's drop.
    pub drop_id: DropId,
    /// Which order.
    pub order_id: OrderId,
    /// By what.
    pub payment_method: PaymentMethod,
    /// 0 on the first try.
    pub retry_count: i32,
}

/// Begins to pay for the caller's held order, and waits for the provider's word, but not for ever.
///
/// # Errors
/// As `PayOrder` of the contract.
pub async fn pay(
    ctx: &Context,
    caller: AccountId,
    wish: PayOrder,
    time_left: Duration,
) -> Result<OrderRow> {
    let until = ctx.env.now() + time_left;
    let (drop_id, order_id) = (wish.drop_id, wish.order_id);
    let print = Fingerprint::new("PayOrder").bytes(order_id.as_bytes());
    let call = Call {
        caller_id: caller,
        method: Method::PayOrder,
        request_id: Some(wish.request_id),
        fingerprint: print.text(wish.payment_method.expose()).finish(),
    };
    let command = Command::PayOrder {
        call,
        order_id,
        pay_by: pay_by(ctx, wish.payment_method)?,
        retry_count: wish.retry_count,
    };
    let view = on_order(ctx, drop_id, order_id, command, time_left).await?;
    let (order, _) = paid_or_waiting(ctx, caller, drop_id, &view, until).await;
    Ok(order)
}

pub(super) fn pay_by(ctx: &Context, method: PaymentMethod) -> Result<PayBy> {
    let provider = ctx.payments.providers().chosen().ok_or_else(|| {
        Error::invalid(
            "payment_method",
            "must be empty: this server takes no payments",
        )
    })?;
    Ok(PayBy {
        provider: provider.to_owned(),
        method,
    })
}

/// The order once its payment has come to something, or when the time is up. Its record's proof comes along.
pub(super) async fn paid_or_waiting(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    view: &OrderView,
    until: Timestamp,
) -> (OrderRow, [u8; 32]) {
    let order = view.order.row(drop_id, &view.terms);
    let left = until.since(ctx.env.now()).saturating_sub(ANSWER_MARGIN);
    if !is_paying(order.state) || left.is_zero() {
        return (order, view.proof_hash);
    }
    let watching = async {
        let mut watch = OrderWatch::begin(ctx, caller, drop_id, order.order_id, left).await?;
        loop {
            let newest = watch.newest().await?;
            if !is_paying(newest.order.state) {
                return Ok::<_, Error>(newest);
            }
        }
    };
    let outcome = tokio::select! {
        outcome = watching => outcome.ok(),
        () = ctx.env.sleep(left.min(PAYMENT_WAIT)) => None,
    };
    match outcome {
        Some(newest) => (newest.order.row(drop_id, &newest.terms), newest.proof_hash),
        // The hold is there, and the payment goes on: the buyer asks again.
        None => (order, view.proof_hash),
    }
}

const fn is_paying(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::PaymentPending | OrderState::PaymentUnknown
    )
}

/// Why money goes back.
#[derive(Debug, Clone)]
pub struct RefundOrder {
    /// The client's key.
    pub request_id: RequestId,
    /// The order's drop.
    pub drop_id: DropId,
    /// Which order.
    pub order_id: OrderId,
    /// Why, for the record.
    pub reason: String,
    /// Whether its units are for sale again.
    pub restock: bool,
}

/// Gives the money of a paid order of the caller's drop back.
///
/// # Errors
/// As `RefundOrder` of the contract.
pub async fn refund(
    ctx: &Context,
    caller: AccountId,
    wish: RefundOrder,
    time_left: Duration,
) -> Result<OrderRow> {
    let (drop_id, order_id) = (wish.drop_id, wish.order_id);
    super::drops::owned(ctx, caller, drop_id).await?;
    let print = Fingerprint::new("RefundOrder")
        .bytes(order_id.as_bytes())
        .text(&wish.reason)
        .number(i64::from(wish.restock));
    let call = Call {
        caller_id: caller,
        method: Method::RefundOrder,
        request_id: Some(wish.request_id),
        fingerprint: print.finish(),
    };
    let command = Command::RefundOrder {
        call,
        order_id,
        reason: wish.reason,
        restock: wish.restock,
    };
    let view = on_order(ctx, drop_id, order_id, command, time_left).await?;
    Ok(view.order.row(drop_id, &view.terms))
}
