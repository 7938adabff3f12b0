//! `buy` of the SDK on a real server: whatever the wire swallows, there is one order, paid once.

use std::{collections::HashSet, net::SocketAddr};

use livedrop::{
    Client, Purchase, RetryPolicy,
    v1::{self, OrderState},
};
use tokio::{
    io::{AsyncReadExt as _, copy},
    net::{TcpListener, TcpStream},
};

use crate::harness::{
    Server, answered, approve, get_drop, open_drop, order_request, reason, stock,
};

fn purchase(drop: &v1::Drop, method: &str) -> Purchase {
    let lines = order_request(drop, &[(0, 1)]).lines;
    Purchase::new(&drop.drop_id, lines).paying_with(method)
}

/// As after a crash: what was saved.
fn reread(purchase: &Purchase) -> Purchase {
    serde_json::from_slice(&serde_json::to_vec(purchase).unwrap()).unwrap()
}

/// A wire to the server for one connection, which is cut after so many bytes there or back; its address.
async fn wire(server: &Server, there: u64, back: u64) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = server.endpoint();
    let to = endpoint.strip_prefix("http://").unwrap().to_owned();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        // Nobody else gets through.
        drop(listener);
        let mut far = TcpStream::connect(to).await.unwrap();
        let (near_read, mut near_write) = near.split();
        let (far_read, mut far_write) = far.split();
        // Ends of connections are errors to some and none to others.
        tokio::select! {
            _ = async { copy(&mut near_read.take(there), &mut far_write).await } => {}
            _ = async { copy(&mut far_read.take(back), &mut near_write).await } => {}
        }
    });
    address
}

#[tokio::test]
async fn a_purchase_survives_a_wire_that_is_cut_anywhere() {
    const STEP: u64 = 48;
    const ALL: u64 = u64::MAX;
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 1_000)]).await;
    let mut order_ids = HashSet::new();
    for is_there in [true, false] {
        let (mut bytes, mut requests_lost, mut answers_lost) = (0, 0, 0);
        loop {
            let before = stock(&get_drop(&ann, &drop).await, 0).0;
            let (there, back) = if is_there { (bytes, ALL) } else { (ALL, bytes) };
            let address = wire(&server, there, back).await;
            let builder = Client::builder(format!("http://{address}"));
            let phone = builder.retry(RetryPolicy::never()).build().unwrap();
            let phone = phone.with_tokens(ann.tokens().unwrap());

            let mut begun = purchase(&drop, "pm_test_ok");
            let saved = reread(&begun);
            let first = phone.buy(&mut begun).await;
            let is_taken = stock(&get_drop(&ann, &drop).await, 0).0 < before;
            match (&first, is_taken) {
                (Ok(order), _) => assert_eq!(order.state(), OrderState::Paid),
                (Err(_), true) => answers_lost += 1,
                (Err(_), false) => requests_lost += 1,
            }

            // Once more in the same run of the app, or in the next.
            let mut again = if (bytes / STEP).is_multiple_of(2) {
                saved
            } else {
                begun
            };
            let order = Box::pin(patient_buy(&server, &ann, &mut again)).await;
            let bought = (order.state(), order.attempts);
            assert_eq!(bought, (OrderState::Paid, 1), "after {bytes} bytes");
            assert!(order_ids.insert(order.order_id));
            let sold = i64::try_from(order_ids.len()).unwrap();
            assert_eq!(
                stock(&get_drop(&ann, &drop).await, 0),
                (1_000 - sold, 0, sold)
            );
            if first.is_ok() {
                break;
            }
            bytes += STEP;
        }
        assert!(requests_lost > 0 || !is_there, "no request was cut off");
        assert!(answers_lost > 0 || is_there, "no answer was cut off");
    }
    server.stop().await;
}

/// By a client that repeats, as an app has it.
async fn patient_buy(server: &Server, buyer: &Client, purchase: &mut Purchase) -> v1::Order {
    let client = Client::builder(server.endpoint()).build().unwrap();
    let client = client.with_tokens(buyer.tokens().unwrap());
    client.buy(purchase).await.unwrap()
}

#[tokio::test]
async fn a_purchase_goes_on_with_another_card_and_waits_for_the_buyer() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(100, 5)]).await;
    let mut begun = purchase(&drop, "pm_test_declined");
    let held = patient_buy(&server, &ann, &mut begun).await;
    assert_eq!((held.state(), held.attempts), (OrderState::Held, 1));
    assert!(held.payment_error.is_some());

    // Sooner than two seconds after the first: it waits by itself.
    begun.pay_with("pm_test_3ds");
    let mut saved = reread(&begun);
    let asked = patient_buy(&server, &ann, &mut begun).await;
    assert_eq!(asked.state(), OrderState::ActionRequired);
    let asked_again = patient_buy(&server, &ann, &mut saved).await;
    assert_eq!(asked_again.action_url, asked.action_url);

    let confirming = async { approve(&server.endpoint(), &asked.action_url).await };
    let (paid, ()) = tokio::join!(patient_buy(&server, &ann, &mut begun), confirming);
    assert_eq!((paid.state(), paid.attempts), (OrderState::Paid, 2));
    assert_eq!(paid.order_id, held.order_id);
    assert_eq!(patient_buy(&server, &ann, &mut saved).await, paid);
    assert_eq!(stock(&get_drop(&ann, &drop).await, 0), (4, 0, 1));
    server.stop().await;
}

#[tokio::test]
async fn a_refused_purchase_that_was_sent_before_is_void() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(100, 1)]).await;
    patient_buy(&server, &bob, &mut purchase(&drop, "pm_test_ok")).await;

    let mut fresh = purchase(&drop, "pm_test_ok");
    let mut saved = reread(&fresh);
    assert_eq!(reason(ann.buy(&mut fresh).await), "SOLD_OUT");
    assert_eq!(reason(ann.buy(&mut fresh).await), "SOLD_OUT", "not void");
    assert_eq!(reason(ann.buy(&mut saved).await), "SOLD_OUT");
    for purchase in [&mut fresh, &mut saved] {
        assert_eq!(reason(ann.buy(purchase).await), "REQUEST_ID_VOID");
    }
    let more = v1::RestockDropRequest {
        drop_id: drop.drop_id.clone(),
        item_id: drop.items[0].item_id.clone(),
        unit_count: 1,
        request_id: crate::harness::request_id(),
        ..Default::default()
    };
    answered(|| creator.restock_drop(more.clone()))
        .await
        .unwrap();
    let order = patient_buy(&server, &ann, &mut purchase(&drop, "pm_test_ok")).await;
    assert_eq!(order.state(), OrderState::Paid);
    server.stop().await;
}
