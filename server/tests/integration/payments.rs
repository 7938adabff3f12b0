//! Paying and refunding, with the test provider's tokens.

use std::time::{Duration, Instant};

use livedrop::{
    Client, Error,
    v1::{self, OrderState, PaymentErrorReason},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::harness::{
    Server, cancel_order, eventually, get_drop, get_order, home::Home, open_drop, order_request,
    place, reason, request_id, stock,
};

/// Places an order of one unit and pays in the same call.
async fn buy(buyer: &Client, drop: &v1::Drop, token: &str) -> Result<v1::Order, Error> {
    let request = v1::PlaceOrderRequest {
        payment_method: token.into(),
        ..order_request(drop, &[(0, 1)])
    };
    Ok(buyer.place_order(request).await?.order.unwrap())
}

fn pay_request(order: &v1::Order, token: &str) -> v1::PayOrderRequest {
    v1::PayOrderRequest {
        request_id: request_id(),
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        payment_method: token.into(),
        retry_count: 0,
    }
}

async fn pay(buyer: &Client, order: &v1::Order, token: &str) -> Result<v1::Order, Error> {
    let answer = buyer.pay_order(pay_request(order, token)).await?;
    Ok(answer.order.unwrap())
}

/// Pays as soon as another attempt may begin.
async fn pay_again(buyer: &Client, order: &v1::Order, token: &str) -> v1::Order {
    let allowed = || async {
        match pay(buyer, order, token).await {
            Ok(order) => Some(order),
            Err(error) => {
                assert_eq!(error.reason_text(), Some("TOO_MANY_ATTEMPTS"));
                assert!(error.metadata().contains_key("retryAt"), "{error:?}");
                None
            }
        }
    };
    eventually(allowed).await
}

fn refund_request(order: &v1::Order, restock: bool) -> v1::RefundOrderRequest {
    v1::RefundOrderRequest {
        request_id: request_id(),
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        reason: "wrong size".into(),
        restock,
    }
}

async fn refund(creator: &Client, order: &v1::Order, restock: bool) -> Result<v1::Order, Error> {
    let answer = creator.refund_order(refund_request(order, restock)).await?;
    Ok(answer.order.unwrap())
}

/// Waits for a state, over a stream.
async fn until(client: &Client, order: &v1::Order, state: OrderState) -> v1::Order {
    let mut watch = client.watch_order(&order.drop_id, &order.order_id);
    let seen = async {
        loop {
            let order = watch.next().await.unwrap().unwrap();
            if order.state() == state {
                return order;
            }
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(60), seen).await;
    seen.unwrap_or_else(|_| panic!("never {state:?}"))
}

fn error_of(order: &v1::Order) -> PaymentErrorReason {
    assert_eq!(order.state(), OrderState::Held, "{order:?}");
    let error = order.payment_error.as_ref().unwrap();
    assert!(!error.message.is_empty());
    error.reason()
}

#[tokio::test]
async fn an_order_is_paid_in_the_same_call_or_later() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 5), (0, 5)]).await;
    let paid = buy(&ann, &drop, "pm_test_ok").await.unwrap();
    assert_eq!((paid.state(), paid.attempts), (OrderState::Paid, 1));
    assert!(paid.payment_error.is_none() && paid.action_url.is_empty());
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (4, 0, 1));
    assert_eq!(get_order(&ann, &paid).await.unwrap(), paid);

    let held = place(&bob, &drop, &[(0, 2)]).await.unwrap();
    assert_eq!((held.state(), held.attempts), (OrderState::Held, 0));
    assert_eq!(
        reason(pay(&ann, &held, "pm_test_ok").await),
        "ORDER_NOT_FOUND"
    );
    let paid = pay(&bob, &held, "pm_test_ok").await.unwrap();
    assert_eq!((paid.state(), paid.attempts), (OrderState::Paid, 1));
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (2, 0, 3));
    assert_eq!(reason(pay(&bob, &held, "pm_test_ok").await), "ORDER_STATE");

    // What costs nothing needs no payment.
    let request = v1::PlaceOrderRequest {
        payment_method: "pm_test_declined".into(),
        ..order_request(&drop, &[(1, 1)])
    };
    let free = bob.place_order(request).await.unwrap().order.unwrap();
    assert_eq!((free.state(), free.attempts), (OrderState::Paid, 0));
    server.stop().await;
}

#[tokio::test]
async fn a_declined_payment_leaves_the_hold_for_another() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 2)]).await;
    let declined = buy(&ann, &drop, "pm_test_declined").await.unwrap();
    assert_eq!(error_of(&declined), PaymentErrorReason::Declined);
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (1, 1, 0));
    // The next attempt is card testing if it comes at once.
    assert_eq!(
        reason(pay(&ann, &declined, "pm_test_ok").await),
        "TOO_MANY_ATTEMPTS"
    );
    let paid = pay_again(&ann, &declined, "pm_test_ok").await;
    assert_eq!((paid.state(), paid.attempts), (OrderState::Paid, 2));
    assert!(paid.payment_error.is_none());

    let mut poor = buy(&bob, &drop, "pm_test_insufficient_funds")
        .await
        .unwrap();
    assert_eq!(error_of(&poor), PaymentErrorReason::InsufficientFunds);
    for attempt in 2..=5 {
        poor = pay_again(&bob, &poor, "pm_test_declined").await;
        assert_eq!(
            (error_of(&poor), poor.attempts),
            (PaymentErrorReason::Declined, attempt)
        );
    }
    let error = pay(&bob, &poor, "pm_test_ok").await.unwrap_err();
    assert_eq!(error.reason_text(), Some("TOO_MANY_ATTEMPTS"));
    assert!(!error.metadata().contains_key("retryAt"));
    assert!(cancel_order(&bob, &poor).await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn a_request_id_pays_once() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let held = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let request = pay_request(&held, "pm_test_ok");
    let twins = (0..10).map(|_| ann.pay_order(request.clone()));
    for answer in futures::future::join_all(twins).await {
        let order = answer.unwrap().order.unwrap();
        assert_eq!((order.state(), order.attempts), (OrderState::Paid, 1));
    }
    let other = v1::PayOrderRequest {
        payment_method: "pm_test_declined".into(),
        ..request.clone()
    };
    assert_eq!(reason(ann.pay_order(other).await), "REQUEST_ID_REUSED");
    let late = v1::PayOrderRequest {
        retry_count: 4,
        ..request
    };
    assert!(
        ann.pay_order(late).await.is_ok(),
        "a late repeat is answered"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_open_payment_can_be_neither_cancelled_nor_doubled() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = buy(&ann, &drop, "pm_test_3ds").await.unwrap();
    assert_eq!(order.state(), OrderState::ActionRequired);
    assert!(order.action_url.starts_with("http"), "{order:?}");
    for refused in [
        cancel_order(&ann, &order).await,
        pay(&ann, &order, "pm_test_ok").await,
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.reason_text(), Some("PAYMENT_IN_PROGRESS"));
        assert_eq!(error.metadata()["state"], "ACTION_REQUIRED");
        assert_eq!(error.metadata()["orderId"], order.order_id);
    }
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (4, 1, 0));
    server.stop().await;
}

/// Presses a button of the page that a buyer is sent to.
async fn press(order: &v1::Order, button: &str) {
    let rest = order.action_url.strip_prefix("http://").unwrap();
    let (host, page) = rest.split_once('/').unwrap();
    let head = format!(
        "POST /{page}/{button} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
}

#[tokio::test]
async fn a_provider_that_takes_no_new_payments_finishes_what_it_began() {
    let home = Home::new().await;
    let server = Server::at(&home).await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let mut order = buy(&ann, &drop, "pm_test_3ds").await.unwrap();
    let before = server.endpoint();
    server.stop().await;

    let server = Server::at_with(&home, |config| config.payments.provider = None).await;
    order.action_url = order.action_url.replace(&before, &server.endpoint());
    press(&order, "approve").await;
    let ann = server.stranger().with_tokens(ann.tokens().unwrap());
    until(&ann, &order, OrderState::Paid).await;
    let refused = buy(&ann, &drop, "pm_test_ok").await;
    assert_eq!(reason(refused), "INVALID_REQUEST");
    server.stop().await;
}

#[tokio::test]
async fn a_buyer_confirms_a_payment_or_does_not() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = buy(&ann, &drop, "pm_test_3ds").await.unwrap();
    // Whoever has the address can confirm: the drop's creator sees the order without it.
    let seen = get_order(&creator, &order).await.unwrap();
    assert_eq!(seen.state(), OrderState::ActionRequired);
    assert_eq!(seen.action_url, "");
    let of_drop = v1::ListDropOrdersRequest {
        drop_id: drop.drop_id.clone(),
        ..Default::default()
    };
    let listed = eventually(async || {
        let answer = creator.list_drop_orders(of_drop.clone()).await.unwrap();
        let listed = answer.orders.into_iter().next();
        listed.filter(|it| it.state() == OrderState::ActionRequired)
    });
    assert_eq!(listed.await.action_url, "");
    press(&order, "approve").await;
    let paid = until(&ann, &order, OrderState::Paid).await;
    assert!(paid.action_url.is_empty());

    let order = buy(&bob, &drop, "pm_test_3ds").await.unwrap();
    press(&order, "decline").await;
    let failed = until(&bob, &order, OrderState::Held).await;
    assert_eq!(error_of(&failed), PaymentErrorReason::AuthenticationFailed);
    assert!(failed.action_url.is_empty());
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (3, 1, 1));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_payment_is_answered_as_pending_and_followed() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let begun_at = Instant::now();
    let order = buy(&ann, &drop, "pm_test_slow").await.unwrap();
    let waited = begun_at.elapsed();
    assert_eq!(order.state(), OrderState::PaymentPending);
    assert!(
        (Duration::from_secs(7)..Duration::from_secs(12)).contains(&waited),
        "{waited:?}"
    );
    let paid = until(&ann, &order, OrderState::Paid).await;
    assert_eq!(paid.attempts, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_found_by_asking() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = buy(&ann, &drop, "pm_test_unknown").await.unwrap();
    assert_eq!(until(&ann, &order, OrderState::Paid).await.attempts, 1);
    let order = buy(&bob, &drop, "pm_test_duplicate_webhook").await.unwrap();
    until(&bob, &order, OrderState::Paid).await;
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (3, 0, 2));
    server.stop().await;
}

#[tokio::test]
async fn a_late_capture_ends_as_a_sale() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = buy(&ann, &drop, "pm_test_late").await.unwrap();
    assert!(matches!(order.state(), OrderState::Held | OrderState::Paid));
    until(&ann, &order, OrderState::Paid).await;
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (4, 0, 1));
    server.stop().await;
}

#[tokio::test]
async fn a_creator_refunds_and_nobody_else_does() {
    let server = Server::start().await;
    let (creator, other, ann, bob) = (
        server.creator().await,
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let paid = buy(&ann, &drop, "pm_test_ok").await.unwrap();
    let failing = buy(&bob, &drop, "pm_test_refund_fails_once").await.unwrap();
    assert_eq!(failing.state(), OrderState::Paid);
    for stranger in [&other, &ann] {
        assert_eq!(reason(refund(stranger, &paid, false).await), "NOT_OWNER");
    }
    let unknown = v1::Order {
        order_id: request_id(),
        ..paid.clone()
    };
    assert_eq!(
        reason(refund(&creator, &unknown, false).await),
        "ORDER_NOT_FOUND"
    );
    let nowhere = v1::Order {
        drop_id: request_id(),
        ..paid.clone()
    };
    assert_eq!(
        reason(refund(&creator, &nowhere, false).await),
        "DROP_NOT_FOUND"
    );
    let held = place(&server.person().await, &drop, &[(0, 1)]).await;
    let error = refund(&creator, &held.unwrap(), false).await.unwrap_err();
    assert_eq!(
        (error.reason_text(), &*error.metadata()["state"]),
        (Some("ORDER_STATE"), "HELD")
    );

    let request = refund_request(&paid, true);
    let first = creator.refund_order(request.clone()).await.unwrap();
    let state = first.order.unwrap().state();
    assert!(matches!(
        state,
        OrderState::RefundPending | OrderState::Refunded
    ));
    assert!(creator.refund_order(request.clone()).await.is_ok());
    let other = v1::RefundOrderRequest {
        reason: "another".into(),
        ..request
    };
    assert_eq!(
        reason(creator.refund_order(other).await),
        "REQUEST_ID_REUSED"
    );
    assert!(refund(&creator, &paid, false).await.is_ok(), "done already");
    until(&ann, &paid, OrderState::Refunded).await;
    refund(&creator, &failing, false).await.unwrap();
    until(&creator, &failing, OrderState::Refunded).await;
    // Only the first was put back; one more is held.
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (3, 1, 1));
    assert_eq!(reason(pay(&ann, &paid, "pm_test_ok").await), "ORDER_STATE");
    server.stop().await;
}
