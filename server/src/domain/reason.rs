//! Why a call is refused: the one list of reasons, as clients see them in `ErrorInfo.reason`.

/// The machine-readable cause of an error. `rpc/status.rs` maps each to its gRPC code; the contract's `ErrorReason` lists the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented in livedrop/v1/error.proto")]
pub enum Reason {
    InvalidRequest,
    Unauthenticated,
    NotOwner,
    NotCreator,
    EmailTaken,
    HandleTaken,
    AlreadyCreator,
    AccountNotFound,
    CreatorNotFound,
    DropNotFound,
    OrderNotFound,
    ReceiptNotFound,
    SoldOut,
    DropNotOpen,
    DropEnded,
    DropCancelled,
    BuyerLimitReached,
    TooManyHolds,
    OrderState,
    PriceChanged,
    RequestIdReused,
    RequestIdVoid,
    RateLimited,
    Overloaded,
    TooLarge,
    Unavailable,
    DeadlineExceeded,
    Internal,
    Unimplemented,
    PaymentInProgress,
    HoldExpired,
    TooManyAttempts,
    ResumeTokenExpired,
    SelfFollow,
}

impl Reason {
    /// The wire form, UPPER_SNAKE_CASE.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::NotOwner => "NOT_OWNER",
            Self::NotCreator => "NOT_CREATOR",
            Self::EmailTaken => "EMAIL_TAKEN",
            Self::HandleTaken => "HANDLE_TAKEN",
            Self::AlreadyCreator => "ALREADY_CREATOR",
            Self::AccountNotFound => "ACCOUNT_NOT_FOUND",
            Self::CreatorNotFound => "CREATOR_NOT_FOUND",
            Self::DropNotFound => "DROP_NOT_FOUND",
            Self::OrderNotFound => "ORDER_NOT_FOUND",
            Self::ReceiptNotFound => "RECEIPT_NOT_FOUND",
            Self::SoldOut => "SOLD_OUT",
            Self::DropNotOpen => "DROP_NOT_OPEN",
            Self::DropEnded => "DROP_ENDED",
            Self::DropCancelled => "DROP_CANCELLED",
            Self::BuyerLimitReached => "BUYER_LIMIT_REACHED",
            Self::TooManyHolds => "TOO_MANY_HOLDS",
            Self::OrderState => "ORDER_STATE",
            Self::PriceChanged => "PRICE_CHANGED",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::RequestIdVoid => "REQUEST_ID_VOID",
            Self::RateLimited => "RATE_LIMITED",
            Self::Overloaded => "OVERLOADED",
            Self::TooLarge => "TOO_LARGE",
            Self::Unavailable => "UNAVAILABLE",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Internal => "INTERNAL",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::PaymentInProgress => "PAYMENT_IN_PROGRESS",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::TooManyAttempts => "TOO_MANY_ATTEMPTS",
            Self::ResumeTokenExpired => "RESUME_TOKEN_EXPIRED",
            Self::SelfFollow => "SELF_FOLLOW",
        }
    }
}
