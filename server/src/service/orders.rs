//! Orders: all that matters happens in the ledger; here calls become commands and answers.

use std::time::Duration;

use super::{Context, Error, Result, refusals, requests::Fingerprint};
use crate::{
    domain::{AccountId, DropId, Money, OrderId, RequestId, reason::Reason},
    ledger::{
        Answer, Call, Command, LedgerError, Line, Method, OrderView, Refusal,
        receipt::{self, Receipt},
    },
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
        match self.expected_total {
            Some(total) => print
                .text(total.currency.as_str())
                .number(total.amount_minor),
            None => print,
        }
        .finish()
    }
}

/// Holds units for the caller, and sells them if they cost nothing. Durable when it returns.
///
/// # Errors
/// As `PlaceOrder` of the contract.
pub async fn place(
    ctx: &Context,
    caller: AccountId,
    wish: PlaceOrder,
    time_left: Duration,
) -> Result<OrderView> {
    let call = Call {
        caller_id: caller,
        method: Method::PlaceOrder,
        request_id: Some(wish.request_id),
        fingerprint: wish.fingerprint(),
    };
    let order_id = OrderId::new(ctx.env.uuid());
    let PlaceOrder {
        request_id,
        drop_id,
        lines,
        expected_total,
        retry_count,
    } = wish;
    let command = Command::PlaceOrder {
        call,
        order_id,
        lines: lines.clone(),
        expected_total,
        pay_by: None,
        retry_count,
    };
    match ctx.ledgers.call(drop_id, command, time_left).await {
        Ok((_, Answer::Order(view))) => Ok(*view),
        Ok((ledger, Answer::Refused(Refusal::UnknownItem(_)))) => {
            Err(refusals::unknown_items(&ledger.drop, &lines))
        }
        Ok((_, Answer::Refused(refusal))) => {
            Err(refusals::refused(drop_id, Some(request_id), refusal))
        }
        Ok((_, Answer::Drop(_) | Answer::Attempt(_))) => Err(Error::Internal(
            "PlaceOrder was answered with a drop".to_owned(),
        )),
        Err(error) => Err(refusals::no_answer(drop_id, error)),
    }
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
) -> Result<OrderView> {
    let fingerprint = Fingerprint::new("CancelOrder")
        .bytes(order_id.as_bytes())
        .finish();
    let call = Call {
        caller_id: caller,
        method: Method::CancelOrder,
        request_id: None,
        fingerprint,
    };
    on_order(
        ctx,
        drop_id,
        order_id,
        Command::CancelOrder { call, order_id },
        time_left,
    )
    .await
}

/// Reads an order of the caller, or of the caller's drop.
///
/// # Errors
/// As `GetOrder` of the contract.
pub async fn get(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    time_left: Duration,
) -> Result<OrderView> {
    on_order(
        ctx,
        drop_id,
        order_id,
        Command::GetOrder {
            caller_id: caller,
            order_id,
        },
        time_left,
    )
    .await
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
    let view = get(ctx, caller, drop_id, order_id, time_left).await?;
    if view.order.buyer_id != caller {
        return Err(Error::not_found(Reason::OrderNotFound, "order", order_id));
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

async fn on_order(
    ctx: &Context,
    drop_id: DropId,
    order_id: OrderId,
    command: Command,
    time_left: Duration,
) -> Result<OrderView> {
    let unknown = || Error::not_found(Reason::OrderNotFound, "order", order_id);
    match ctx.ledgers.call(drop_id, command, time_left).await {
        Ok((_, Answer::Order(view))) => Ok(*view),
        Ok((_, Answer::Refused(refusal))) => Err(with_order_id(
            refusals::refused(drop_id, None, refusal),
            order_id,
        )),
        Ok((_, Answer::Drop(_) | Answer::Attempt(_))) => Err(Error::Internal(
            "an order's call was answered with a drop".to_owned(),
        )),
        // No ledger, no order. Whether there is a drop is nobody's business here.
        Err(LedgerError::NotFrozen(_) | LedgerError::UnknownDrop) => Err(unknown()),
        Err(error @ (LedgerError::Overloaded | LedgerError::Unavailable(_))) => {
            Err(refusals::no_answer(drop_id, error))
        }
    }
}

fn with_order_id(mut error: Error, order_id: OrderId) -> Error {
    if let Error::Refused { metadata, .. } = &mut error {
        metadata.push(("orderId", order_id.to_string()));
    }
    error
}
