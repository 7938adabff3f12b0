//! Orders and receipts.

use livedrop_proto::v1;

use super::Client;
use crate::error::Error;

impl Client {
    /// Holds the units of all lines, or none of them; with a `payment_method` it also pays.
    ///
    /// A declined payment is no error: the order is `HELD` with a `payment_error`, and [`Self::pay_order`] tries again. One that takes
    /// longer is followed with [`Self::watch_order`].
    ///
    /// `request_id` and `retry_count` are the client's work; set them only to go on with a call that an earlier run of the app began.
    ///
    /// # Errors
    /// `SOLD_OUT`, `DROP_NOT_OPEN`, `DROP_ENDED`, `DROP_CANCELLED`, `BUYER_LIMIT_REACHED`, `TOO_MANY_HOLDS`, `PRICE_CHANGED`,
    /// `REQUEST_ID_REUSED`, `REQUEST_ID_VOID`, `DROP_NOT_FOUND`, or a general one.
    pub async fn place_order(
        &self,
        request: v1::PlaceOrderRequest,
    ) -> Result<v1::PlaceOrderResponse, Error> {
        self.call(request).await
    }

    /// Begins to pay for a held order, and waits some seconds for the payment. What became of it is in the order, as with
    /// [`Self::place_order`], whose rules for `request_id` and `retry_count` hold here too.
    ///
    /// # Errors
    /// `HOLD_EXPIRED`, `PAYMENT_IN_PROGRESS`, `TOO_MANY_ATTEMPTS`, `TOO_MANY_HOLDS`, `ORDER_STATE`, `DROP_CANCELLED`,
    /// `REQUEST_ID_REUSED`, `REQUEST_ID_VOID`, `ORDER_NOT_FOUND`, or a general one.
    pub async fn pay_order(
        &self,
        request: v1::PayOrderRequest,
    ) -> Result<v1::PayOrderResponse, Error> {
        self.call(request).await
    }

    /// Gives the money of a paid order back. The user is the drop's creator.
    ///
    /// # Errors
    /// `ORDER_STATE`, `DROP_ENDED`, `DROP_CANCELLED`, `REQUEST_ID_REUSED`, `NOT_OWNER`, `DROP_NOT_FOUND`, `ORDER_NOT_FOUND`, or a
    /// general one.
    pub async fn refund_order(
        &self,
        request: v1::RefundOrderRequest,
    ) -> Result<v1::RefundOrderResponse, Error> {
        self.call(request).await
    }

    /// Gives a held order's units back.
    ///
    /// # Errors
    /// `PAYMENT_IN_PROGRESS`, `ORDER_STATE`, `ORDER_NOT_FOUND`, or a general one.
    pub async fn cancel_order(
        &self,
        request: v1::CancelOrderRequest,
    ) -> Result<v1::CancelOrderResponse, Error> {
        self.call(request).await
    }

    /// Returns an order.
    ///
    /// # Errors
    /// `ORDER_NOT_FOUND`, or a general one.
    pub async fn get_order(
        &self,
        request: v1::GetOrderRequest,
    ) -> Result<v1::GetOrderResponse, Error> {
        self.call(request).await
    }

    /// Returns the proof that the ledger has an order; [`crate::receipt::verify`] checks it.
    ///
    /// # Errors
    /// `ORDER_NOT_FOUND`, `RECEIPT_NOT_FOUND`, or a general one.
    pub async fn get_receipt(
        &self,
        request: v1::GetReceiptRequest,
    ) -> Result<v1::GetReceiptResponse, Error> {
        self.call(request).await
    }
}
