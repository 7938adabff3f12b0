//! What operators do with the file of a stopped server: settle a payment, and rebuild.

use livedrop::v1::OrderState;

use crate::harness::{
    get_order,
    home::Home,
    open_drop, place,
    process::{Process, refused, run},
    profile_request, stuck_order,
};

#[tokio::test]
async fn a_payment_is_settled_without_a_server() {
    let home = Home::of_files();
    let data = home.data().to_str().unwrap();
    let server = Process::dev(&home).await;
    let (ann, _) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(500, 5)]).await;
    let (ben, ben_is) = server.signed_up().await;
    let order = stuck_order(&ben, &drop).await;
    let (drop_id, order_id) = (order.drop_id.as_str(), order.order_id.as_str());
    let show = ["order", "show", drop_id, order_id, "--data", data];
    let running = run(&show).await;
    assert_eq!(server.end("TERM").await.0, 0);

    assert_eq!((running.0, running.2.as_str()), (0, ""));
    assert_eq!(run(&show).await, running, "as beside a running server");
    let which = ["order", "settle", drop_id, order_id, "--attempt", "1"];
    let note = ["--note", "its provider is gone", "--data", data];
    let (code, out, err) = run(&[&which[..], &["--captured"], &note].concat()).await;
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

    let server = Process::dev(&home).await;
    let ben = server.sign_in(&ben_is).await;
    let order = get_order(&ben, &order).await.unwrap();
    assert_eq!(order.state(), OrderState::Paid);
    assert_eq!(server.end("TERM").await.0, 0);
}

#[tokio::test]
async fn a_stopped_store_is_rebuilt_and_a_running_one_is_not() {
    let home = Home::of_files();
    let data = home.data().to_str().unwrap();
    let server = Process::dev(&home).await;
    let (ann, ann_is) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(0, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
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

    let server = Process::dev(&home).await;
    let ann = server.sign_in(&ann_is).await;
    let found = get_order(&ann, &order).await.unwrap();
    assert_eq!(found.state(), OrderState::Paid);
    assert_eq!(server.end("TERM").await.0, 0);
}
