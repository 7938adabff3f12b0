//! What operators do with the binary: settle a payment whose provider is gone, and rebuild.

use livedrop::v1::{self, OrderState};

use crate::harness::{
    eventually, get_order,
    home::Home,
    open_drop, place,
    process::{Process, finish, livedrop, refused},
    profile_request, stuck_order,
};

/// A server that knows no provider, as after a change of settings.
async fn without_provider(home: &Home) -> Process {
    let mut command = home.tool(&["dev", "--empty", "--listen", "127.0.0.1:0"]);
    command.env("LIVEDROP_PAYMENTS__PROVIDER", "");
    Process::start(command).await
}

#[tokio::test]
async fn a_payment_without_its_provider_is_settled_with_and_without_a_server() {
    let home = Home::new().await;
    let server = Process::dev(&home).await;
    let (ann, _) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(500, 5)]).await;
    let (ben, ben_is) = server.signed_up().await;
    let (cid, _) = server.signed_up().await;
    let (first, second) = (
        stuck_order(&ben, &drop).await,
        stuck_order(&cid, &drop).await,
    );
    assert_eq!(server.end("TERM").await.0, 0);

    let settle = |order: &v1::Order, outcome: &str| {
        let (drop, order) = (&order.drop_id, &order.order_id);
        let which = ["order", "settle", drop, order, "--attempt", "1"];
        let how = [outcome, "--note", "its provider is gone"];
        home.tool(&[&which[..], &how].concat())
    };
    let show = || home.tool(&["order", "show", &first.drop_id, &first.order_id]);

    // No server has the store open.
    let (code, stopped, err) = finish(show()).await;
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [
        "ACTION_REQUIRED",
        "1 OPEN (ACTION_REQUIRED); 5.00 EUR at test",
    ] {
        assert!(stopped.contains(part), "{part} is not in {stopped}");
    }
    assert!(!stopped.contains("pm_test"), "{stopped}");
    let (code, out, err) = finish(settle(&second, "--captured")).await;
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

    // A server has it open.
    let server = without_provider(&home).await;
    assert_eq!(finish(show()).await.1, stopped);
    let (code, out, err) = finish(settle(&first, "--failed")).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let ben = server.sign_in(&ben_is).await;
    let order = get_order(&ben, &first).await.unwrap();
    assert_eq!(order.state(), OrderState::Held);
    assert_eq!(
        order.payment_error.unwrap().reason(),
        v1::PaymentErrorReason::SettledByHand
    );
    let again = ["attempt 1 is FAILED: it stands so already"];
    refused(settle(&first, "--failed"), 1, &again).await;
    let nowhere = home.tool(&["order", "show", &first.order_id, &first.order_id]);
    refused(nowhere, 1, &["has no order"]).await;
    let (_, _, log) = server.end("TERM").await;
    assert!(!log.contains("pm_test"), "{log}");
}

#[tokio::test]
async fn a_stopped_store_is_rebuilt_and_a_running_one_is_not() {
    let home = Home::new().await;
    let server = Process::dev(&home).await;
    let (ann, ann_is) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(0, 5)]).await;
    let order = place(&ann, &drop, &[(0, 1)]).await.unwrap();
    let (ben, _) = server.signed_up().await;
    let creator_id = drop.creator_id.clone();
    ben.follow(v1::FollowRequest { creator_id }).await.unwrap();
    refused(home.tool(&["rebuild"]), 1, &["stop", "first"]).await;
    assert_eq!(server.end("KILL").await.0, -1);

    // On a database it is not dead at once for those who can't see its process.
    let rebuilt = async || {
        let (code, out, _) = finish(home.tool(&["rebuild"])).await;
        (code == 0).then_some(out)
    };
    let out = eventually(rebuilt).await;
    let rows = |table: &str| {
        let line = out
            .lines()
            .find(|line| line.split(' ').next() == Some(table));
        line.and_then(|line| line.split_whitespace().nth(1).map(str::to_owned))
    };
    let tables = [
        "orders",
        "orders_by_buyer",
        "drop_status",
        "drops_by_time",
        "followers",
        "following",
    ];
    for table in tables {
        assert_eq!(rows(table).as_deref(), Some("1"), "{table}: {out}");
    }
    let nowhere = livedrop(&["rebuild", "--data", "/no/such"]);
    refused(nowhere, 2, &["no store in /no/such"]).await;

    let server = Process::dev(&home).await;
    let ann = server.sign_in(&ann_is).await;
    let found = get_order(&ann, &order).await.unwrap();
    assert_eq!(found.state(), OrderState::Paid);
    let followers = ann.follower_pages(&drop.creator_id).next().await;
    assert_eq!(followers.unwrap().unwrap().len(), 1);
    assert_eq!(server.end("TERM").await.0, 0);
}
