//! Buying.

use std::time::Duration;

use futures::future::join_all;
use livedrop::v1::{self, OrderState};

use crate::harness::{
    Server, cancel_order, drop_request, eventually, get_drop, get_order, item, open_drop,
    order_request, place, reason, request_id, schedule, stock,
};

#[tokio::test]
async fn a_free_order_is_sold_and_a_priced_one_held() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(0, 5), (250, 7)]).await;
    let answer = ann
        .place_order(order_request(&drop, &[(0, 2)]))
        .await
        .unwrap();
    assert_eq!(answer.order.as_ref().unwrap().state(), OrderState::Paid);
    assert_eq!(answer.stock_left[0].available, 3);
    let receipt = answer.receipt.unwrap();
    assert_eq!(
        (receipt.ledger_id, receipt.record_hash.len()),
        (drop.drop_id.clone(), 32)
    );

    let order = place(&bob, &drop, &[(1, 3), (0, 1)]).await.unwrap();
    assert_eq!(
        (order.state(), order.total.clone().unwrap().amount_minor),
        (OrderState::Held, 750)
    );
    assert_eq!(order.lines[0].unit_price.clone().unwrap().amount_minor, 250);
    let now = get_drop(&bob, &drop).await;
    assert_eq!((stock(&now, 0), stock(&now, 1)), ((2, 1, 2), (4, 3, 0)));
    assert_eq!(get_order(&bob, &order).await.unwrap(), order);
    assert_eq!(
        get_order(&creator, &order).await.unwrap(),
        order,
        "the seller sees it"
    );
    assert_eq!(reason(get_order(&ann, &order).await), "ORDER_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn a_request_id_makes_one_order() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 50)]).await;
    let request = order_request(&drop, &[(0, 2)]);
    let twins = join_all((0..20).map(|_| ann.place_order(request.clone()))).await;
    let ids: std::collections::HashSet<_> = twins
        .into_iter()
        .map(|it| it.unwrap().order.unwrap().order_id)
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (48, 2, 0));

    let retry = v1::PlaceOrderRequest {
        retry_count: 3,
        ..request.clone()
    };
    assert!(
        ids.contains(
            &ann.place_order(retry)
                .await
                .unwrap()
                .order
                .unwrap()
                .order_id
        )
    );
    let mut other = order_request(&drop, &[(0, 1)]);
    other.request_id.clone_from(&request.request_id);
    assert_eq!(reason(ann.place_order(other).await), "REQUEST_ID_REUSED");
    // The same id of somebody else is another call.
    let bobs = bob.place_order(request).await.unwrap().order.unwrap();
    assert!(!ids.contains(&bobs.order_id));
}

#[tokio::test]
async fn a_refused_retry_voids_its_request_id() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 1)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let first = order_request(&drop, &[(0, 1)]);
    assert_eq!(reason(bob.place_order(first.clone()).await), "SOLD_OUT");
    let retry = v1::PlaceOrderRequest {
        retry_count: 1,
        ..first.clone()
    };
    assert_eq!(reason(bob.place_order(retry.clone()).await), "SOLD_OUT");
    cancel_order(&ann, &order).await.unwrap();
    assert_eq!(reason(bob.place_order(retry).await), "REQUEST_ID_VOID");
    assert_eq!(reason(bob.place_order(first).await), "REQUEST_ID_VOID");
    assert!(
        place(&bob, &drop, &[(0, 1)]).await.is_ok(),
        "a new id works"
    );
}

#[tokio::test]
async fn refusals_say_why() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let mut limited = item(100, 10);
    limited.limit_per_buyer = 3;
    let request = v1::ScheduleDropRequest {
        limit_per_buyer: 4,
        ..drop_request(vec![limited, item(0, 10)])
    };
    let drop = schedule(&creator, request).await;

    let error = place(&ann, &drop, &[(0, 4)]).await.unwrap_err();
    assert_eq!(
        (error.reason_text(), &*error.metadata()["limit"]),
        (Some("BUYER_LIMIT_REACHED"), "3")
    );
    assert_eq!(
        reason(place(&ann, &drop, &[(0, 3), (1, 2)]).await),
        "BUYER_LIMIT_REACHED"
    );
    let order = place(&ann, &drop, &[(0, 3)]).await.unwrap();
    let error = place(&ann, &drop, &[(1, 1)]).await.unwrap_err();
    assert_eq!(error.reason_text(), Some("TOO_MANY_HOLDS"));
    assert_eq!(error.metadata()["openOrderId"], order.order_id);
    cancel_order(&ann, &order).await.unwrap();

    let total = |amount_minor| {
        Some(v1::Money {
            currency_code: "EUR".into(),
            amount_minor,
        })
    };
    let dear = v1::PlaceOrderRequest {
        expected_total: total(99),
        ..order_request(&drop, &[(0, 1)])
    };
    let error = bob.place_order(dear.clone()).await.unwrap_err();
    assert_eq!(
        (error.reason_text(), &*error.metadata()["totalMinor"]),
        (Some("PRICE_CHANGED"), "100")
    );
    let right = v1::PlaceOrderRequest {
        expected_total: total(100),
        request_id: request_id(),
        ..dear
    };
    assert!(bob.place_order(right).await.is_ok());

    let late = server.person().await;
    let full = schedule(&creator, drop_request(vec![item(0, 2)])).await;
    let error = place(&late, &full, &[(0, 3)]).await.unwrap_err();
    assert_eq!(
        (error.reason_text(), &*error.metadata()["available"]),
        (Some("SOLD_OUT"), "2")
    );
    let mut foreign = order_request(&full, &[(0, 1)]);
    foreign.lines[0].item_id.clone_from(&drop.items[0].item_id);
    let error = late.place_order(foreign).await.unwrap_err();
    assert_eq!(error.violations()[0].field, "lines[0].item_id");
}

#[tokio::test]
async fn cancelling_gives_units_back_once_and_has_a_limit() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5), (0, 5)]).await;
    for _ in 0..5 {
        let order = place(&ann, &drop, &[(0, 5)]).await.unwrap();
        for _ in 0..2 {
            assert_eq!(
                cancel_order(&ann, &order).await.unwrap().state(),
                OrderState::Cancelled
            );
        }
        assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (5, 0, 0));
    }
    assert_eq!(
        reason(place(&ann, &drop, &[(0, 1)]).await),
        "TOO_MANY_HOLDS"
    );

    let bob = server.person().await;
    let sold = place(&bob, &drop, &[(1, 1)]).await.unwrap();
    let error = cancel_order(&bob, &sold).await.unwrap_err();
    assert_eq!(
        (error.reason_text(), &*error.metadata()["state"]),
        (Some("ORDER_STATE"), "PAID")
    );
    assert_eq!(reason(cancel_order(&ann, &sold).await), "ORDER_NOT_FOUND");
}

#[tokio::test]
async fn sixty_four_buyers_want_the_last_unit() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(100, 1)]).await;
    let buyers = join_all((0..64).map(|_| server.person())).await;
    let answers = join_all(buyers.iter().map(|buyer| place(buyer, &drop, &[(0, 1)]))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in lost {
        assert_eq!(reason(answer), "SOLD_OUT");
    }
    assert_eq!(stock(&get_drop(&creator, &drop).await, 0), (0, 1, 0));
}

#[tokio::test]
async fn a_hold_that_runs_out_gives_its_units_back() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let request = v1::ScheduleDropRequest {
        hold_duration: Some(Duration::from_secs(30).try_into().unwrap()),
        ..drop_request(vec![item(100, 1)])
    };
    let drop = schedule(&creator, request).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    assert_eq!(reason(place(&bob, &drop, &[(0, 1)]).await), "SOLD_OUT");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(
        get_order(&ann, &order).await.unwrap().state(),
        OrderState::Held,
        "2 s of grace"
    );
    let sold = || async { place(&bob, &drop, &[(0, 1)]).await.ok() };
    eventually(sold).await;
    assert_eq!(
        get_order(&ann, &order).await.unwrap().state(),
        OrderState::Expired
    );
    assert_eq!(reason(cancel_order(&ann, &order).await), "ORDER_STATE");
    let pay = v1::PayOrderRequest {
        drop_id: order.drop_id.clone(),
        order_id: order.order_id.clone(),
        payment_method: "pm_test_ok".into(),
        ..Default::default()
    };
    assert_eq!(reason(ann.pay_order(pay).await), "HOLD_EXPIRED");
}
