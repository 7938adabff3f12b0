//! What bad input gets: INVALID_ARGUMENT with all violations at once, and nothing half done.

mod orders;

use std::time::Duration;

use livedrop::{Code, Error, v1};
use tonic_types::StatusExt as _;

use crate::harness::{
    Server, after, drop_request, get_drop, item, open_drop, order_request, profile_request, reason,
    sign_up_request, stock,
};

/// The fields that a refused request names, in order.
pub(crate) fn fields<T: std::fmt::Debug>(answer: Result<T, Error>) -> Vec<String> {
    let error = answer.unwrap_err();
    assert_eq!(
        (error.code(), error.reason_text()),
        (Code::InvalidArgument, Some("INVALID_REQUEST")),
        "{error:?}"
    );
    let mut fields: Vec<_> = error
        .violations()
        .iter()
        .map(|violation| violation.field.clone())
        .collect();
    fields.sort();
    fields
}

#[tokio::test]
async fn all_violations_come_at_once() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(0, 5)]).await;

    let empty = fields(
        creator
            .schedule_drop(v1::ScheduleDropRequest {
                request_id: "x".into(),
                ..Default::default()
            })
            .await,
    );
    assert_eq!(empty, ["ends_at", "items", "request_id", "title"]);

    let price = |currency_code: &str, amount_minor| {
        Some(v1::Money {
            currency_code: currency_code.into(),
            amount_minor,
        })
    };
    let thing = |title: &str, unit_price, stock, limit_per_buyer| v1::ScheduleDropItem {
        title: title.into(),
        unit_price,
        stock,
        limit_per_buyer,
        ..Default::default()
    };
    let request = v1::ScheduleDropRequest {
        title: "a\u{7}b".into(),
        description: "x".repeat(5_001),
        items: vec![
            thing("ok", price("EUR", 1), 1, 0),
            thing("", price("USD", 1), 0, -1),
            thing("y", None, -5, 10_001),
            thing("z", price("EURO", 100_000_001), 10_000_001, 0),
            thing("w", price("EUR", -1), i64::MAX, i32::MIN),
        ],
        limit_per_buyer: -1,
        low_stock_threshold: -1,
        hold_duration: Some(Duration::from_secs(29).try_into().unwrap()),
        opens_at: Some(livedrop::prost_types::Timestamp {
            seconds: 0,
            nanos: -1,
        }),
        ..drop_request(vec![])
    };
    let expected = [
        "description",
        "hold_duration",
        "items[1].limit_per_buyer",
        "items[1].stock",
        "items[1].title",
        "items[1].unit_price.currency_code",
        "items[2].limit_per_buyer",
        "items[2].stock",
        "items[2].unit_price",
        "items[3].stock",
        "items[3].unit_price.currency_code",
        "items[4].limit_per_buyer",
        "items[4].stock",
        "items[4].unit_price.amount_minor",
        "limit_per_buyer",
        "low_stock_threshold",
        "opens_at",
        "title",
    ];
    assert_eq!(fields(creator.schedule_drop(request).await), expected);

    let mut request = order_request(&drop, &[(0, 0), (0, 1), (0, 1_001)]);
    request.lines[0].item_id = "no".into();
    request.request_id.clear();
    request.retry_count = -1;
    request.expected_total = price("eur", 5);
    request.payment_method = "4242 4242 4242 4242".into();
    // The SDK fills an empty request id, so the raw call is made here.
    let mut raw = tonic::Request::new(request);
    creator.authorize(&mut raw).await;
    let status = creator.raw_orders().place_order(raw).await.unwrap_err();
    let expected = [
        "expected_total.currency_code",
        "lines[0].item_id",
        "lines[0].quantity",
        "lines[2].item_id",
        "lines[2].quantity",
        "payment_method",
        "request_id",
        "retry_count",
    ];
    let details = status.get_details_bad_request().unwrap();
    let mut found: Vec<_> = details
        .field_violations
        .into_iter()
        .map(|it| it.field)
        .collect();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(stock(&get_drop(&creator, &drop).await, 0), (5, 0, 0));
}

#[tokio::test]
async fn times_must_make_sense() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let hour = Duration::from_secs(3_600);
    let soon = after(hour);
    let cases = [
        (None, None, "ends_at"),
        (
            None,
            Some(livedrop::prost_types::Timestamp {
                seconds: 1,
                nanos: 0,
            }),
            "ends_at",
        ),
        (after(2 * hour), after(hour), "ends_at"),
        (soon, soon, "ends_at"),
        (None, after(31 * 24 * hour), "ends_at"),
        (after(367 * 24 * hour), after(368 * 24 * hour), "opens_at"),
        (
            Some(livedrop::prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
            after(hour),
            "opens_at",
        ),
        (
            None,
            Some(livedrop::prost_types::Timestamp {
                seconds: i64::MIN,
                nanos: i32::MAX,
            }),
            "ends_at",
        ),
    ];
    for (opens_at, ends_at, field) in cases {
        let request = v1::ScheduleDropRequest {
            opens_at,
            ends_at,
            ..drop_request(vec![item(0, 1)])
        };
        assert_eq!(
            fields(creator.schedule_drop(request).await),
            [field],
            "{opens_at:?} {ends_at:?}"
        );
    }
    // A refused first try is not remembered: the same id may come with better times.
    let bad = v1::ScheduleDropRequest {
        ends_at: after(31 * 24 * hour),
        ..drop_request(vec![item(0, 1)])
    };
    assert!(creator.schedule_drop(bad.clone()).await.is_err());
    assert!(
        creator
            .schedule_drop(v1::ScheduleDropRequest {
                ends_at: after(hour),
                ..bad
            })
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_hundred_items_are_fine_and_one_more_is_not() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let many = |count| drop_request(vec![item(0, 10); count]);
    assert_eq!(fields(creator.schedule_drop(many(101)).await), ["items"]);
    let drop = creator
        .schedule_drop(many(100))
        .await
        .unwrap()
        .drop
        .unwrap();
    let lines: Vec<_> = (0..100).map(|item| (item, 1)).collect();
    let order = buyer
        .place_order(order_request(&drop, &lines))
        .await
        .unwrap()
        .order
        .unwrap();
    assert_eq!(
        (order.lines.len(), order.state()),
        (100, v1::OrderState::Paid)
    );
    let mut request = order_request(&drop, &lines);
    request.lines.push(request.lines[0].clone());
    assert_eq!(fields(buyer.place_order(request).await), ["lines"]);
}

#[tokio::test]
async fn accounts_are_checked() {
    let server = Server::start().await;
    let bad = v1::SignUpRequest {
        request_id: "x".into(),
        email: "no address".into(),
        password: "short".into(),
        display_name: "\u{202e}evil".into(),
    };
    assert_eq!(
        fields(server.stranger().sign_up(bad).await),
        ["display_name", "email", "password", "request_id"]
    );
    let long = v1::SignUpRequest {
        password: "x".repeat(60_000),
        ..sign_up_request()
    };
    assert_eq!(fields(server.stranger().sign_up(long).await), ["password"]);
    let person = server.person().await;
    for handle in ["", "ab", "UPPER", "with space", "ünder", &"x".repeat(31)] {
        let request = v1::BecomeCreatorRequest {
            handle: handle.to_owned(),
            ..profile_request()
        };
        assert_eq!(
            fields(person.become_creator(request).await),
            ["handle"],
            "{handle}"
        );
    }
    let request = v1::BecomeCreatorRequest {
        bio: "x".repeat(501),
        display_name: String::new(),
        ..profile_request()
    };
    assert_eq!(
        fields(person.become_creator(request).await),
        ["bio", "display_name"]
    );
    assert_eq!(
        fields(
            person
                .get_creator(v1::GetCreatorRequest { key: None })
                .await
        )
        .len(),
        1
    );
}

#[tokio::test]
async fn ids_that_are_none_and_ids_of_nothing() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let unknown = livedrop::Uuid::now_v7().to_string();
    for bad in [
        "",
        "x",
        "00000000-0000-0000-0000-000000000000",
        "{0192f0c1-2345-7abc-8def-0123456789ab}",
    ] {
        assert_eq!(
            fields(
                creator
                    .get_drop(v1::GetDropRequest {
                        drop_id: bad.into()
                    })
                    .await
            ),
            ["drop_id"]
        );
        let order = v1::GetOrderRequest {
            drop_id: bad.into(),
            order_id: bad.into(),
            min_seq: -1,
        };
        assert_eq!(
            fields(creator.get_order(order).await),
            ["drop_id", "min_seq", "order_id"]
        );
    }
    let drop_id = unknown.clone();
    assert_eq!(
        reason(
            creator
                .get_drop(v1::GetDropRequest {
                    drop_id: unknown.clone()
                })
                .await
        ),
        "DROP_NOT_FOUND"
    );
    assert_eq!(
        reason(
            creator
                .end_drop(v1::EndDropRequest {
                    drop_id: unknown.clone()
                })
                .await
        ),
        "DROP_NOT_FOUND"
    );
    let order = v1::GetOrderRequest {
        drop_id,
        order_id: unknown,
        min_seq: 0,
    };
    assert_eq!(reason(creator.get_order(order).await), "ORDER_NOT_FOUND");
}
