//! What a restart must not change. Processes killed in the middle: `recovery`, and the rush (`livedrop-bench rush --kill`).

use livedrop::v1::OrderState;

use crate::harness::{
    Server, cancel_order, get_drop, get_order, home::Home, open_drop, order_request, place, reason,
    sign_up_request, stock,
};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let home = Home::new().await;
    let server = Server::at(&home).await;
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

    let server = Server::at(&home).await;
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
