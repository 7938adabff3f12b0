//! Buying: place, pay, and wait until it is known what became of it.

use std::time::Duration;

use livedrop_proto::v1::{self, ErrorReason, OrderState};
use tokio::time::sleep;
use tonic::Code;

use super::Client;
use crate::{error::Error, purchase::Purchase};

/// Where streams don't get through, the order is asked for this often.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Two payments of an order begin at least two seconds apart; a little more, for clocks differ.
const PAY_AGAIN_AFTER: Duration = Duration::from_millis(2_100);

impl Client {
    /// Buys: places the order, pays for it, and waits until the payment has come to an end.
    ///
    /// May be called again with the same purchase at any time, also after a crash with one that was saved before: it goes on where it
    /// was, with one order that is paid once. A payment may take minutes; the call may be dropped while it waits. The order comes back as
    ///
    /// - `PAID`: bought.
    /// - `HELD`: not paid, and `payment_error` tells why. [`Purchase::pay_with`] takes another payment method; then call again.
    /// - `ACTION_REQUIRED`: the buyer has to confirm at `action_url`. Show it and call again, which waits for the payment's end.
    /// - `CANCELLED`, `EXPIRED`, `REFUND_PENDING`, `REFUNDED`: over; money that was taken goes back.
    ///
    /// An error leaves nothing behind that calling again does not find. After [`Error::may_have_taken_effect`] call again to learn what
    /// happened. After a refusal such as `SOLD_OUT` nothing was bought. One that may pass, such as `DROP_NOT_OPEN`, can be tried again;
    /// once it says `REQUEST_ID_VOID`, the server has put an end to this purchase, and a new [`Purchase`] begins another. When only a
    /// payment was refused, [`Purchase::pay_with`] begins another.
    ///
    /// # Errors
    /// As [`Self::place_order`] and [`Self::pay_order`].
    pub async fn buy(&self, purchase: &mut Purchase) -> Result<v1::Order, Error> {
        let order = self.place(purchase).await?;
        let order = self.wait_for_payment(order, purchase).await?;
        if order.state() != OrderState::Held {
            return Ok(order);
        }
        // By another method, if there is one. A repeat of what has failed already says so.
        match self.pay(&order, purchase).await? {
            Some(paying) => self.wait_for_payment(paying, purchase).await,
            None => Ok(order),
        }
    }

    async fn place(&self, purchase: &mut Purchase) -> Result<v1::Order, Error> {
        let (request, sent) = purchase.placing();
        sent.send();
        match self.place_order(request).await {
            Ok(answer) => answer.order.ok_or_else(no_order),
            Err(error) => {
                sent.failed(error.retry_count());
                Err(error)
            }
        }
    }

    /// Begins the purchase's next payment; `None` if it has none.
    async fn pay(
        &self,
        held: &v1::Order,
        purchase: &mut Purchase,
    ) -> Result<Option<v1::Order>, Error> {
        let mut may_wait = true;
        loop {
            let Some((request, sent)) = purchase.paying(&held.order_id) else {
                return Ok(None);
            };
            sent.send();
            let error = match self.pay_order(request).await {
                Ok(answer) => return answer.order.map(Some).ok_or_else(no_order),
                Err(error) => error,
            };
            sent.failed(error.retry_count());
            if error.code() != Code::FailedPrecondition {
                return Err(error);
            }
            let too_soon = error.reason() == Some(ErrorReason::TooManyAttempts)
                && error.metadata().contains_key("retryAt");
            // A refused repeat has voided its id.
            if too_soon && error.retry_count() == 0 && may_wait {
                may_wait = false;
                sleep(PAY_AGAIN_AFTER).await;
                continue;
            }
            // An earlier payment may have come through late, or the hold may be over.
            let newest = self.newest(held).await?;
            return if newest.state() == OrderState::Held {
                Err(error)
            } else {
                Ok(Some(newest))
            };
        }
    }

    /// The order once no payment of it is open, or once the buyer has to confirm one and was not asked before.
    async fn wait_for_payment(
        &self,
        mut order: v1::Order,
        purchase: &mut Purchase,
    ) -> Result<v1::Order, Error> {
        let mut watch = self.watch_order(&order.drop_id, &order.order_id);
        loop {
            if order.state() == OrderState::ActionRequired
                && purchase.asked_to_confirm != Some(order.attempts)
            {
                purchase.asked_to_confirm = Some(order.attempts);
                return Ok(order);
            }
            if !is_paying(order.state()) {
                return Ok(order);
            }
            let newer = match watch.next().await {
                Ok(newer) => newer,
                // Some networks let no streams through. If the order can't be read either, that is the error.
                Err(_) => {
                    sleep(ASK_AGAIN_AFTER).await;
                    Some(self.newest(&order).await?)
                }
            };
            // A watch begins with what its server knows, which may be older.
            order = newer.filter(|it| it.seq >= order.seq).unwrap_or(order);
        }
    }

    async fn newest(&self, order: &v1::Order) -> Result<v1::Order, Error> {
        let request = v1::GetOrderRequest {
            drop_id: order.drop_id.clone(),
            order_id: order.order_id.clone(),
            min_seq: i64::MAX,
        };
        self.get_order(request).await?.order.ok_or_else(no_order)
    }
}

/// Whether the order has a payment that has not come to an end. A state that this version does not know is one to ask again for.
fn is_paying(state: OrderState) -> bool {
    match state {
        OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::Unspecified => true,
        OrderState::Held
        | OrderState::Paid
        | OrderState::Cancelled
        | OrderState::Expired
        | OrderState::RefundPending
        | OrderState::Refunded => false,
    }
}

fn no_order() -> Error {
    Error::local(Code::Internal, "the answer has no order")
}
