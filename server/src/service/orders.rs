//! Orders: all that matters happens in the ledger; here calls become commands and answers.

use std::time::Duration;

use super::{Context, Error, Result, order_payments, refusals, requests::Fingerprint};
use crate::{
    domain::{
        AccountId, DropId, ItemId, Money, OrderId, RequestId, payment::PaymentMethod,
        reason::Reason,
    },
    ledger::{
        Answer, Call, Command, LedgerError, Line, Method, OrderView, Refusal,
        receipt::{self, Receipt},
    },
    store::orders::OrderRow,
};

/// What a buyer wants.
#[derive(Debug, Clone)]
pub struct PlaceOrder {
    /// The client's key.
    pub request_id: RequestId,
    /// From which drop.
    pub drop_id: DropId,
    /// 1 to 100 distinct items.
    pub lines: Vec<Line>,
    /// What the buyer expects to pay.
    pub expected_total: Option<Money>,
    /// By what to pay at once; without it the order waits for `PayOrder`.
    pub payment_method: Option<PaymentMethod>,
    /// 0 on the first try.
    pub retry_count: i32,
}

impl PlaceOrder {
    fn fingerprint(&self) -> [u8; 32] {
        let lines = i64::try_from(self.lines.len()).unwrap_or(i64::MAX);
        let mut print = Fingerprint::new("PlaceOrder")
            .bytes(self.drop_id.as_bytes())
            .number(lines);
        for line in &self.lines {
            print = print
                .bytes(line.item_id.as_bytes())
                .number(i64::from(line.quantity));
        }
        if let Some(total) = self.expected_total {
            print = print
                .text(total.currency.as_str())
                .number(total.amount_minor);
        }
        match &self.payment_method {
            Some(method) => print.text(method.expose()),
            None => print,
        }
        .finish()
    }
}

/// A placed order, and what is left.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The order.
    pub order: OrderRow,
    /// Units left of the ordered items, in the order of the lines.
    pub stock_left: Vec<(ItemId, i64)>,
    /// Hash of the record that holds the order's proof.
    pub proof_hash: [u8; 32],
}

/// Holds units for the caller, sells them if they cost nothing, and begins to pay if it is said how. The hold is durable when this
/// returns; a payment is waited for, but not for ever.
///
/// # Errors
/// As `PlaceOrder` of the contract.
pub async fn place(
    ctx: &Context,
    caller: AccountId,
    wish: PlaceOrder,
    time_left: Duration,
) -> Result<Placed> {
    let until = ctx.env.now() + time_left;
    let call = Call {
        caller_id: caller,
        method: Method::PlaceOrder,
        request_id: Some(wish.request_id),
        fingerprint: wish.fingerprint(),
    };
    let PlaceOrder {
        request_id,
        drop_id,
        lines,
        expected_total,
        payment_method,
        retry_count,
    } = wish;
    let command = Command::PlaceOrder {
        call,
        order_id: OrderId::new(ctx.env.uuid()),
        lines: lines.clone(),
        expected_total,
        pay_by: payment_method
            .map(|it| order_payments::pay_by(ctx, it))
            .transpose()?,
        retry_count,
    };
    let view = match ctx.ledgers.call(drop_id, command, time_left).await {
        Ok((_, Answer::Order(view))) => *view,
        Ok((ledger, Answer::Refused(Refusal::UnknownItem(_)))) => {
            return Err(refusals::unknown_items(&ledger.row(), &lines));
        }
        Ok((_, Answer::Refused(refusal))) => {
            return Err(refusals::refused(drop_id, Some(request_id), refusal));
        }
        Ok((_, Answer::Drop(_) | Answer::Attempt(_))) => {
            return Err(Error::Internal("not answered with an order".to_owned()));
        }
        Err(error) => return Err(refusals::no_answer(drop_id, error)),
    };
    let (order, proof_hash) =
        order_payments::paid_or_waiting(ctx, caller, drop_id, &view, until).await;
    Ok(Placed {
        order,
        stock_left: view.stock_left,
        proof_hash,
    })
}

/// Gives the caller's hold back. Repeating is harmless.
///
/// # Errors
/// As `CancelOrder` of the contract.
pub async fn cancel(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    time_left: Duration,
) -> Result<OrderRow> {
    let fingerprint = Fingerprint::new("CancelOrder")
        .bytes(order_id.as_bytes())
        .finish();
    let call = Call {
        caller_id: caller,
        method: Method::CancelOrder,
        request_id: None,
        fingerprint,
    };
    let command = Command::CancelOrder { call, order_id };
    let view = on_order(ctx, drop_id, order_id, command, time_left).await?;
    Ok(view.order.row(drop_id, &view.terms))
}

/// Reads an order of the caller, or of the caller's drop, at least as new as `min_seq`. A ledger in memory answers from its fold, others
/// from the order's row if that is new enough.
///
/// # Errors
/// As `GetOrder` of the contract.
pub async fn get(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    min_seq: u64,
    time_left: Duration,
) -> Result<OrderRow> {
    if !ctx.ledgers.is_open(drop_id)
        && let Some(row) = ctx.store.get_order(order_id).await?
        && row.drop_id == drop_id
        && row.updated.seq >= min_seq
    {
        return if row.buyer_id == caller || row.creator_id == caller {
            Ok(row)
        } else {
            Err(unknown(order_id))
        };
    }
    let view = from_fold(ctx, caller, drop_id, order_id, time_left).await?;
    Ok(view.order.row(drop_id, &view.terms))
}

/// Reads an order from its ledger's fold.
pub(super) async fn from_fold(
    ctx: &Context,
    caller_id: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    time_left: Duration,
) -> Result<OrderView> {
    let command = Command::GetOrder {
        caller_id,
        order_id,
    };
    on_order(ctx, drop_id, order_id, command, time_left).await
}

/// Makes the receipt of the caller's order, from its record in the store.
///
/// # Errors
/// As `GetReceipt` of the contract.
pub async fn receipt(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    time_left: Duration,
) -> Result<Receipt> {
    let view = from_fold(ctx, caller, drop_id, order_id, time_left).await?;
    if view.order.buyer_id != caller {
        return Err(unknown(order_id));
    }
    let ledger = ctx
        .ledgers
        .ledger(drop_id)
        .await
        .map_err(|error| refusals::no_answer(drop_id, error))?;
    let at = view.order.proof;
    let records = ctx.store.read_from(drop_id, at.seq, 1).await?;
    let missing = || Error::not_found(Reason::ReceiptNotFound, "receipt", order_id);
    let record = records.first().ok_or_else(missing)?;
    receipt::make(record, &ledger.secret, at).map_err(|error| Error::Internal(error.to_string()))
}

pub(super) async fn on_order(
    ctx: &Context,
    drop_id: DropId,
    order_id: OrderId,
    command: Command,
    time_left: Duration,
) -> Result<OrderView> {
    let request_id = command.request_id();
    match ctx.ledgers.call(drop_id, command, time_left).await {
        Ok((_, Answer::Order(view))) => Ok(*view),
        Ok((_, Answer::Refused(refusal))) => Err(with_order_id(
            refusals::refused(drop_id, request_id, refusal),
            order_id,
        )),
        Ok((_, Answer::Drop(_) | Answer::Attempt(_))) => {
            Err(Error::Internal("not answered with an order".to_owned()))
        }
        // No ledger, no order. Whether there is a drop is nobody's business here.
        Err(LedgerError::NotFrozen(_) | LedgerError::UnknownDrop) => Err(unknown(order_id)),
        Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
            Err(refusals::no_answer(drop_id, error))
        }
    }
}

fn unknown(order_id: OrderId) -> Error {
    Error::not_found(Reason::OrderNotFound, "order", order_id)
}

fn with_order_id(mut error: Error, order_id: OrderId) -> Error {
    if let Error::Refused { metadata, .. } = &mut error {
        metadata.push(("orderId", order_id.to_string()));
    }
    error
}
