//! The creator's part: gives money back, and cancels a drop half-way.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::{Context, ensure};
use livedrop::{
    Error,
    v1::{CancelDropRequest, RefundOrderRequest},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{buyer::Login, notes::Return, shop::Shop};

/// Between two tries of a call, beyond those of the SDK.
const TRY_AGAIN: Duration = Duration::from_millis(200);
/// The drop is cancelled this long after half of its buyers have come, at the latest.
const CANCEL_AFTER: Duration = Duration::from_secs(3);

/// Refunds every order that is returned, until nobody is left who could return one. Every other call is made twice with its request id.
pub(crate) async fn refund_all(
    drop_id: String,
    creator: Login,
    deadline: Instant,
    mut wishes: mpsc::Receiver<Return>,
) -> anyhow::Result<Vec<Return>> {
    let mut done = Vec::new();
    while let Some(mut wish) = wishes.recv().await {
        let request = RefundOrderRequest {
            request_id: Uuid::new_v4().to_string(),
            drop_id: drop_id.clone(),
            order_id: wish.order_id.clone(),
            reason: "returned".to_owned(),
            restock: wish.restock,
        };
        for _ in 0..=done.len() % 2 {
            let call = || creator.client.refund_order(request.clone());
            let answer = until_answered(deadline, call)
                .await
                .context("refunding an order")?;
            if let Err(refused) = answer {
                wish.refused = Some(refused);
            }
        }
        done.push(wish);
    }
    Ok(done)
}

/// Cancels a drop when half of its orders are placed, or half of its buyers are through.
pub(crate) async fn cancel_half_way(shop: &Shop, orders: u64, buyers: u64) -> anyhow::Result<()> {
    let latest = shop.opens_at + shop.arrive_within / 2 + CANCEL_AFTER;
    while shop.tally.placed.load(Relaxed) < orders / 2
        && shop.tally.finished.load(Relaxed) < buyers / 2
        && Instant::now() < latest
    {
        sleep(Duration::from_millis(1)).await;
    }
    let request = CancelDropRequest {
        request_id: Uuid::new_v4().to_string(),
        drop_id: shop.drop_id.clone(),
    };
    let call = || shop.creator.client.cancel_drop(request.clone());
    let answer = until_answered(shop.deadline, call)
        .await
        .context("cancelling the drop")?;
    let refused = answer.err();
    ensure!(
        refused.is_none(),
        "the drop can't be cancelled: {refused:?}"
    );
    Ok(())
}

/// Calls until there is an answer: OK, or the reason of a refusal.
async fn until_answered<T, F: Future<Output = Result<T, Error>>>(
    deadline: Instant,
    mut call: impl FnMut() -> F,
) -> anyhow::Result<Result<T, String>> {
    loop {
        match call().await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(error) if error.is_retryable() || error.may_have_taken_effect() => {
                ensure!(Instant::now() < deadline, "time is up: {error}");
                sleep(TRY_AGAIN).await;
            }
            Err(error) => return Ok(Err(error.reason_text().unwrap_or("?").to_owned())),
        }
    }
}
