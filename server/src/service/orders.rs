//! Orders: all that matters happens in the ledger; here calls become commands and answers.

use std::time::Duration;

use super::{Context, Error, Result, refusals, requests::Fingerprint};
use crate::{
    domain::{
        AccountId, DropId, ItemId, Money, OrderId, RequestId, order::OrderState,
        payment::PaymentMethod, reason::Reason,
    },
    ledger::{
        Answer, Call, Command, LedgerError, Line, Method, OrderView, Refusal,
        command::PayBy,
        receipt::{self, Receipt},
    },
    store::orders::{LedgerPlace, OrderRow, OrderRowLine},
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
    /// How to pay at once.
    pub payment_method: Option<PaymentMethod>,
    /// 0 on the first try.
    pub retry_count: i32,
}

/// How a buyer wants to pay for a held order.
#[derive(Debug, Clone)]
pub struct PayOrder {
    /// The client's key.
    pub request_id: RequestId,
    /// Of which drop.
    pub drop_id: DropId,
    /// Which order.
    pub order_id: OrderId,
    /// How.
    pub payment_method: PaymentMethod,
    /// 0 on the first try.
    pub retry_count: i32,
}

/// What a creator gives back.
#[derive(Debug, Clone)]
pub struct RefundOrder {
    /// The client's key.
    pub request_id: RequestId,
    /// Of which drop, one of the caller's.
    pub drop_id: DropId,
    /// Which order.
    pub order_id: OrderId,
    /// Why; may be empty.
    pub reason: String,
    /// Whether its units are for sale again.
    pub restock: bool,
}

/// An order just placed.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The order.
    pub order: OrderRow,
    /// Units left of the ordered items, in the order of the lines.
    pub stock_left: Vec<(ItemId, i64)>,
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
) -> Result<Placed> {
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
        payment_method,
        retry_count,
    } = wish;
    let command = Command::PlaceOrder {
        call,
        order_id,
        lines: lines.clone(),
        expected_total,
        pay_by: payment_method.map(pay_by),
        retry_count,
    };
    match ctx.ledgers.call(drop_id, command, time_left).await {
        Ok((_, Answer::Order(view))) => Ok(Placed {
            order: row(drop_id, &view),
            stock_left: view.stock_left,
        }),
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
    _min_seq: i64,
    time_left: Duration,
) -> Result<OrderRow> {
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
    let order = get(ctx, caller, drop_id, order_id, 0, time_left).await?;
    if order.buyer_id != caller {
        return Err(Error::not_found(Reason::OrderNotFound, "order", order_id));
    }
    let ledger = ctx
        .ledgers
        .ledger(drop_id)
        .await
        .map_err(|error| refusals::no_answer(drop_id, error))?;
    let proof = order.proof;
    let at = crate::ledger::state::Position {
        seq: proof.seq,
        index: proof.index,
        recorded_at: order.created_at,
    };
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
) -> Result<OrderRow> {
    let unknown = || Error::not_found(Reason::OrderNotFound, "order", order_id);
    match ctx.ledgers.call(drop_id, command, time_left).await {
        Ok((_, Answer::Order(view))) => Ok(row(drop_id, &view)),
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

/// Begins to pay.
///
/// # Errors
/// As `PayOrder` of the contract.
pub async fn pay(
    ctx: &Context,
    caller: AccountId,
    wish: PayOrder,
    time_left: Duration,
) -> Result<OrderRow> {
    let order_id = wish.order_id;
    let print = Fingerprint::new("PayOrder")
        .bytes(order_id.as_bytes())
        .text(wish.payment_method.expose());
    let call = Call {
        caller_id: caller,
        method: Method::PayOrder,
        request_id: Some(wish.request_id),
        fingerprint: print.finish(),
    };
    let command = Command::PayOrder {
        call,
        order_id,
        pay_by: pay_by(wish.payment_method),
        retry_count: wish.retry_count,
    };
    on_order(ctx, wish.drop_id, order_id, command, time_left).await
}

/// Gives the money back.
///
/// # Errors
/// As `RefundOrder` of the contract.
pub async fn refund(
    ctx: &Context,
    caller: AccountId,
    wish: RefundOrder,
    time_left: Duration,
) -> Result<OrderRow> {
    super::drops::owned(ctx, caller, wish.drop_id).await?;
    let order_id = wish.order_id;
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
    on_order(ctx, wish.drop_id, order_id, command, time_left).await
}

fn pay_by(method: PaymentMethod) -> PayBy {
    let provider = "test".to_owned();
    PayBy { provider, method }
}

fn row(drop_id: DropId, view: &OrderView) -> OrderRow {
    let (order, terms) = (&view.order, &view.terms);
    let place = |at: crate::ledger::state::Position| LedgerPlace {
        seq: at.seq,
        index: at.index,
    };
    let line = |line: &Line| OrderRowLine {
        item_id: line.item_id,
        quantity: line.quantity,
        unit_price_minor: terms
            .item(line.item_id)
            .map_or(0, |item| item.unit_price_minor),
    };
    let error = order
        .payment_error
        .filter(|_| order.state == OrderState::Held);
    OrderRow {
        order_id: order.order_id,
        drop_id,
        buyer_id: order.buyer_id,
        creator_id: terms.creator_id,
        lines: order.lines.iter().map(line).collect(),
        currency: terms.currency,
        total_minor: order.total_minor,
        state: order.state,
        hold_expires_at: order.hold_expires_at,
        created_at: order.created_at,
        updated_at: order.updated.recorded_at,
        updated: place(order.updated),
        proof: place(order.proof),
        proof_hash: view.proof_hash,
        attempts: order.attempts,
        action_url: order.action_url.as_deref().map(str::to_owned),
        payment_error: error.map(|reason| reason.as_str().to_owned()),
    }
}

/// Versions of an order as they come. A stand-in that looks again and again.
#[derive(Debug)]
pub struct OrderWatch {
    ctx: Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
    seen: Option<LedgerPlace>,
}

/// Watches an order.
///
/// # Errors
/// As `WatchOrder` of the contract.
pub async fn watch(
    ctx: &Context,
    caller: AccountId,
    drop_id: DropId,
    order_id: OrderId,
) -> Result<OrderWatch> {
    get(ctx, caller, drop_id, order_id, 0, Duration::from_secs(5)).await?;
    Ok(OrderWatch {
        ctx: ctx.clone(),
        caller,
        drop_id,
        order_id,
        seen: None,
    })
}

impl OrderWatch {
    /// Only what comes after `place`.
    ///
    /// # Errors
    /// `RESUME_TOKEN_EXPIRED` if the ledger does not reach so far.
    pub fn starting_after(self, place: LedgerPlace) -> Result<Self> {
        Ok(Self {
            seen: Some(place),
            ..self
        })
    }

    /// The next version: the newest one first, then all that follow.
    ///
    /// # Errors
    /// `UNAVAILABLE`.
    pub async fn next(&mut self) -> Result<OrderRow> {
        loop {
            let wait = Duration::from_secs(5);
            let (caller, drop_id, order_id) = (self.caller, self.drop_id, self.order_id);
            let command = Command::GetOrder {
                caller_id: caller,
                order_id,
            };
            let answer = self.ctx.ledgers.call(drop_id, command, wait).await;
            let Ok((_, Answer::Order(mut view))) = answer else {
                return Err(Error::Internal("stand-in".to_owned()));
            };
            let place = |order: &crate::ledger::state::Order| LedgerPlace {
                seq: order.updated.seq,
                index: order.updated.index,
            };
            if self.seen.is_none_or(|seen| seen < place(&view.order)) {
                while let (Some(seen), Some(before)) = (self.seen, view.order.previous.clone())
                    && place(&before) > seen
                {
                    view.order = before;
                }
                self.seen = Some(place(&view.order));
                return Ok(row(drop_id, &view));
            }
            self.ctx.env.sleep(Duration::from_millis(20)).await;
        }
    }
}
