//! What can be asked of a ledger, and what it says.

use super::entry::{Call, Line, WaitReason};
use crate::domain::{
    AccountId, ItemId, Money, OrderId, RequestId, Timestamp,
    order::OrderState,
    payment::{FailReason, PaymentMethod},
};

/// How a buyer wants to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayBy {
    /// The provider's name.
    pub provider: String,
    /// The provider's token of the payment method.
    pub method: PaymentMethod,
}

/// What the provider says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It waits, for a reason other than before.
    Waiting(WaitReason, String),
    /// Nothing was taken.
    Failed(FailReason),
    /// The money was taken.
    Captured,
    /// The money went back.
    Refunded,
}

/// A wish that reached a ledger. Every command is idempotent in the fold.
#[derive(Debug, Clone)]
pub enum Command {
    /// Hold units, and begin to pay if it is said how; sells them at once when the total is zero.
    PlaceOrder {
        /// Caller, request id, fingerprint. The caller is the buyer.
        call: Call,
        /// Id for the new order.
        order_id: OrderId,
        /// Distinct items, each with at least one unit.
        lines: Vec<Line>,
        /// What the buyer expects to pay.
        expected_total: Option<Money>,
        /// How to pay at once; ignored when the total is zero.
        pay_by: Option<PayBy>,
        /// 0 on the first try; a refused retry voids its request id.
        retry_count: i32,
    },
    /// Begin to pay for a held order.
    PayOrder {
        /// Caller, who must be the buyer; request id, fingerprint.
        call: Call,
        /// Which order.
        order_id: OrderId,
        /// How.
        pay_by: PayBy,
        /// 0 on the first try; a refused retry voids its request id.
        retry_count: i32,
    },
    /// Give the money of a paid order back.
    RefundOrder {
        /// Caller, who must be the drop's creator; request id, fingerprint.
        call: Call,
        /// Which order.
        order_id: OrderId,
        /// Why, for the record.
        reason: String,
        /// Whether its units are for sale again.
        restock: bool,
    },
    /// What the provider says of an attempt; an operator may say it in the provider's place.
    ReportPayment {
        /// The operator's, if one says it.
        call: Option<Call>,
        /// Which order.
        order_id: OrderId,
        /// Which attempt, from 1.
        attempt: i32,
        /// What became of it.
        report: Report,
    },
    /// Read an attempt.
    GetAttempt {
        /// Which order.
        order_id: OrderId,
        /// Which attempt, from 1.
        attempt: i32,
    },
    /// Give a hold back.
    CancelOrder {
        /// Caller, who must be the buyer.
        call: Call,
        /// Which order.
        order_id: OrderId,
    },
    /// Read an order.
    GetOrder {
        /// Who asks; only the buyer and the drop's creator are told.
        caller_id: AccountId,
        /// Which order.
        order_id: OrderId,
    },
    /// Add units.
    RestockDrop {
        /// Caller, request id, fingerprint.
        call: Call,
        /// Of which item.
        item_id: ItemId,
        /// How many, at least 1.
        units: i64,
        /// Why, for the record.
        reason: String,
    },
    /// Stop selling; open holds may still be paid.
    EndDrop {
        /// Caller.
        call: Call,
    },
    /// Stop selling, release all holds, refund all orders.
    CancelDrop {
        /// Caller, request id, fingerprint.
        call: Call,
    },
    /// Read the drop as of the newest record.
    GetDrop,
}

impl Command {
    /// The client's key, if the command has one.
    #[must_use]
    pub const fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::PlaceOrder { call, .. }
            | Self::PayOrder { call, .. }
            | Self::RefundOrder { call, .. }
            | Self::CancelOrder { call, .. }
            | Self::RestockDrop { call, .. }
            | Self::EndDrop { call }
            | Self::CancelDrop { call } => call.request_id,
            Self::ReportPayment { .. }
            | Self::GetAttempt { .. }
            | Self::GetOrder { .. }
            | Self::GetDrop => None,
        }
    }

    /// Label for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PlaceOrder { .. } => "place_order",
            Self::PayOrder { .. } => "pay_order",
            Self::RefundOrder { .. } => "refund_order",
            Self::ReportPayment { .. } => "report_payment",
            Self::GetAttempt { .. } => "get_attempt",
            Self::CancelOrder { .. } => "cancel_order",
            Self::GetOrder { .. } => "get_order",
            Self::RestockDrop { .. } => "restock_drop",
            Self::EndDrop { .. } => "end_drop",
            Self::CancelDrop { .. } => "cancel_drop",
            Self::GetDrop => "get_drop",
        }
    }
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done, now or by an earlier call: the order in its present state.
    Order(OrderId),
    /// The attempt in its present state.
    Attempt(OrderId, i32),
    /// Done, now or by an earlier call: the drop in its present state.
    Drop,
    /// Not done.
    Refused(Refusal),
}

/// Why a command was not done. A value, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Too few units of an item.
    SoldOut {
        /// Which item lacks units.
        item_id: ItemId,
        /// Units asked for.
        requested: i64,
        /// Units available.
        available: i64,
        /// Units that others hold, which may come back.
        held: i64,
    },
    /// `opens_at` has not come.
    NotOpen {
        /// When it opens.
        opens_at: Timestamp,
    },
    /// No more holds.
    Ended,
    /// The drop was cancelled.
    DropCancelled,
    /// The buyer's limit does not allow so many.
    LimitReached {
        /// The item whose limit it is; none: the drop's.
        item_id: Option<ItemId>,
        /// The limit.
        limit: i64,
        /// Units the buyer holds and owns already.
        owned: i64,
    },
    /// The buyer has an open hold, or gave up too many.
    TooManyHolds {
        /// The order that is open.
        open_order_id: Option<OrderId>,
    },
    /// The total is not the expected one.
    PriceChanged {
        /// The total.
        total: Money,
    },
    /// The order's state does not allow it.
    OrderState(OrderState),
    /// A payment is open.
    PaymentInProgress(OrderState),
    /// The hold ran out.
    HoldExpired,
    /// Too many attempts to pay, or the last one is too near.
    TooManyAttempts {
        /// When the next may begin; none: never.
        retry_at: Option<Timestamp>,
    },
    /// The request id was used with other content.
    RequestIdReused,
    /// The request id was voided by a refusal.
    RequestIdVoid,
    /// The drop has no such item.
    UnknownItem(ItemId),
    /// No such order, or not the caller's.
    UnknownOrder(OrderId),
}

impl Refusal {
    /// The reason's name, for metrics and `Refused` entries.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SoldOut { .. } => "SOLD_OUT",
            Self::NotOpen { .. } => "DROP_NOT_OPEN",
            Self::Ended => "DROP_ENDED",
            Self::DropCancelled => "DROP_CANCELLED",
            Self::LimitReached { .. } => "BUYER_LIMIT_REACHED",
            Self::TooManyHolds { .. } => "TOO_MANY_HOLDS",
            Self::PriceChanged { .. } => "PRICE_CHANGED",
            Self::OrderState(_) => "ORDER_STATE",
            Self::PaymentInProgress(_) => "PAYMENT_IN_PROGRESS",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::TooManyAttempts { .. } => "TOO_MANY_ATTEMPTS",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::RequestIdVoid => "REQUEST_ID_VOID",
            Self::UnknownItem(_) => "INVALID_REQUEST",
            Self::UnknownOrder(_) => "ORDER_NOT_FOUND",
        }
    }

    /// Whether the refusal of a retry voids its request id. Not those that hold for every twin of the call.
    #[must_use]
    pub const fn voids(&self) -> bool {
        match self {
            Self::SoldOut { .. }
            | Self::NotOpen { .. }
            | Self::LimitReached { .. }
            | Self::TooManyHolds { .. }
            | Self::PriceChanged { .. }
            | Self::OrderState(_)
            | Self::PaymentInProgress(_)
            | Self::TooManyAttempts { .. } => true,
            Self::HoldExpired
            | Self::Ended
            | Self::DropCancelled
            | Self::RequestIdReused
            | Self::RequestIdVoid
            | Self::UnknownItem(_)
            | Self::UnknownOrder(_) => false,
        }
    }
}
