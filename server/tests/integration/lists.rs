//! Lists of orders.

use futures::future::join_all;
use livedrop::{Client, Code, v1};

use crate::harness::{Server, cancel_order, eventually, get_order, open_drop, place, reason};

/// The ids of all pages, and how many there were.
async fn mine(client: &Client, page_size: i32) -> (Vec<v1::Order>, usize) {
    let (mut orders, mut pages, mut page_token) = (Vec::new(), 0, String::new());
    loop {
        let request = v1::ListOrdersRequest {
            page_size,
            page_token,
        };
        let page = client.list_orders(request).await.unwrap();
        orders.extend(page.orders);
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return (orders, pages);
        }
    }
}

fn of_drop(drop: &v1::Drop, page_size: i32, page_token: &str) -> v1::ListDropOrdersRequest {
    v1::ListDropOrdersRequest {
        drop_id: drop.drop_id.clone(),
        page_size,
        page_token: page_token.to_owned(),
    }
}

fn ids(orders: &[v1::Order]) -> Vec<&str> {
    orders.iter().map(|order| order.order_id.as_str()).collect()
}

#[tokio::test]
async fn a_buyer_lists_orders_of_all_drops_the_newest_first() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    assert_eq!(mine(&ann, 0).await, (Vec::new(), 1));
    let mut placed = Vec::new();
    for _ in 0..3 {
        let drop = open_drop(&creator, &[(0, 5), (100, 5)]).await;
        for item in [0, 0, 1] {
            let order = place(&ann, &drop, &[(item, 1)]).await.unwrap();
            placed.insert(0, order);
        }
        place(&bob, &drop, &[(0, 1)]).await.unwrap();
    }
    placed[0] = cancel_order(&ann, &placed[0]).await.unwrap();
    let all = || async { Some(mine(&ann, 0).await.0).filter(|orders| *orders == placed) };
    eventually(all).await;
    for page_size in [1, 4, 9, 1_000] {
        let (orders, pages) = mine(&ann, page_size).await;
        assert_eq!(orders, placed, "in full, as `GetOrder` has them");
        let least = placed.len().div_ceil(usize::try_from(page_size).unwrap());
        assert!((least..=least + 1).contains(&pages), "{pages}");
    }
    let now = get_order(&ann, &placed[0]).await.unwrap();
    assert_eq!(now, placed[0]);
    server.stop().await;
}

#[tokio::test]
async fn a_creator_lists_a_drops_orders() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let drop = open_drop(&creator, &[(0, 100)]).await;
    let buyers = join_all((0..20).map(|_| server.person())).await;
    let placed = join_all(buyers.iter().map(|buyer| place(buyer, &drop, &[(0, 1)]))).await;
    let mut placed: Vec<_> = placed
        .into_iter()
        .map(|order| order.unwrap().order_id)
        .collect();
    placed.sort();
    placed.reverse();
    let all = || async {
        let page = creator.list_drop_orders(of_drop(&drop, 0, "")).await;
        Some(page.unwrap()).filter(|page| page.orders.len() == 20)
    };
    let page = eventually(all).await;
    assert_eq!(ids(&page.orders), placed, "by id, descending");

    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = creator.list_drop_orders(of_drop(&drop, 7, &token)).await;
        let page = page.unwrap();
        found.extend(page.orders);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(ids(&found), placed);

    let refused = other.list_drop_orders(of_drop(&drop, 0, "")).await;
    assert_eq!(reason(refused), "NOT_OWNER");
    let unknown = v1::Drop {
        drop_id: livedrop::Uuid::now_v7().to_string(),
        ..Default::default()
    };
    let refused = creator.list_drop_orders(of_drop(&unknown, 0, "")).await;
    assert_eq!(reason(refused), "DROP_NOT_FOUND");
    server.stop().await;
}

#[tokio::test]
async fn a_page_token_is_good_for_its_list_only() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(0, 5)]).await;
    let second = open_drop(&creator, &[(0, 5)]).await;
    for _ in 0..2 {
        place(&ann, &drop, &[(0, 1)]).await.unwrap();
    }
    let list = |page_token: &str| v1::ListOrdersRequest {
        page_size: 1,
        page_token: page_token.to_owned(),
    };
    let token = || async {
        let page = ann.list_orders(list("")).await.unwrap();
        let is_full = page.orders.len() == 1;
        is_full.then_some(page.next_page_token)
    };
    let mine = eventually(token).await;
    let token = || async {
        let page = creator.list_drop_orders(of_drop(&drop, 1, "")).await;
        let page = page.unwrap();
        let is_full = page.orders.len() == 1;
        is_full.then_some(page.next_page_token)
    };
    let drops = eventually(token).await;
    assert!(ann.list_orders(list(&mine)).await.is_ok());
    for (client, token) in [(&bob, &mine), (&ann, &drops), (&ann, &"x".to_owned())] {
        let error = client.list_orders(list(token)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.violations()[0].field, "page_token");
    }
    for (drop, token) in [(&second, &drops), (&drop, &mine)] {
        let answer = creator.list_drop_orders(of_drop(drop, 1, token)).await;
        assert_eq!(answer.unwrap_err().violations()[0].field, "page_token");
    }
    server.stop().await;
}
