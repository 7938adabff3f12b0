//! What stands in a ledger: entries. Each changes units, an order's state or the drop's life, or voids a request id.

use crate::domain::{
    AccountId, Currency, ItemId, OrderId, RequestId, Timestamp,
    drop::{Drop, LedgerSecret},
    payment::PaymentMethod,
};

/// Which call made an entry; part of the replay key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `PlaceOrder`
    PlaceOrder,
    /// `PayOrder`
    PayOrder,
    /// `CancelOrder`
    CancelOrder,
    /// `RefundOrder`
    RefundOrder,
    /// `RestockDrop`
    RestockDrop,
    /// `CancelDrop`
    CancelDrop,
    /// `EndDrop`
    EndDrop,
    /// `livedrop order settle`
    SettleOrder,
}

/// Who made an entry, and by which request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The caller.
    pub caller_id: AccountId,
    /// The method called.
    pub method: Method,
    /// The client's key; calls idempotent by nature have none.
    pub request_id: Option<RequestId>,
    /// SHA-256 of the request's content.
    pub fingerprint: [u8; 32],
}

/// So many of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which item.
    pub item_id: ItemId,
    /// How many units, at least 1.
    pub quantity: i32,
}

/// How an entry changes the counts of one item. The three deltas sum to zero, but where units come into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which item.
    pub item_id: ItemId,
    /// Change of units available.
    pub available: i64,
    /// Change of units held.
    pub held: i64,
    /// Change of units sold.
    pub sold: i64,
}

/// One item as frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermsItem {
    /// The item's id.
    pub item_id: ItemId,
    /// Units offered at the start.
    pub stock: i64,
    /// Price of a unit, in minor units.
    pub unit_price_minor: i64,
    /// Most units per buyer; 0 = no limit.
    pub limit_per_buyer: i32,
}

/// The terms of a drop as frozen: never changed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Version of the drop's row that was frozen.
    pub version: i64,
    /// Whose drop it is.
    pub creator_id: AccountId,
    /// Currency of all prices.
    pub currency: Currency,
    /// Ascending by id.
    pub items: Vec<TermsItem>,
    /// Most units of all items per buyer; 0 = no limit.
    pub limit_per_buyer: i32,
    /// When selling starts.
    pub opens_at: Timestamp,
    /// When selling stops.
    pub ends_at: Timestamp,
    /// How long an unpaid order keeps its units, in microseconds.
    pub hold_micros: i64,
    /// An item is low when this many units or fewer are available; 0 = never.
    pub low_stock_threshold: i64,
}

impl Terms {
    /// One item's terms.
    #[must_use]
    pub fn item(&self, item_id: ItemId) -> Option<&TermsItem> {
        let at = self
            .items
            .binary_search_by_key(&item_id, |item| item.item_id)
            .ok()?;
        self.items.get(at)
    }

    /// The terms of a drop's frozen row.
    #[must_use]
    pub fn of(drop: &Drop) -> Self {
        let mut items: Vec<_> = drop
            .items
            .iter()
            .map(|item| TermsItem {
                item_id: item.item_id,
                stock: item.stock,
                unit_price_minor: item.unit_price_minor,
                limit_per_buyer: item.limit_per_buyer,
            })
            .collect();
        items.sort_by_key(|item| item.item_id);
        Self {
            version: drop.version,
            creator_id: drop.creator_id,
            currency: drop.currency,
            items,
            limit_per_buyer: drop.limit_per_buyer,
            opens_at: drop.opens_at,
            ends_at: drop.ends_at,
            hold_micros: i64::try_from(drop.hold.as_micros()).unwrap_or(i64::MAX),
            low_stock_threshold: drop.low_stock_threshold,
        }
    }
}

/// Why a payment waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// For the buyer.
    ActionRequired,
    /// For the provider.
    Pending,
    /// The outcome is unknown.
    Unknown,
}

/// Why a hold ended without a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseReason {
    /// Its time ran out.
    Expired,
    /// The buyer cancelled.
    CancelledByBuyer,
    /// The drop was cancelled.
    DropCancelled,
}

/// Why a drop takes no more holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// `ends_at` came.
    Ended,
    /// The creator ended it.
    EndedEarly,
    /// The creator cancelled it.
    Cancelled,
}

/// What happened. The table in the design's `ledger.md` is the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "fields are named after the stored format, which is documented in livedrop/internal/v1/ledger.proto"
)]
pub enum Event {
    /// The terms, once, first.
    TermsFrozen { terms: Terms, secret: LedgerSecret },
    /// Selling started.
    WentLive,
    /// An order holds units.
    Held {
        order_id: OrderId,
        buyer_id: AccountId,
        lines: Vec<Line>,
        expires_at: Timestamp,
        total_minor: i64,
    },
    /// The provider is about to be asked.
    PaymentStarted {
        order_id: OrderId,
        attempt: i32,
        amount_minor: i64,
        provider: String,
        payment_method: PaymentMethod,
    },
    /// The provider's answer is not final.
    PaymentWaiting {
        order_id: OrderId,
        attempt: i32,
        reason: WaitReason,
        action_url: String,
    },
    /// The provider declined.
    PaymentFailed {
        order_id: OrderId,
        attempt: i32,
        reason: String,
    },
    /// Held units are sold.
    Sold { order_id: OrderId, attempt: i32 },
    /// Units were taken again for a payment that came after the hold.
    SoldLate { order_id: OrderId, attempt: i32 },
    /// Held units are available again.
    Released {
        order_id: OrderId,
        reason: ReleaseReason,
    },
    /// Money is to go back.
    RefundStarted {
        order_id: OrderId,
        attempt: i32,
        reason: String,
        restock: bool,
        amount_minor: i64,
        stray: bool,
    },
    /// Money went back.
    Refunded {
        order_id: OrderId,
        attempt: i32,
        stray: bool,
    },
    /// More units.
    Restocked {
        item_id: ItemId,
        units: i64,
        reason: String,
    },
    /// An item's available units reached the threshold.
    LowStock { item_id: ItemId },
    /// Nothing available, nothing held.
    SoldOut,
    /// A refused retry: its request id is void.
    Refused { reason: String },
    /// No more holds.
    Closed { reason: CloseReason },
    /// No hold and no payment is open any more.
    Sealed,
}

impl Event {
    /// The order that it is about, if it is about one.
    #[must_use]
    pub const fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Held { order_id, .. }
            | Self::PaymentStarted { order_id, .. }
            | Self::PaymentWaiting { order_id, .. }
            | Self::PaymentFailed { order_id, .. }
            | Self::Sold { order_id, .. }
            | Self::SoldLate { order_id, .. }
            | Self::Released { order_id, .. }
            | Self::RefundStarted { order_id, .. }
            | Self::Refunded { order_id, .. } => Some(*order_id),
            Self::TermsFrozen { .. }
            | Self::WentLive
            | Self::Restocked { .. }
            | Self::LowStock { .. }
            | Self::SoldOut
            | Self::Refused { .. }
            | Self::Closed { .. }
            | Self::Sealed => None,
        }
    }
}

/// One entry of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// What it does to the counts.
    pub moves: Vec<Move>,
    /// Who did it; none for timers and follow-ups.
    pub call: Option<Call>,
}
