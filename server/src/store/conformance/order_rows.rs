//! Order rows, and the lists of orders.

use std::time::Duration;

use uuid::Uuid;

use super::{
    pages::{self, first_100},
    samples::{NOW, id, order_ref, order_row},
};
use crate::{
    domain::{AccountId, DropId, OrderId, Timestamp, order::OrderState},
    store::{
        SharedStore,
        orders::{LedgerPlace, ORDERS_PUT_MAX, OrderKey, OrderRef, OrderRow},
    },
};

async fn put_refs(store: &SharedStore, refs: &[OrderRef]) {
    let reversed: Vec<_> = refs.iter().rev().copied().collect();
    // In another order than that of their keys, and twice.
    store.put_order_refs(&reversed).await.unwrap();
    store.put_order_refs(refs).await.unwrap();
}

/// A slice is put as a whole, every field of every row.
pub async fn orders_come_back_as_put(store: &SharedStore) {
    let states = [
        OrderState::Held,
        OrderState::PaymentPending,
        OrderState::ActionRequired,
        OrderState::PaymentUnknown,
        OrderState::Paid,
        OrderState::Cancelled,
        OrderState::Expired,
        OrderState::RefundPending,
        OrderState::Refunded,
    ];
    let mut rows: Vec<_> = states
        .into_iter()
        .map(|state| OrderRow {
            state,
            ..order_row()
        })
        .collect();
    rows.push(OrderRow {
        lines: Vec::new(),
        action_url: None,
        payment_error: None,
        ..order_row()
    });
    store.put_orders(&rows).await.unwrap();
    for row in rows {
        let found = store.get_order(row.order_id).await.unwrap();
        assert_eq!(found, Some(row));
    }
    assert_eq!(store.get_order(OrderId::new(id())).await.unwrap(), None);
    store.put_orders(&[]).await.unwrap();
    store.put_order_refs(&[]).await.unwrap();
}

/// Whatever the order of arrival, in one slice or in several, the row with the greatest place stays.
pub async fn the_greatest_place_stays(store: &SharedStore) {
    let places = [(9, 700), (10, 9), (10, 10)].map(|(seq, index)| LedgerPlace { seq, index });
    for arrival in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
        [2, 2, 2],
    ] {
        for slice in [1, 2, 3] {
            let first = order_row();
            let rows = arrival.map(|place| OrderRow {
                updated: places[place],
                // By all else the newest is the smallest.
                total_minor: 9 - i64::try_from(place).unwrap(),
                ..first.clone()
            });
            for rows in rows.chunks(slice) {
                store.put_orders(rows).await.unwrap();
            }
            let newest = rows.iter().find(|row| row.updated == places[2]);
            assert_eq!(
                store.get_order(first.order_id).await.unwrap().as_ref(),
                newest,
                "{arrival:?}, {slice} at a time"
            );
        }
    }
}

/// As many rows as are allowed at a time are put; more are refused, and none of them is put.
pub async fn slices_of_orders_are_bounded(store: &SharedStore) {
    let mut rows: Vec<_> = (0..=ORDERS_PUT_MAX).map(|_| order_row()).collect();
    let mut refs: Vec<_> = rows.iter().map(order_ref).collect();
    assert!(store.put_orders(&rows).await.is_err());
    assert!(store.put_order_refs(&refs).await.is_err());
    assert_eq!(store.get_order(rows[0].order_id).await.unwrap(), None);
    let _one_too_many = (rows.pop(), refs.pop());
    store.put_orders(&rows).await.unwrap();
    store.put_order_refs(&refs).await.unwrap();
    for (row, it) in rows.iter().zip(&refs) {
        let found = store.get_order(row.order_id).await.unwrap();
        assert_eq!(found.as_ref(), Some(row));
        let listed = store.list_drop_orders(it.drop_id, it.segment, first_100());
        assert_eq!(listed.await.unwrap(), [row.order_id]);
    }
}

/// A buyer's orders of a month are listed by time and id, up and down, once however often they are put.
pub async fn buyer_orders_page_both_ways(store: &SharedStore) {
    let buyer_id = AccountId::new(id());
    let mut refs: Vec<_> = (0..7)
        .map(|i| {
            let mut it = order_ref(&order_row());
            it.buyer_id = buyer_id;
            it.key.created_at = NOW + Duration::from_micros(i / 2);
            it
        })
        .collect();
    refs.sort_by_key(|it| it.key);
    put_refs(store, &refs).await;
    let between = OrderKey {
        created_at: NOW,
        order_id: OrderId::new(Uuid::max()),
    };
    pages::go_both_ways(
        &refs,
        between,
        |it| it.key,
        async |page| store.list_buyer_orders(buyer_id, NOW.month(), page).await,
    )
    .await;
}

/// The first and last instant of a UTC month belong to it, and a buyer sees own orders only.
pub async fn buyers_and_months_are_apart(store: &SharedStore) {
    let [first, other] = [(); 2].map(|()| AccountId::new(id()));
    // 2026-02-01 and 2026-03-01.
    let [start, end] =
        [1_769_904_000, 1_772_323_200].map(|it| Timestamp::from_micros(it * 1_000_000));
    let at = |buyer_id, created_at| {
        let mut it = order_ref(&order_row());
        (it.buyer_id, it.key.created_at) = (buyer_id, created_at);
        it
    };
    let before = at(first, start - Duration::from_micros(1));
    let inside = [at(first, start), at(first, end - Duration::from_micros(1))];
    let after = at(first, end);
    let others = at(other, start);
    put_refs(store, &[before, inside[0], inside[1], after, others]).await;
    let month = (2026 - 1970) * 12 + 1;
    for (buyer_id, month, expected) in [
        (first, month - 1, &[before][..]),
        (first, month, &inside),
        (first, month + 1, &[after]),
        (first, month + 2, &[]),
        (other, month, &[others]),
        (other, month + 1, &[]),
    ] {
        let listed = store.list_buyer_orders(buyer_id, month, first_100());
        assert_eq!(listed.await.unwrap(), expected, "month {month}");
    }
}

/// A segment's orders are listed by id, up and down, once however often they are put.
pub async fn drop_orders_page_both_ways(store: &SharedStore) {
    let (drop_id, segment) = (DropId::new(id()), 3);
    let mut refs: Vec<_> = (0..7).map(|_| order_ref(&order_row())).collect();
    for it in &mut refs {
        (it.drop_id, it.segment) = (drop_id, segment);
    }
    refs.sort_by_key(|it| it.key.order_id);
    put_refs(store, &refs).await;
    let ids: Vec<_> = refs.iter().map(|it| it.key.order_id).collect();
    let between = OrderId::new(Uuid::from_u128(ids[1].uuid().as_u128() + 1));
    pages::go_both_ways(
        &ids,
        between,
        |order_id| *order_id,
        async |page| store.list_drop_orders(drop_id, segment, page).await,
    )
    .await;
}

/// A list has the orders of its drop and segment only.
pub async fn drops_and_segments_are_apart(store: &SharedStore) {
    let [first, other] = [(); 2].map(|()| DropId::new(id()));
    let places = [(first, 0), (first, 1), (first, 256), (other, 0)];
    let refs = places.map(|(drop_id, segment)| OrderRef {
        drop_id,
        segment,
        ..order_ref(&order_row())
    });
    put_refs(store, &refs).await;
    for it in refs {
        let listed = store.list_drop_orders(it.drop_id, it.segment, first_100());
        assert_eq!(listed.await.unwrap(), [it.key.order_id]);
    }
    let listed = store.list_drop_orders(other, 1, first_100()).await;
    assert_eq!(listed.unwrap(), []);
}
