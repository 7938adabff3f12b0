//! What operators do with the binary while a server runs: settle a payment whose provider is gone.

use livedrop::v1::{self, OrderState};

use crate::harness::{
    get_order,
    home::Home,
    open_drop,
    process::{Process, refused, run},
    profile_request, stuck_order,
};

/// A server that knows no provider, as after a change of settings.
async fn without_provider(home: &Home) -> Process {
    let data = home.data().to_str().unwrap();
    let flags = ["dev", "--quiet", "--listen", "127.0.0.1:0", "--data", data];
    let mut command = home.livedrop(&flags);
    command.env("LIVEDROP_PAYMENTS__PROVIDER", "");
    Process::start(command).await
}

#[tokio::test]
async fn a_payment_without_its_provider_is_settled_by_hand() {
    let home = Home::new().await;
    let data = home.data().to_str().unwrap();
    let server = Process::dev(&home).await;
    let (ann, _) = server.signed_up().await;
    ann.become_creator(profile_request()).await.unwrap();
    let drop = open_drop(&ann, &[(500, 5)]).await;
    let (ben, ben_is) = server.signed_up().await;
    let order = stuck_order(&ben, &drop).await;
    assert_eq!(server.end("TERM").await.0, 0);

    let server = without_provider(&home).await;
    let (drop_id, order_id) = (order.drop_id.as_str(), order.order_id.as_str());
    let show = ["order", "show", drop_id, order_id, "--data", data];
    let (code, shown, err) = run(&show).await;
    assert_eq!((code, err.as_str()), (0, ""));
    for part in [
        "ACTION_REQUIRED",
        "1 OPEN (ACTION_REQUIRED); 5.00 EUR at test",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(!shown.contains("pm_test"), "{shown}");
    let which = ["order", "settle", drop_id, order_id, "--attempt", "1"];
    let how = ["--failed", "--note", "its provider is gone", "--data", data];
    let settle = [&which[..], &how].concat();
    let (code, out, err) = run(&settle).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        out.contains("order.settle by ") && out.contains("its provider is gone"),
        "{out}"
    );
    let ben = server.sign_in(&ben_is).await;
    let order = get_order(&ben, &order).await.unwrap();
    assert_eq!(order.state(), OrderState::Held);
    assert_eq!(
        order.payment_error.unwrap().reason(),
        v1::PaymentErrorReason::SettledByHand
    );
    let again = ["attempt 1 is FAILED: it stands so already"];
    refused(&settle, 1, &again).await;
    let nowhere = ["order", "show", order_id, order_id, "--data", data];
    refused(&nowhere, 1, &["has no order"]).await;
    let (_, _, log) = server.end("TERM").await;
    assert!(!log.contains("pm_test"), "{log}");
}
