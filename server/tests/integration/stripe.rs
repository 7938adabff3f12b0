//! A server that takes payments by Stripe: a fake one on a loopback port, with state, 3-D Secure, refunds and signed messages.

use std::time::{Duration, SystemTime};

use fake_stripe::{FakeStripe, SECRET_KEY, Trouble, WEBHOOK_SECRET, method};
use livedrop::{Client, v1, v1::OrderState};
use livedrop_server::config::{PaymentProvider, Secret};

use crate::harness::{Server, eventually, get_order, open_drop, order_request, request_id};

struct Shop {
    stripe: FakeStripe,
    server: Server,
    creator: Client,
    buyer: Client,
    drop: v1::Drop,
}

impl Shop {
    async fn open() -> Self {
        let stripe = FakeStripe::start().await;
        let server = Server::start_with(|config| {
            let payments = &mut config.payments;
            payments.provider = Some(PaymentProvider::Stripe);
            payments.stripe_secret = Some(Secret::new(SECRET_KEY));
            payments.stripe_webhook_secret = vec![Secret::new(WEBHOOK_SECRET)];
            payments.stripe_return_url = Some("https://shop.example/paid".to_owned());
            payments.stripe_api_url = stripe.base_url().to_owned();
        })
        .await;
        let creator = server.creator().await;
        let drop = open_drop(&creator, &[(1_250, 5)]).await;
        let buyer = server.person().await;
        Self {
            stripe,
            server,
            creator,
            buyer,
            drop,
        }
    }

    async fn buy(&self, token: &str) -> v1::Order {
        let request = v1::PlaceOrderRequest {
            payment_method: token.to_owned(),
            ..order_request(&self.drop, &[(0, 2)])
        };
        let placed = self.buyer.place_order(request).await.unwrap();
        placed.order.unwrap()
    }

    async fn becomes(&self, order: &v1::Order, state: OrderState) {
        eventually(async || {
            let order = get_order(&self.buyer, order).await.unwrap();
            (order.state() == state).then_some(())
        })
        .await;
    }

    fn money(&self, order: &v1::Order) -> (i64, i64) {
        let books = self.stripe.books(&order.order_id, 1);
        (books.captured, books.refunded)
    }

    /// Posts all messages about an order, each twice; the HTTP status of each.
    async fn post_messages(&self, order: &v1::Order) -> Vec<u16> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seconds = i64::try_from(now.unwrap().as_secs()).unwrap();
        let mut answers = Vec::new();
        for message in self.stripe.messages(&order.order_id, 1) {
            for _ in 0..2 {
                let signature = message.signature(seconds);
                answers.push(self.post(&signature, message.body.to_vec()).await);
            }
        }
        answers
    }

    async fn post(&self, signature: &str, body: Vec<u8>) -> u16 {
        let url = format!("{}/webhooks/payments/stripe", self.server.endpoint());
        let request = reqwest::Client::new().post(url).body(body);
        let answer = request.header("stripe-signature", signature).send().await;
        // A message that is too large is cut off while it is sent.
        answer.map_or(0, |answer| answer.status().as_u16())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_declined_and_refunded() {
    let shop = Shop::open().await;
    let declined = shop.buy(method::INSUFFICIENT_FUNDS).await;
    assert_eq!(declined.state(), OrderState::Held);
    let error = declined.payment_error.as_ref().unwrap();
    assert_eq!(error.reason(), v1::PaymentErrorReason::InsufficientFunds);
    assert_eq!(shop.money(&declined), (0, 0));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let again = v1::PayOrderRequest {
        request_id: request_id(),
        drop_id: declined.drop_id.clone(),
        order_id: declined.order_id.clone(),
        payment_method: method::CAPTURES.to_owned(),
        retry_count: 0,
    };
    let paid = shop.buyer.pay_order(again).await.unwrap().order.unwrap();
    assert_eq!(paid.state(), OrderState::Paid);
    let captured = shop.stripe.books(&paid.order_id, 2).captured;
    assert_eq!(captured, 2_500);

    let refund = v1::RefundOrderRequest {
        request_id: request_id(),
        drop_id: paid.drop_id.clone(),
        order_id: paid.order_id.clone(),
        reason: "damaged".to_owned(),
        restock: true,
    };
    shop.creator.refund_order(refund).await.unwrap();
    shop.becomes(&paid, OrderState::Refunded).await;
    assert_eq!(shop.stripe.books(&paid.order_id, 2).refunded, 2_500);
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tells_that_the_buyer_has_confirmed() {
    let shop = Shop::open().await;
    let order = shop.buy(method::ASKS_BUYER).await;
    assert_eq!(order.state(), OrderState::ActionRequired);
    shop.stripe.authenticate(&order.action_url, true);
    let answers = shop.post_messages(&order).await;
    assert!(
        !answers.is_empty() && answers.iter().all(|it| *it == 200),
        "{answers:?}"
    );
    shop.becomes(&order, OrderState::Paid).await;
    assert_eq!(shop.money(&order), (2_500, 0));
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_capture_is_learnt_by_a_message_and_kept_once() {
    let shop = Shop::open().await;
    let order = shop.buy(method::DECLINED_THEN_CAPTURES).await;
    assert_eq!(order.state(), OrderState::Held);
    shop.stripe.pass_time(&order.order_id, 1);
    let answers = shop.post_messages(&order).await;
    assert!(answers.iter().all(|it| *it == 200), "{answers:?}");
    shop.becomes(&order, OrderState::Paid).await;
    assert_eq!(shop.money(&order), (2_500, 0));
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_by_asking() {
    let shop = Shop::open().await;
    shop.stripe
        .trouble("POST /v1/payment_intents", Trouble::LosesAnswer);
    let order = shop.buy(method::CAPTURES).await;
    shop.becomes(&order, OrderState::Paid).await;
    assert_eq!(shop.money(&order), (2_500, 0));
    shop.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_messages_change_nothing() {
    let shop = Shop::open().await;
    let order = shop.buy(method::ASKS_BUYER).await;
    shop.stripe.authenticate(&order.action_url, true);
    let message = shop.stripe.messages(&order.order_id, 1).pop().unwrap();
    let body = message.body.to_vec();
    let old = message.signature(1_000_000_000);
    for signature in ["", "t=1,v1=00", old.as_str()] {
        assert_eq!(shop.post(signature, body.clone()).await, 400, "{signature}");
    }
    let huge = vec![b'x'; 10 << 20];
    assert_ne!(shop.post(&old, huge).await, 200);
    let url = format!("{}/webhooks/payments/nobody", shop.server.endpoint());
    let answer = reqwest::Client::new().post(url).body(body).send().await;
    assert_eq!(answer.unwrap().status().as_u16(), 404);
    shop.server.stop().await;
}
