//! Between a ledger and its rows, between rows and their lists, before and after checkpoints.

use livedrop_server::domain::order::OrderState::Paid;

use super::{
    Scenarios,
    stage::{End, Stage, buy},
};
use crate::harness::{drop_request, item};

pub(super) fn add(scenarios: &mut Scenarios) {
    for crash in [
        "before PutOrders",
        "after PutOrders",
        "before PutOrderRefs",
        "after PutOrderRefs",
        "before PutDropStatus",
        "after PutDropStatus:2",
    ] {
        scenarios.add("rows", crash, |stage| buys_on(stage, false));
    }
    for (consumer, times) in [
        ("orders", ""),
        ("orders", ":2"),
        ("drop_status", ""),
        ("drop_status", ":2"),
    ] {
        for moment in ["before", "after"] {
            let crash = format!("{moment} PutCheckpoint {consumer}{times}");
            scenarios.add("checkpoint", &crash, |stage| buys_on(stage, false));
        }
    }
    for crash in ["before PutOrders", "before PutCheckpoint orders"] {
        scenarios.add("twice", crash, |stage| buys_on(stage, true));
    }
}

/// Buyers come one after the other until the server dies; it may die when the drop opens.
async fn buys_on(mut stage: Stage, twice: bool) -> Stage {
    let creator = stage.creator().await;
    let mut buyers = Vec::new();
    for _ in 0..6 {
        buyers.push(stage.person(End::IsIfAny(Paid)).await);
    }
    stage
        .dies(async {
            let request = drop_request(vec![item(1_250, 100)]);
            let scheduled = Box::pin(creator.schedule_drop(request));
            let drop = scheduled.await?.drop.unwrap();
            for buyer in &buyers {
                buy(buyer, &drop, "pm_test_ok").await?;
            }
            Ok(())
        })
        .await;
    if twice {
        stage.restarts_and_dies().await;
    }
    stage.restarts().await;
    stage.ends_right().await;
    stage
}
