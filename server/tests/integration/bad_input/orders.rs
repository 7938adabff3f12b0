//! Bad input of the calls on orders.

use livedrop::{
    Client, Code,
    tonic::{Request, Status},
    v1,
};
use tonic_types::StatusExt as _;

use super::fields;
use crate::harness::{Server, reason, request_id};

/// The fields that a call made by hand is refused for: the SDK fills empty request ids.
async fn fields_of<T, F>(
    client: &Client,
    request: T,
    call: impl FnOnce(Request<T>) -> F,
) -> Vec<String>
where
    F: Future<Output = Status>,
{
    let mut request = Request::new(request);
    client.authorize(&mut request).await;
    let status = call(request).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert!(!format!("{status:?}").contains("4242"), "{status:?}");
    let details = status.get_details_bad_request().unwrap();
    let violations = details.field_violations.into_iter();
    let mut fields: Vec<_> = violations.map(|it| it.field).collect();
    fields.sort();
    fields
}

#[tokio::test]
async fn payments_and_refunds_are_checked() {
    let server = Server::start().await;
    let ann = server.person().await;
    let pay = async |request| {
        let mut orders = ann.raw_orders();
        fields_of(&ann, request, |it| async move {
            orders.pay_order(it).await.unwrap_err()
        })
        .await
    };
    assert_eq!(
        pay(v1::PayOrderRequest::default()).await,
        ["drop_id", "order_id", "payment_method", "request_id"]
    );
    let good = || v1::PayOrderRequest {
        request_id: request_id(),
        drop_id: request_id(),
        order_id: request_id(),
        payment_method: "pm_test_ok".into(),
        retry_count: 0,
    };
    let long = "x".repeat(256);
    for bad in ["", " pm_test_ok", "4242 4242", "pm-ä", "pm\u{0}", &long] {
        let payment_method = bad.to_owned();
        let request = v1::PayOrderRequest {
            payment_method,
            ..good()
        };
        assert_eq!(pay(request).await, ["payment_method"], "{bad}");
    }
    for retry_count in [-1, i32::MIN] {
        let request = v1::PayOrderRequest {
            retry_count,
            ..good()
        };
        assert_eq!(pay(request).await, ["retry_count"]);
    }
    for bad in ["x", "00000000-0000-0000-0000-000000000000", &long] {
        let request = v1::PayOrderRequest {
            request_id: bad.to_owned(),
            drop_id: bad.to_owned(),
            order_id: bad.to_owned(),
            ..good()
        };
        assert_eq!(pay(request).await, ["drop_id", "order_id", "request_id"]);
    }
    assert_eq!(reason(ann.pay_order(good()).await), "ORDER_NOT_FOUND");

    let refund = async |request| {
        let mut orders = ann.raw_orders();
        fields_of(&ann, request, |it| async move {
            orders.refund_order(it).await.unwrap_err()
        })
        .await
    };
    assert_eq!(
        refund(v1::RefundOrderRequest::default()).await,
        ["drop_id", "order_id", "request_id"]
    );
    let good = v1::RefundOrderRequest {
        request_id: request_id(),
        drop_id: request_id(),
        order_id: request_id(),
        reason: "é".repeat(200),
        restock: true,
    };
    for bad in [
        "é".repeat(201),
        "x".repeat(60_000),
        "a\nb".into(),
        "\u{202e}".into(),
    ] {
        let request = v1::RefundOrderRequest {
            reason: bad,
            ..good.clone()
        };
        assert_eq!(refund(request).await, ["reason"]);
    }
    assert_eq!(reason(ann.refund_order(good).await), "DROP_NOT_FOUND");
}

#[tokio::test]
async fn lists_and_streams_are_checked() {
    let server = Server::start().await;
    let ann = server.person().await;
    let list = |page_size, page_token: &str| v1::ListOrdersRequest {
        page_size,
        page_token: page_token.to_owned(),
    };
    let long = "A".repeat(60_000);
    for (request, field) in [
        (list(-1, ""), "page_size"),
        (list(i32::MIN, ""), "page_size"),
        (list(0, "x"), "page_token"),
        (list(0, "ä"), "page_token"),
        (list(0, &long), "page_token"),
    ] {
        assert_eq!(fields(ann.list_orders(request).await), [field]);
    }
    assert_eq!(
        fields(ann.list_orders(list(-1, "x")).await),
        ["page_size", "page_token"]
    );
    assert!(ann.list_orders(list(i32::MAX, "")).await.is_ok());

    let of_drop = |drop_id: &str, page_size, page_token: &str| v1::ListDropOrdersRequest {
        drop_id: drop_id.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let unknown = request_id();
    for (request, expected) in [
        (of_drop("", 0, ""), &["drop_id"][..]),
        (of_drop("x", -1, "x"), &["drop_id", "page_size"]),
        (of_drop(&unknown, -1, "x"), &["page_size", "page_token"]),
    ] {
        assert_eq!(fields(ann.list_drop_orders(request).await), expected);
    }

    let watch = async |drop_id: &str, order_id: &str, resume_token: &str| {
        let request = v1::WatchOrderRequest {
            drop_id: drop_id.to_owned(),
            order_id: order_id.to_owned(),
            resume_token: resume_token.to_owned(),
        };
        let mut orders = ann.raw_orders();
        fields_of(&ann, request, |it| async move {
            orders.watch_order(it).await.unwrap_err()
        })
        .await
    };
    assert_eq!(watch("", "", "").await, ["drop_id", "order_id"]);
    assert_eq!(watch("x", &unknown, "x").await, ["drop_id"]);
    for token in ["x", "ä", &long] {
        assert_eq!(watch(&unknown, &unknown, token).await, ["resume_token"]);
    }
}
