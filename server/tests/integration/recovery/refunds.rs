//! Money that goes back, cut off: a creator refunds an order, or cancels the drop.

use livedrop_server::{
    domain::order::OrderState::{ActionRequired, Cancelled, Held, Paid, Refunded},
    store::projections::DropState,
};

use super::{
    Scenarios,
    stage::{End, Stage, begins_to_buy, buy, cancel_drop, refund},
};

pub(super) fn add(scenarios: &mut Scenarios) {
    scenarios.add("refund", "before Append REFUND_STARTED", |stage| {
        refunds(stage, "pm_test_ok", End::Is(Paid), false)
    });
    for crash in [
        "after Append REFUND_STARTED",
        "before provider.refund",
        "after provider.refund",
        "before Append REFUNDED",
        "after Append REFUNDED",
    ] {
        scenarios.add("refund", crash, |stage| {
            refunds(stage, "pm_test_ok", End::Is(Refunded), false)
        });
    }
    for crash in ["after Append REFUND_STARTED", "after provider.refund"] {
        scenarios.add("refund fails once", crash, |stage| {
            refunds(stage, "pm_test_refund_fails_once", End::Is(Refunded), false)
        });
    }
    for crash in [
        "before provider.refund",
        "after provider.refund",
        "before Append REFUNDED",
    ] {
        scenarios.add("refund, twice", crash, |stage| {
            refunds(stage, "pm_test_ok", End::Is(Refunded), true)
        });
    }
    scenarios.add("cancelled drop", "before Append CLOSED", |stage| {
        cancels(stage, false)
    });
    for crash in [
        "after Append CLOSED",
        "before provider.cancel",
        "after provider.cancel",
        "after provider.cancel:2",
        "before provider.refund",
        "after provider.refund",
        "after provider.refund:2",
        "before Append REFUNDED",
        "before Append SEALED",
    ] {
        scenarios.add("cancelled drop", crash, |stage| cancels(stage, true));
    }
    for crash in ["after Append REFUND_STARTED", "before provider.refund"] {
        scenarios.add("cancelled drop, captured late", crash, captured_late);
    }
}

async fn refunds(mut stage: Stage, token: &'static str, end: End, twice: bool) -> Stage {
    let (creator, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(end).await;
    let order = buy(&buyer, &drop, token).await.unwrap();
    stage.dies(refund(&creator, &order)).await;
    if twice {
        stage.restarts_and_dies().await;
    }
    stage.restarts().await;
    stage.ends_right().await;
    stage
}

/// A drop with orders in every state is cancelled.
async fn cancels(mut stage: Stage, is_done: bool) -> Stage {
    let (creator, drop) = stage.drop_of_a_creator().await;
    let end = |done, not_done| if is_done { End::Is(done) } else { not_done };
    let mut people = Vec::new();
    for (token, end) in [
        ("pm_test_ok", end(Refunded, End::Is(Paid))),
        ("pm_test_ok", end(Refunded, End::Is(Paid))),
        ("", end(Cancelled, End::Is(Held))),
        ("pm_test_3ds", end(Cancelled, End::Is(ActionRequired))),
        ("pm_test_declined", end(Cancelled, End::Declined)),
    ] {
        people.push((stage.person(end).await, token));
    }
    for (person, token) in people {
        buy(&person, &drop, token).await.unwrap();
    }
    if is_done {
        stage.drops.state = DropState::Cancelled;
        let slow = stage.person(End::Is(Cancelled)).await;
        begins_to_buy(&slow, &drop, "pm_test_slow").await;
    }
    stage.dies(cancel_drop(&creator, &drop)).await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}

/// The provider said failed, the drop is cancelled, and then the provider captures all the same.
async fn captured_late(mut stage: Stage) -> Stage {
    let (creator, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(End::Is(Refunded)).await;
    stage.drops.state = DropState::Cancelled;
    buy(&buyer, &drop, "pm_test_late").await.unwrap();
    stage.dies(cancel_drop(&creator, &drop)).await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}
