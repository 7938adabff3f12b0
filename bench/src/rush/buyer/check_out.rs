//! Paying: at once, later, with a second card, by 3-D Secure; and wanting the money back.

use std::sync::Arc;

use livedrop::v1::{GetOrderRequest, Order, OrderState, PayOrderRequest};
use rand::RngExt;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Request;

use super::{Buyer, retry_count};
use crate::rush::{
    notes::{Cancel, Pay, Purchase, Return},
    wire::{self, CALL_TIMEOUT, Reply},
};

/// Payments of an order come no closer than two seconds; a little more, in milliseconds.
const CARDS_APART: std::ops::Range<u64> = 2_100..3_000;
/// Tries of one card: the server may count the two seconds from later than the buyer does.
const PAY_MAX: u32 = 4;
/// One of so many buyers who paid wants the money back.
const RETURNS_ONE_IN: u32 = 10;

impl Buyer {
    /// Pays for a purchase as its wallet says, until there is nothing more to do about it.
    pub(super) async fn check_out(&mut self, purchase: &mut Purchase) {
        let Some(order_id) = purchase.order().map(|placed| placed.order_id.clone()) else {
            return;
        };
        if !self.shop.is_paid || self.shop.total(&purchase.lines) == 0 {
            return;
        }
        let mut cards = purchase.wallet.later.into_iter().flatten();
        while !purchase.told_paid {
            let Some(order) = self.word(&order_id).await else {
                return;
            };
            match order.state() {
                OrderState::Held => {
                    let Some(card) = cards.next().filter(|_| purchase.cancel == Cancel::Never)
                    else {
                        return;
                    };
                    self.pay(purchase, &order_id, card).await;
                }
                OrderState::ActionRequired => {
                    let browser = self.shop.browser.clone();
                    let approves = purchase.wallet.approves;
                    // The server may be away: the page is opened again.
                    let _ = browser.decide(&order.action_url, approves).await;
                    sleep(self.millis(100..500)).await;
                }
                OrderState::Paid => purchase.told_paid = true,
                OrderState::Unspecified
                | OrderState::PaymentPending
                | OrderState::PaymentUnknown
                | OrderState::Cancelled
                | OrderState::Expired
                | OrderState::RefundPending
                | OrderState::Refunded => return,
            }
        }
        self.perhaps_return(purchase, order_id);
    }

    /// The order once its payment has come to something. `None` at the deadline.
    async fn word(&mut self, order_id: &str) -> Option<Order> {
        let shop = Arc::clone(&self.shop);
        while Instant::now() < shop.deadline {
            let order = self.newest(order_id).await;
            match order {
                Some(order) if !is_paying(order.state()) => return Some(order),
                Some(_) => {}
                None => {
                    sleep(self.millis(200..1_000)).await;
                    continue;
                }
            }
            let client = &self.login.client;
            let mut watch = client.watch_order(shop.drop_id.as_str(), order_id);
            // An error: the server was away for longer than the SDK tries. Ask again.
            while let Ok(Ok(Some(order))) = timeout_at(shop.deadline, watch.next()).await {
                if !is_paying(order.state()) {
                    return Some(order);
                }
            }
        }
        None
    }

    /// `None` if the server does not answer.
    async fn newest(&self, order_id: &str) -> Option<Order> {
        let request = GetOrderRequest {
            drop_id: self.shop.drop_id.clone(),
            order_id: order_id.to_owned(),
            min_seq: i64::MAX,
        };
        self.login.client.get_order(request).await.ok()?.order
    }

    /// Pays with a card. One that comes too soon after the last is tried again, by a new request.
    async fn pay(&mut self, purchase: &mut Purchase, order_id: &str, token: &'static str) {
        let is_first = purchase.cards().next().is_none();
        let pause = if is_first { 0..1_500 } else { CARDS_APART };
        sleep(self.millis(pause)).await;
        for _ in 0..PAY_MAX {
            let pay = self.try_to_pay(purchase, order_id, token).await;
            let is_too_soon = pay
                .refused
                .as_ref()
                .is_some_and(|refused| refused.reason == "TOO_MANY_ATTEMPTS");
            purchase.pays.push(pay);
            if !is_too_soon {
                break;
            }
            sleep(self.millis(500..1_500)).await;
        }
    }

    async fn try_to_pay(
        &mut self,
        purchase: &mut Purchase,
        order_id: &str,
        token: &'static str,
    ) -> Pay {
        let shop = Arc::clone(&self.shop);
        let request = PayOrderRequest {
            request_id: self.request_id().to_string(),
            drop_id: shop.drop_id.clone(),
            order_id: order_id.to_owned(),
            payment_method: shop.provider.token(token).to_owned(),
            retry_count: 0,
        };
        let client = &self.any_device();
        let mut pay = Pay {
            token,
            is_open: true,
            refused: None,
        };
        let mut sent = 0;
        while pay.is_open && Instant::now() < shop.deadline {
            let call = |sent| {
                let mut request = Request::new(PayOrderRequest {
                    retry_count: retry_count(sent),
                    ..request.clone()
                });
                async move {
                    client.authorize(&mut request).await;
                    client.raw_orders().pay_order(request).await
                }
            };
            match wire::repeat(&shop, &mut self.rng, &mut sent, CALL_TIMEOUT, call).await {
                Reply::Done(response, took) => {
                    pay.is_open = false;
                    shop.tally.paid(took);
                    let state = response.order.map(|order| order.state());
                    purchase.told_paid |= state == Some(OrderState::Paid);
                }
                Reply::Refused(refused, _) => {
                    pay.is_open = false;
                    purchase.note_refusal("PayOrder", &refused.reason);
                    pay.refused = Some(refused);
                }
                // Sent again: a buyer does not leave a payment alone.
                Reply::Unknown => {}
            }
        }
        pay
    }

    /// Asks the creator for the money, now and then.
    fn perhaps_return(&mut self, purchase: &Purchase, order_id: String) {
        if purchase.wallet.returns || self.rng.random_ratio(1, RETURNS_ONE_IN) {
            self.shop.give_back(Return {
                order_id,
                restock: self.rng.random(),
                refused: None,
            });
        }
    }
}

const fn is_paying(state: OrderState) -> bool {
    matches!(
        state,
        OrderState::PaymentPending | OrderState::PaymentUnknown
    )
}
