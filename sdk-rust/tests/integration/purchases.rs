//! Purchases that are gone on with, wherever the app died.

use std::{net::SocketAddr, sync::Mutex};

use livedrop::{
    Client, Purchase, RetryPolicy,
    v1::{self, ErrorReason, OrderState},
};

use crate::till::{CONFIRM, DECLINED, OK, SLOW, Till};

fn client(address: SocketAddr) -> Client {
    let builder = Client::builder(format!("http://{address}"));
    builder.retry(RetryPolicy::never()).build().unwrap()
}

fn purchase(method: &str) -> Purchase {
    let line = v1::PlaceOrderLine {
        item_id: "i1".into(),
        quantity: 1,
    };
    Purchase::new("d1", [line]).paying_with(method)
}

fn saved(purchase: &Purchase) -> String {
    serde_json::to_string(purchase).unwrap()
}

/// What an app does: buys, takes the other method if nothing is paid, and sends the buyer to confirm.
async fn run(
    client: &Client,
    purchase: &mut Purchase,
    other: &str,
    disk: &Mutex<String>,
    till: &Till,
) -> v1::Order {
    loop {
        let order = client.buy(purchase).await.unwrap();
        if order.state() == OrderState::Held {
            purchase.pay_with(other);
            *disk.lock().unwrap() = saved(purchase);
        } else if order.state() == OrderState::ActionRequired {
            till.approve();
        } else {
            return order;
        }
    }
}

#[tokio::test]
async fn an_app_that_dies_at_any_point_has_one_order_paid_once() {
    for (first, other) in [
        (OK, OK),
        (SLOW, OK),
        (CONFIRM, OK),
        (DECLINED, OK),
        (DECLINED, SLOW),
        (DECLINED, CONFIRM),
        ("", OK),
    ] {
        let mut point = 0;
        loop {
            let till = Till::default();
            let address = till.start().await;
            till.fall_silent_at(point);
            let mut begun = purchase(first);
            let disk = Mutex::new(saved(&begun));

            let app = client(address);
            let died = tokio::select! {
                _ = run(&app, &mut begun, other, &disk, &till) => false,
                () = till.has_fallen_silent() => true,
            };
            till.stay_awake();
            // The next run knows what is on the disk.
            let mut read: Purchase = serde_json::from_str(&disk.lock().unwrap()).unwrap();
            let app = client(address);
            let order = run(&app, &mut read, other, &disk, &till).await;

            let what = format!("{first}, then {other}, silent at {point}");
            assert_eq!(order.state(), OrderState::Paid, "{what}");
            let books = till.books();
            assert_eq!((books.orders.len(), books.captures), (1, 1), "{what}");
            if !died {
                assert!(point > 1, "{what}: it never fell silent");
                break;
            }
            point += 1;
        }
    }
}

#[tokio::test]
async fn a_late_twin_of_a_refused_purchase_buys_nothing() {
    let till = Till::default();
    let address = till.start().await;
    till.fall_silent_at(0);
    let mut begun = purchase(OK);
    let disk = saved(&begun);
    let app = client(address);
    tokio::select! {
        answer = app.buy(&mut begun) => panic!("{answer:?}"),
        () = till.has_fallen_silent() => {}
    }
    till.books().is_sold_out = true;
    let mut read: Purchase = serde_json::from_str(&disk).unwrap();
    let error = client(address).buy(&mut read).await.unwrap_err();
    assert_eq!(error.reason(), Some(ErrorReason::SoldOut));

    // Units come back, and the first request arrives at last.
    till.books().is_sold_out = false;
    let twin = v1::PlaceOrderRequest {
        request_id: begun.request_id().into(),
        ..Default::default()
    };
    till.books().place(twin).unwrap_err();
    for purchase in [&mut read, &mut begun] {
        let error = client(address).buy(purchase).await.unwrap_err();
        assert_eq!(error.reason(), Some(ErrorReason::RequestIdVoid));
    }
    assert!(till.books().orders.is_empty());
}

#[tokio::test]
async fn a_first_refusal_leaves_the_purchase_good() {
    let till = Till::default();
    let client = client(till.start().await);
    till.books().is_sold_out = true;
    let mut purchase = purchase(OK);
    client.buy(&mut purchase).await.unwrap_err();
    till.books().is_sold_out = false;
    let order = client.buy(&mut purchase).await.unwrap();
    assert_eq!(order.state(), OrderState::Paid);
    let counts: Vec<i32> = till.books().seen.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [0, 0]);
}

#[tokio::test]
async fn a_call_that_was_dropped_counts_as_sent() {
    let till = Till::default();
    let client = client(till.start().await);
    till.fall_silent_at(0);
    let mut purchase = purchase(OK);
    tokio::select! {
        answer = client.buy(&mut purchase) => panic!("{answer:?}"),
        () = till.has_fallen_silent() => {}
    }
    client.buy(&mut purchase).await.unwrap();
    let seen = till.books().seen.clone();
    assert_eq!(seen, [(purchase.request_id().to_owned(), 1)]);
}

#[tokio::test]
async fn a_payment_that_comes_too_soon_waits() {
    let till = Till::default();
    let client = client(till.start().await);
    let mut purchase = purchase(DECLINED);
    let order = client.buy(&mut purchase).await.unwrap();
    assert_eq!((order.state(), order.attempts), (OrderState::Held, 1));
    assert!(order.payment_error.is_some());
    // Again without another method, it is as it was.
    assert_eq!(client.buy(&mut purchase).await.unwrap(), order);

    till.books().too_soon = 1;
    purchase.pay_with(OK);
    let order = client.buy(&mut purchase).await.unwrap();
    assert_eq!((order.state(), order.attempts), (OrderState::Paid, 2));

    // A repeat that is refused has lost its id, so it is told.
    let mut purchase = self::purchase(DECLINED);
    client.buy(&mut purchase).await.unwrap();
    purchase.pay_with(OK);
    let mut read: Purchase = serde_json::from_str(&saved(&purchase)).unwrap();
    till.books().too_soon = 1;
    let error = client.buy(&mut read).await.unwrap_err();
    assert_eq!(error.reason(), Some(ErrorReason::TooManyAttempts));
    let error = client.buy(&mut read).await.unwrap_err();
    assert_eq!(error.reason(), Some(ErrorReason::RequestIdVoid));
    read.pay_with(OK);
    let order = client.buy(&mut read).await.unwrap();
    assert_eq!(order.state(), OrderState::Paid);
}

#[tokio::test]
async fn without_streams_the_order_is_asked_for() {
    let till = Till::default();
    let client = client(till.start().await);
    till.books().lets_no_streams_through = true;
    let order = client.buy(&mut purchase(SLOW)).await.unwrap();
    assert_eq!(order.state(), OrderState::Paid);
}

#[tokio::test]
async fn the_buyer_confirms_and_the_next_call_waits_for_it() {
    let till = Till::default();
    let client = client(till.start().await);
    let mut purchase = purchase(CONFIRM);
    let order = client.buy(&mut purchase).await.unwrap();
    assert_eq!(order.state(), OrderState::ActionRequired);
    assert!(!order.action_url.is_empty());

    let waiting = client.buy(&mut purchase);
    let approving = async {
        till.has_watcher().await;
        till.approve();
    };
    let (order, ()) = tokio::join!(waiting, approving);
    assert_eq!(order.unwrap().state(), OrderState::Paid);
}

#[tokio::test]
async fn an_earlier_payment_that_comes_through_late_is_the_answer() {
    let till = Till::default();
    let client = client(till.start().await);
    let mut purchase = purchase(DECLINED);
    client.buy(&mut purchase).await.unwrap();
    purchase.pay_with(OK);
    till.books().captures_late = true;
    let order = client.buy(&mut purchase).await.unwrap();
    assert_eq!((order.state(), order.attempts), (OrderState::Paid, 1));
    assert_eq!(till.books().captures, 1);
}
