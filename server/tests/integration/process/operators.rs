//! What operators do with the binary: settle a payment whose provider is gone, and rebuild.

use std::{path::Path, time::Duration};

use livedrop::{
    Client,
    v1::{self, OrderState},
};

use super::{Process, livedrop, refused, run};
use crate::harness::{
    eventually, get_order, open_drop, order_request, profile_request, sign_up_request,
};

const TOKEN: &str = "pm_test_3ds";

/// A server that knows no provider, as after a change of settings.
async fn without_provider(data: &Path) -> Process {
    let data = data.to_str().unwrap();
    let mut command = livedrop(&["dev", "--quiet", "--listen", "127.0.0.1:0", "--data", data]);
    command.env("LIVEDROP_PAYMENTS__PROVIDER", "");
    Process::start(command).await
}

async fn signed_up(server: &Process) -> (Client, v1::SignUpRequest) {
    let (client, request) = (server.client(), sign_up_request());
    client.sign_up(request.clone()).await.unwrap();
    (client, request)
}

async fn sign_in(server: &Process, request: &v1::SignUpRequest) -> Client {
    let client = server.client();
    client
        .sign_in(v1::SignInRequest {
            email: request.email.clone(),
            password: request.password.clone(),
        })
        .await
        .unwrap();
    client
}

/// An order whose buyer never confirms.
async fn stuck(buyer: &Client, drop: &v1::Drop) -> v1::Order {
    let request = v1::PlaceOrderRequest {
        payment_method: TOKEN.into(),
        ..order_request(drop, &[(0, 1)])
    };
    let order = buyer.place_order(request).await.unwrap().order.unwrap();
    let waits = async || {
        let order = get_order(buyer, &order).await.unwrap();
        (order.state() == OrderState::ActionRequired).then_some(order)
    };
    eventually(waits).await
}

#[tokio::test]
async fn a_payment_without_its_provider_is_settled_with_and_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let server = Process::dev(dir.path()).await;
    let (ann, _) = signed_up(&server).await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(500, 5)]).await;
    let (ben, ben_is) = signed_up(&server).await;
    let (cid, _) = signed_up(&server).await;
    let (first, second) = (stuck(&ben, &drop).await, stuck(&cid, &drop).await);
    assert_eq!(server.end("TERM").await.0, 0);

    let settle = |order: &v1::Order, outcome: &'static str| {
        let (drop, order) = (order.drop_id.clone(), order.order_id.clone());
        async move {
            let args = [
                "order",
                "settle",
                &drop,
                &order,
                "--attempt",
                "1",
                outcome,
                "--note",
                "its provider is gone",
                "--data",
                data,
            ];
            run(&args).await
        }
    };
    let show = [
        "order",
        "show",
        &first.drop_id,
        &first.order_id,
        "--data",
        data,
    ];

    // Nobody has the store open.
    let (code, stopped, err) = run(&show).await;
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [
        "ACTION_REQUIRED",
        "1 OPEN (ACTION_REQUIRED); 5.00 EUR at test",
    ] {
        assert!(stopped.contains(part), "{part} is not in {stopped}");
    }
    assert!(!stopped.contains(TOKEN), "{stopped}");
    let (code, out, err) = settle(&second, "--captured").await;
    assert_eq!((code, err.as_str()), (0, ""));
    let (before, after) = out.split_once("after:").unwrap();
    assert!(
        before.contains("ACTION_REQUIRED") && after.contains("PAID"),
        "{out}"
    );
    assert!(
        after.contains("order.settle by ") && after.contains("its provider is gone"),
        "{out}"
    );

    // A server has it open, and its writer decides.
    let server = without_provider(dir.path()).await;
    assert_eq!(run(&show).await.1, stopped);
    let (code, out, err) = settle(&first, "--failed").await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let ben = sign_in(&server, &ben_is).await;
    let order = get_order(&ben, &first).await.unwrap();
    assert_eq!(order.state(), OrderState::Held);
    assert_eq!(
        order.payment_error.unwrap().reason(),
        v1::PaymentErrorReason::SettledByHand
    );
    let (code, out, err) = settle(&first, "--failed").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.contains("attempt 1 is FAILED: it stands so already"),
        "{err}"
    );
    let nowhere = [
        "order",
        "show",
        &first.order_id,
        &first.order_id,
        "--data",
        data,
    ];
    refused(&nowhere, 1, &["has no order"]).await;
    let (_, _, log) = server.end("TERM").await;
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn a_stopped_store_is_rebuilt_and_a_running_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let server = Process::dev(dir.path()).await;
    let (ann, ann_is) = signed_up(&server).await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(0, 5)]).await;
    let order = crate::harness::place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let rebuild = ["rebuild", "--data", data];
    refused(
        &rebuild,
        1,
        &["in use by another livedrop process", "stop that one first"],
    )
    .await;
    assert_eq!(server.end("KILL").await.0, -1);

    let (code, out, err) = run(&rebuild).await;
    assert_eq!((code, err.as_str()), (0, ""));
    let rows = |table: &str| {
        let line = out
            .lines()
            .find(|line| line.split(' ').next() == Some(table));
        line.and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
    };
    for table in ["orders", "orders_by_buyer", "drop_status", "drops_by_time"] {
        assert_eq!(rows(table).as_deref(), Some("1"), "{table}: {out}");
    }
    refused(
        &["rebuild", "--data", "/no/such"],
        2,
        &["no store in /no/such"],
    )
    .await;

    let server = Process::dev(dir.path()).await;
    let ann = sign_in(&server, &ann_is).await;
    let found = get_order(&ann, &order).await.unwrap();
    assert_eq!(found.state(), OrderState::Paid);
    tokio::time::timeout(Duration::from_secs(5), server.end("TERM"))
        .await
        .unwrap();
}
