//! What a restart must not change. Processes killed in the middle: `recovery`, and the rush (`livedrop-bench rush --kill`).

use std::path::Path;

use livedrop::v1::OrderState;
use livedrop_server::{
    domain::DropId,
    ledger::verify,
    store::embedded::{EmbeddedStore, FILE_NAME, Options},
};

use crate::harness::{
    Server, cancel_order, get_drop, get_order, open_drop, order_request, place, reason,
    sign_up_request, stock,
};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::on_disk(dir.path()).await;
    let creator = server.creator().await;
    let drop = open_drop(&creator, &[(0, 5), (100, 5)]).await;
    let ann = server.person().await;
    let request = order_request(&drop, &[(1, 2)]);
    let order = ann
        .place_order(request.clone())
        .await
        .unwrap()
        .order
        .unwrap();
    let sign_up = sign_up_request();
    let account = server
        .stranger()
        .sign_up(sign_up.clone())
        .await
        .unwrap()
        .account
        .unwrap();
    let before = get_drop(&ann, &drop).await;
    server.stop().await;

    let server = Server::on_disk(dir.path()).await;
    let ann = server.stranger().with_tokens(ann.tokens().unwrap());
    assert_eq!(get_drop(&ann, &drop).await, before);
    assert_eq!(get_order(&ann, &order).await.unwrap(), order);
    assert_eq!(
        ann.place_order(request)
            .await
            .unwrap()
            .order
            .unwrap()
            .order_id,
        order.order_id
    );
    assert_eq!(
        reason(place(&ann, &drop, &[(0, 1)]).await),
        "TOO_MANY_HOLDS"
    );
    assert_eq!(
        cancel_order(&ann, &order).await.unwrap().state(),
        OrderState::Cancelled
    );
    assert_eq!(stock(&get_drop(&ann, &drop).await, 1), (5, 0, 0));
    let again = server
        .stranger()
        .sign_up(sign_up)
        .await
        .unwrap()
        .account
        .unwrap();
    assert_eq!(again.account_id, account.account_id);
    server.stop().await;
}

/// The ledger's length and last hash, or what is wrong.
async fn verified(dir: &Path, ledger_id: DropId) -> Result<(u64, [u8; 32]), String> {
    let store = EmbeddedStore::open(dir, Options::default()).map_err(|error| error.to_string())?;
    let report = verify::verify(&store, ledger_id, |_, _| ()).await;
    let state = report.map_err(|error| error.to_string())?.state;
    Ok((state.seq(), state.head_hash()))
}

#[tokio::test]
async fn a_changed_byte_on_disk_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::on_disk(dir.path()).await;
    let drop = open_drop(&server.creator().await, &[(0, 50)]).await;
    for _ in 0..5 {
        let buyer = server.person().await;
        place(&buyer, &drop, &[(0, 1)]).await.unwrap();
    }
    server.stop().await;
    let ledger_id: DropId = drop.drop_id.parse().unwrap();
    let whole = verified(dir.path(), ledger_id).await.unwrap();
    assert!(whole.0 >= 6);

    let bytes = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    let id = ledger_id.as_bytes();
    let found: Vec<_> = (0..bytes.len() - 16)
        .filter(|at| bytes[*at..*at + 16] == *id)
        .collect();
    let mut caught = 0;
    // Where the ledger's id stands, a record's key does, or its page: the id, the segment and the seq behind it, and what follows.
    for at in found {
        for offset in [0, 15, 20, 23, 31, 200] {
            let copy = tempfile::tempdir().unwrap();
            let mut changed = bytes.clone();
            changed[at + offset] ^= 1;
            std::fs::write(copy.path().join(FILE_NAME), changed).unwrap();
            match verified(copy.path(), ledger_id).await {
                // A page that no table uses any more.
                Ok(seen) => assert_eq!(seen, whole, "byte {}", at + offset),
                Err(_) => caught += 1,
            }
        }
    }
    assert!(caught >= 6, "only {caught} changes were found");
}
