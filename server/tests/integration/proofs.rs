//! What anyone can check: the public ledger, and a buyer's receipt.

use livedrop::{ledger, receipt, v1};

use crate::harness::{Server, cancel_order, get_drop, open_drop, place, reason, stock};

async fn receipt_of(
    buyer: &livedrop::Client,
    order: &v1::Order,
) -> Result<v1::Receipt, livedrop::Error> {
    let (drop_id, order_id) = (order.drop_id.clone(), order.order_id.clone());
    Ok(buyer
        .get_receipt(v1::GetReceiptRequest { drop_id, order_id })
        .await?
        .receipt
        .unwrap())
}

async fn records(
    client: &livedrop::Client,
    drop: &v1::Drop,
    page_size: i32,
) -> Vec<v1::LedgerRecord> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListLedgerRecordsRequest {
            drop_id: drop.drop_id.clone(),
            page_size,
            page_token,
        };
        let page = client.list_ledger_records(request).await.unwrap();
        found.extend(page.records);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

#[tokio::test]
async fn the_public_ledger_adds_up_and_shows_no_buyer() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(0, 30), (100, 30)]).await;
    let mut buyers = Vec::new();
    for i in 0..12 {
        let buyer = server.person().await;
        let order = place(&buyer, &drop, &[(i % 2, 1)]).await.unwrap();
        if i == 3 {
            cancel_order(&buyer, &order).await.unwrap();
        }
        buyers.push(
            buyer
                .get_me()
                .await
                .unwrap()
                .account
                .unwrap()
                .account_id
                .parse::<livedrop::Uuid>()
                .unwrap(),
        );
    }
    let small = records(&server.stranger(), &drop, 3).await;
    assert_eq!(
        small,
        records(&server.stranger(), &drop, 0).await,
        "pages do not matter"
    );
    let mut verifier = ledger::Verifier::new(drop.drop_id.parse().unwrap());
    for record in &small {
        verifier.push(record).unwrap();
        for entry in &record.entries {
            for buyer in &buyers {
                assert!(
                    !entry
                        .public
                        .windows(16)
                        .any(|window| window == buyer.as_bytes())
                );
            }
        }
    }
    let totals = verifier.totals();
    let now = get_drop(&creator, &drop).await;
    let sum = |of: fn((i64, i64, i64)) -> i64| of(stock(&now, 0)) + of(stock(&now, 1));
    assert_eq!(totals.stock.available, sum(|s| s.0));
    assert_eq!(totals.stock.held, sum(|s| s.1));
    assert_eq!(totals.stock.sold, sum(|s| s.2));
}

#[tokio::test]
async fn a_receipt_proves_one_purchase() {
    let server = Server::start().await;
    let (creator, ann, bob) = (
        server.creator().await,
        server.person().await,
        server.person().await,
    );
    let drop = open_drop(&creator, &[(0, 5), (100, 5)]).await;
    let sold = place(&ann, &drop, &[(0, 2)]).await.unwrap();
    let held = place(&bob, &drop, &[(1, 1)]).await.unwrap();
    for (buyer, order) in [(&ann, &sold), (&bob, &held)] {
        let mut paper = receipt_of(buyer, order).await.unwrap();
        let proof = receipt::verify(&paper).unwrap();
        assert_eq!(proof.order_id.to_string(), order.order_id);
        assert_eq!(proof.ledger_id.to_string(), drop.drop_id);
        let seq = usize::try_from(proof.seq).unwrap();
        assert!(proof.is_in(&records(&creator, &drop, 0).await[seq - 1]));
        let mut forged = paper.private.to_vec();
        *forged.last_mut().unwrap() ^= 1;
        paper.private = forged.into();
        assert!(receipt::verify(&paper).is_err());
    }
    assert_eq!(reason(receipt_of(&bob, &sold).await), "ORDER_NOT_FOUND");
    assert_eq!(
        reason(receipt_of(&creator, &sold).await),
        "ORDER_NOT_FOUND",
        "a receipt is the buyer's"
    );
}

#[tokio::test]
async fn page_tokens_are_bound_to_their_drop() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let (one, two) = (
        open_drop(&creator, &[(0, 5)]).await,
        open_drop(&creator, &[(0, 5)]).await,
    );
    let ask = |drop: &v1::Drop, page_size, page_token: &str| v1::ListLedgerRecordsRequest {
        drop_id: drop.drop_id.clone(),
        page_size,
        page_token: page_token.into(),
    };
    let page = creator.list_ledger_records(ask(&one, 1, "")).await.unwrap();
    let token = page.next_page_token;
    assert!(!token.is_empty());
    creator
        .list_ledger_records(ask(&one, 1, &token))
        .await
        .unwrap();
    let mut forged = token.clone().into_bytes();
    forged[3] = if forged[3] == b'A' { b'B' } else { b'A' };
    for request in [
        ask(&two, 1, &token),
        ask(&one, 1, &String::from_utf8(forged).unwrap()),
        ask(&one, 1, "x"),
        ask(&one, 1, &"x".repeat(5_000)),
        ask(&one, -1, ""),
    ] {
        assert_eq!(
            reason(creator.list_ledger_records(request).await),
            "INVALID_REQUEST"
        );
    }
}

#[tokio::test]
async fn large_records_make_short_pages_and_none_is_missed() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(0, 1_000); 100]).await;
    let lines: Vec<_> = (0..100).map(|item| (item, 1)).collect();
    for _ in 0..240 {
        // About 6 KiB each.
        place(&server.person().await, &drop, &lines).await.unwrap();
    }
    let request = v1::ListLedgerRecordsRequest {
        drop_id: drop.drop_id.clone(),
        page_size: 200,
        page_token: String::new(),
    };
    let first = creator.list_ledger_records(request).await.unwrap();
    assert!(first.records.len() < 200, "a page is bounded in bytes");
    let all = records(&creator, &drop, 200).await;
    let totals = ledger::verify_chain(drop.drop_id.parse().unwrap(), &all).unwrap();
    assert_eq!(totals.stock.sold, 24_000);
}
