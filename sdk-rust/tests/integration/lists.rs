//! Lists, page by page and item by item.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use livedrop::{Client, Code, RetryPolicy, v1};

use crate::scripted::{Scripted, refusal, unavailable};

async fn client(script: &Scripted) -> Client {
    script.start().await.client(RetryPolicy::never())
}

fn page(seqs: &[i64], next: &str) -> (Vec<v1::Order>, String) {
    let order = |seq: &i64| v1::Order {
        seq: *seq,
        ..Default::default()
    };
    (seqs.iter().map(order).collect(), next.to_owned())
}

fn three_pages() -> [(Vec<v1::Order>, String); 3] {
    [page(&[3, 2], "a"), page(&[], "b"), page(&[1], "")]
}

#[tokio::test]
async fn pages_are_turned_to_the_last() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.list(three_pages());
    let mut pages = client.order_pages();
    let mut seen = Vec::new();
    while let Some(orders) = pages.next().await.unwrap() {
        seen.push(orders.len());
    }
    assert_eq!(seen, [2, 0, 1]);
    assert_eq!(script.page_tokens(), ["", "a", "b"]);
    assert!(pages.next().await.unwrap().is_none());

    script.list([page(&[9], "")]);
    let mut pages = client.drop_order_pages("d1");
    assert_eq!(pages.next().await.unwrap().unwrap()[0].seq, 9);
    assert!(pages.next().await.unwrap().is_none());
}

#[tokio::test]
async fn items_come_one_by_one_and_no_page_before_its_time() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.list(three_pages());
    let mut orders = client.orders();
    assert!(script.page_tokens().is_empty(), "nobody has asked yet");
    for (seq, fetched) in [(3, 1), (2, 1), (1, 3)] {
        assert_eq!(orders.next().await.unwrap().unwrap().seq, seq);
        assert_eq!(script.page_tokens().len(), fetched);
    }
    assert!(orders.next().await.unwrap().is_none());

    script.list(three_pages());
    let seqs = client.drop_orders("d1").map_ok(|order| order.seq);
    assert_eq!(seqs.try_collect::<Vec<_>>().await.unwrap(), [3, 2, 1]);
}

#[tokio::test]
async fn a_list_goes_on_after_an_error() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.list(three_pages());
    let mut orders = client.orders();
    orders.next().await.unwrap();
    orders.next().await.unwrap();
    script.refuse_orders([unavailable()]);
    assert_eq!(orders.next().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(orders.next().await.unwrap().unwrap().seq, 1);
    assert_eq!(script.page_tokens(), ["", "a", "a", "b"]);

    // As a stream it ends, for those who collect it.
    let denied = || refusal(Code::PermissionDenied, "NOT_OWNER", None);
    script.refuse_orders([denied(), denied()]);
    let told: Vec<_> = client.drop_orders("d1").collect().await;
    assert_eq!(told.len(), 1);
    assert_eq!(client.drop_order_pages("d1").count().await, 1);
}

#[tokio::test]
async fn a_list_begins_where_an_earlier_one_was() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.list([page(&[3], "a")]);
    let mut first = client.order_pages();
    assert_eq!(first.page_token(), Some(""));
    first.next().await.unwrap();
    let kept = first.page_token().unwrap().to_owned();

    script.list([page(&[2], "")]);
    let mut second = client.order_pages().starting_at(kept).items();
    assert_eq!(second.next().await.unwrap().unwrap().seq, 2);
    assert!(second.next().await.unwrap().is_none());
    assert_eq!(script.page_tokens(), ["", "a"]);
}

#[tokio::test]
async fn a_page_that_was_waited_for_is_not_lost() {
    let script = Scripted::default();
    let client = client(&script).await;
    script.list([page(&[1], "")]);
    let mut orders = client.orders();
    // Asked for, and given up at once.
    assert!(orders.next().now_or_never().is_none());
    assert_eq!(orders.next().await.unwrap().unwrap().seq, 1);
    assert_eq!(script.page_tokens().len(), 1);
}
