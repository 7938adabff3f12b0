//! `Debug` for the messages that carry secrets, so that no log line, panic or test output shows one. `build.rs` lists the same messages.

use std::fmt::{Debug, Formatter, Result};

use crate::internal::v1::{PaymentStarted, StoredEntry, TermsFrozen};
use crate::v1::{
    DeleteAccountRequest, PayOrderRequest, PlaceOrderRequest, RefreshTokenRequest, SignInRequest,
    SignOutRequest, SignUpRequest, Tokens,
};

impl Debug for Tokens {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Tokens")
            .field("access_token_expires_at", &self.access_token_expires_at)
            .field("refresh_token_expires_at", &self.refresh_token_expires_at)
            .finish_non_exhaustive()
    }
}

impl Debug for SignUpRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("SignUpRequest")
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl Debug for SignInRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("SignInRequest").finish_non_exhaustive()
    }
}

impl Debug for RefreshTokenRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("RefreshTokenRequest")
            .finish_non_exhaustive()
    }
}

impl Debug for SignOutRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("SignOutRequest").finish_non_exhaustive()
    }
}

impl Debug for DeleteAccountRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("DeleteAccountRequest")
            .finish_non_exhaustive()
    }
}

impl Debug for PlaceOrderRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("PlaceOrderRequest")
            .field("request_id", &self.request_id)
            .field("drop_id", &self.drop_id)
            .field("lines", &self.lines)
            .field("expected_total", &self.expected_total)
            .field("retry_count", &self.retry_count)
            .finish_non_exhaustive()
    }
}

impl Debug for PayOrderRequest {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("PayOrderRequest")
            .field("request_id", &self.request_id)
            .field("drop_id", &self.drop_id)
            .field("order_id", &self.order_id)
            .field("retry_count", &self.retry_count)
            .finish_non_exhaustive()
    }
}

impl Debug for StoredEntry {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("StoredEntry")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl Debug for TermsFrozen {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("TermsFrozen").finish_non_exhaustive()
    }
}

impl Debug for PaymentStarted {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("PaymentStarted")
            .field("order_id", &self.order_id)
            .field("attempt", &self.attempt)
            .field("amount_minor", &self.amount_minor)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
