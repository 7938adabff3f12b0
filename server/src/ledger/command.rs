//! What can be asked of a ledger, and what it says.

use super::entry::{Call, Line};
use crate::domain::{AccountId, ItemId, Money, OrderId, RequestId, Timestamp, order::OrderState};

/// A wish that reached a ledger. Every command is idempotent in the fold.
#[derive(Debug, Clone)]
pub enum Command {
    /// Hold units; sells them at once when the total is zero.
    PlaceOrder {
        /// Caller, request id, fingerprint. The caller is the buyer.
        call: Call,
        /// Id for the new order.
        order_id: OrderId,
        /// Distinct items, each with at least one unit.
        lines: Vec<Line>,
        /// What the buyer expects to pay.
        expected_total: Option<Money>,
        /// 0 on the first try; a refused retry voids its request id.
        retry_count: i32,
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
            | Self::CancelOrder { call, .. }
            | Self::RestockDrop { call, .. }
            | Self::EndDrop { call }
            | Self::CancelDrop { call } => call.request_id,
            Self::GetOrder { .. } | Self::GetDrop => None,
        }
    }

    /// Label for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PlaceOrder { .. } => "place_order",
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
            | Self::OrderState(_) => true,
            Self::Ended
            | Self::DropCancelled
            | Self::RequestIdReused
            | Self::RequestIdVoid
            | Self::UnknownItem(_)
            | Self::UnknownOrder(_) => false,
        }
    }
}
