//! A drop's life.

use std::time::Duration;

use livedrop::v1::{self, DropState};

use crate::harness::{
    Server, after, cancel_order, drop_request, eventually, get_drop, get_order, item, open_drop,
    place, reason, request_id, schedule, stock,
};

fn cancel(drop: &v1::Drop) -> v1::CancelDropRequest {
    v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    }
}

fn end(drop: &v1::Drop) -> v1::EndDropRequest {
    v1::EndDropRequest {
        drop_id: drop.drop_id.clone(),
    }
}

fn restock(drop: &v1::Drop, unit_count: i64) -> v1::RestockDropRequest {
    let (drop_id, item_id) = (drop.drop_id.clone(), drop.items[0].item_id.clone());
    v1::RestockDropRequest {
        request_id: request_id(),
        drop_id,
        item_id,
        unit_count,
        reason: "found more".into(),
    }
}

#[tokio::test]
async fn a_drop_without_a_time_is_live_at_once() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(0, 5), (250, 7)]).await;
    assert_eq!(
        (drop.state(), drop.frozen, drop.items.len()),
        (DropState::Live, true, 2)
    );
    assert!(drop.seq > 0 && !drop.sold_out);
    assert_eq!(get_drop(&server.stranger(), &drop).await, drop);
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_schedule_is_one_drop() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let request = drop_request(vec![item(0, 5)]);
    let first = schedule(&creator, request.clone()).await;
    assert_eq!(
        schedule(&creator, request.clone()).await.drop_id,
        first.drop_id
    );
    let other = v1::ScheduleDropRequest {
        title: "Another".into(),
        ..request
    };
    assert_eq!(
        reason(creator.schedule_drop(other).await),
        "REQUEST_ID_REUSED"
    );
    // A late repeat: by now the times would be refused.
    let short = v1::ScheduleDropRequest {
        ends_at: after(Duration::from_millis(700)),
        ..drop_request(vec![item(0, 5)])
    };
    let first = schedule(&creator, short.clone()).await;
    let ended =
        || async { (get_drop(&creator, &first).await.state() == DropState::Ended).then_some(()) };
    eventually(ended).await;
    assert_eq!(schedule(&creator, short).await.drop_id, first.drop_id);
}

#[tokio::test]
async fn it_opens_and_ends_by_the_clock() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let request = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(1)),
        ends_at: after(Duration::from_secs(3)),
        ..drop_request(vec![item(0, 5)])
    };
    let drop = schedule(&creator, request).await;
    assert_eq!(drop.state(), DropState::Scheduled);
    let early = place(&buyer, &drop, &[(0, 1)]).await.unwrap_err();
    assert_eq!(early.reason_text(), Some("DROP_NOT_OPEN"));
    assert!(early.metadata().contains_key("opensAt"));
    assert_eq!(reason(creator.end_drop(end(&drop)).await), "DROP_NOT_OPEN");

    let bought = || async { place(&buyer, &drop, &[(0, 1)]).await.ok() };
    assert_eq!(eventually(bought).await.state(), v1::OrderState::Paid);
    let ended = || async {
        Some(get_drop(&creator, &drop).await).filter(|drop| drop.state() == DropState::Ended)
    };
    assert_eq!(stock(&eventually(ended).await, 0), (4, 0, 1));
    assert_eq!(reason(place(&buyer, &drop, &[(0, 1)]).await), "DROP_ENDED");
    assert_eq!(
        reason(creator.cancel_drop(cancel(&drop)).await),
        "DROP_ENDED"
    );
    assert_eq!(
        creator
            .end_drop(end(&drop))
            .await
            .unwrap()
            .drop
            .unwrap()
            .state(),
        DropState::Ended
    );
}

#[tokio::test]
async fn a_far_drop_is_cancelled_without_a_ledger() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let request = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(3_000)),
        ..drop_request(vec![item(0, 5)])
    };
    let drop = schedule(&creator, request).await;
    assert_eq!(
        (drop.state(), drop.frozen, drop.seq),
        (DropState::Scheduled, false, 0)
    );
    assert_eq!(stock(&drop, 0), (5, 0, 0));
    assert_eq!(
        reason(creator.restock_drop(restock(&drop, 1)).await),
        "DROP_NOT_OPEN"
    );
    let cancelled = creator
        .cancel_drop(cancel(&drop))
        .await
        .unwrap()
        .drop
        .unwrap();
    assert_eq!(
        (cancelled.state(), cancelled.seq),
        (DropState::Cancelled, 0)
    );
    assert_eq!(
        reason(creator.restock_drop(restock(&drop, 1)).await),
        "DROP_CANCELLED"
    );
    assert_eq!(
        reason(place(&server.person().await, &drop, &[(0, 1)]).await),
        "DROP_CANCELLED"
    );
    assert_eq!(
        creator
            .cancel_drop(cancel(&drop))
            .await
            .unwrap()
            .drop
            .unwrap()
            .state(),
        DropState::Cancelled
    );
}

#[tokio::test]
async fn restocking_adds_units_once() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 1)]).await;
    place(&buyer, &drop, &[(0, 1)]).await.unwrap();
    assert!(get_drop(&buyer, &drop).await.sold_out);
    let request = restock(&drop, 4);
    let full = creator
        .restock_drop(request.clone())
        .await
        .unwrap()
        .drop
        .unwrap();
    let again = creator
        .restock_drop(request.clone())
        .await
        .unwrap()
        .drop
        .unwrap();
    assert_eq!((stock(&full, 0), stock(&again, 0)), ((4, 0, 1), (4, 0, 1)));
    assert_eq!(
        (again.items[0].stock.unwrap().restocked, again.sold_out),
        (4, false)
    );
    let other = v1::RestockDropRequest {
        unit_count: 5,
        ..request
    };
    assert_eq!(
        reason(creator.restock_drop(other).await),
        "REQUEST_ID_REUSED"
    );
}

#[tokio::test]
async fn cancelling_releases_holds_and_takes_sales_back() {
    let server = Server::start().await;
    let (creator, payer, holder) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(0, 5), (100, 5)]).await;
    let free = place(&payer, &drop, &[(0, 2)]).await.unwrap();
    let held = place(&holder, &drop, &[(1, 3)]).await.unwrap();
    let request = cancel(&drop);
    let cancelled = creator
        .cancel_drop(request.clone())
        .await
        .unwrap()
        .drop
        .unwrap();
    assert_eq!(cancelled.state(), DropState::Cancelled);
    let refunded = || async {
        Some(get_order(&payer, &free).await.unwrap())
            .filter(|o| o.state() == v1::OrderState::Refunded)
    };
    eventually(refunded).await;
    assert_eq!(
        get_order(&holder, &held).await.unwrap().state(),
        v1::OrderState::Cancelled
    );
    assert_eq!(
        reason(place(&payer, &drop, &[(0, 1)]).await),
        "DROP_CANCELLED"
    );
    assert_eq!(reason(creator.end_drop(end(&drop)).await), "DROP_CANCELLED");
    assert!(
        creator.cancel_drop(request).await.is_ok(),
        "a repeat is answered"
    );
    assert_eq!(
        cancel_order(&holder, &held).await.unwrap().state(),
        v1::OrderState::Cancelled
    );
}

#[tokio::test]
async fn ending_early_keeps_open_holds() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let order = place(&buyer, &drop, &[(0, 2)]).await.unwrap();
    let ended = creator.end_drop(end(&drop)).await.unwrap().drop.unwrap();
    assert_eq!(
        (ended.state(), stock(&ended, 0)),
        (DropState::Ended, (3, 2, 0))
    );
    assert_eq!(
        reason(creator.restock_drop(restock(&drop, 1)).await),
        "DROP_ENDED"
    );
    assert_eq!(
        get_order(&buyer, &order).await.unwrap().state(),
        v1::OrderState::Held
    );
    assert_eq!(
        cancel_order(&buyer, &order).await.unwrap().state(),
        v1::OrderState::Cancelled
    );
}

#[tokio::test]
async fn only_the_creator_changes_a_drop() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let drop = open_drop(&creator, &[(0, 5)]).await;
    assert_eq!(reason(other.end_drop(end(&drop)).await), "NOT_OWNER");
    assert_eq!(reason(other.cancel_drop(cancel(&drop)).await), "NOT_OWNER");
    assert_eq!(
        reason(other.restock_drop(restock(&drop, 1)).await),
        "NOT_OWNER"
    );
    let person = server.person().await;
    assert_eq!(
        reason(person.schedule_drop(drop_request(vec![item(0, 1)])).await),
        "NOT_CREATOR"
    );
    assert_eq!(get_drop(&creator, &drop).await.state(), DropState::Live);
}
