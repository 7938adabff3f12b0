//! Buying, cut off at every point of an order's way.

use std::time::{Duration, SystemTime};

use livedrop::v1;
use livedrop_server::domain::order::OrderState::{ActionRequired, Expired, Held, Paid};

use super::{
    Scenarios,
    stage::{End, Stage, TEN_SECONDS, begins_to_buy, buy, pay},
};
use crate::harness::{approve, drop_request, eventually, get_order, item, schedule};

/// The provider takes so long for `pm_test_slow`.
const SLOW: Duration = Duration::from_secs(15);
/// The shortest time that a drop may hold units.
const HOLD: Duration = Duration::from_secs(30);

pub(super) fn add(scenarios: &mut Scenarios) {
    scenarios.add("nobody pays", "after Append HELD", |stage| {
        nobody_pays(stage, HOLD + TEN_SECONDS)
    });
    scenarios.add("nobody pays", "before Append RELEASED", |stage| {
        nobody_pays(stage, TEN_SECONDS)
    });
    for crash in ["before Append SOLD_LATE", "after Append SOLD_LATE"] {
        scenarios.add("captured after the hold", crash, captured_after_the_hold);
    }
    scenarios.add("slow", "", |stage| paid_while_down(stage, "pm_test_slow"));
    scenarios.add("late", "", |stage| paid_while_down(stage, "pm_test_late"));
    for crash in [
        "after Append PAYMENT_STARTED",
        "before provider.start",
        "after provider.start",
        "before PutAttempt",
        "after PutAttempt",
        "before Append SOLD",
        "after Append SOLD",
    ] {
        scenarios.add("ok", crash, |stage| {
            buys(stage, "pm_test_ok", End::Is(Paid))
        });
    }
    scenarios.add("ok", "before Append HELD", |stage| {
        buys(stage, "pm_test_ok", End::NoOrder)
    });
    for crash in [
        "before Append PAYMENT_FAILED",
        "after Append PAYMENT_FAILED",
    ] {
        scenarios.add("declined", crash, |stage| {
            buys(stage, "pm_test_declined", End::Declined)
        });
    }
    for (token, crash) in [
        ("pm_test_unknown", "after provider.start"),
        ("pm_test_unknown", "after Append PAYMENT_WAITING"),
        ("pm_test_unknown", "before provider.look_up"),
        ("pm_test_late", "before Append PAYMENT_FAILED"),
        ("pm_test_late", "after Append PAYMENT_FAILED"),
        ("pm_test_late", "before Append SOLD"),
        ("pm_test_late", "before PutPaymentEvent"),
        ("pm_test_duplicate_webhook", "before Append SOLD"),
        ("pm_test_duplicate_webhook", "before PutPaymentEvent"),
        ("pm_test_duplicate_webhook", "after PutPaymentEvent"),
    ] {
        let about = token.trim_start_matches("pm_test_");
        scenarios.add(about, crash, |stage| buys(stage, token, End::Is(Paid)));
    }
    for crash in [
        "before Append PAYMENT_WAITING",
        "after Append PAYMENT_WAITING",
    ] {
        scenarios.add("3ds", crash, approves_after_the_restart);
    }
    scenarios.add("3ds, killed while it waits", "", approves_after_the_restart);
    for crash in [
        "before provider.confirm",
        "after provider.confirm",
        "before Append SOLD",
    ] {
        scenarios.add("3ds, approved", crash, approves_before_the_restart);
    }
    scenarios.add("paid later", "before Append PAYMENT_STARTED", |stage| {
        pays_later(stage, End::Is(Held))
    });
    scenarios.add("paid later", "after Append PAYMENT_STARTED", |stage| {
        pays_later(stage, End::Is(Paid))
    });
    for crash in [
        "before provider.start",
        "after provider.start",
        "before Append SOLD",
    ] {
        scenarios.add("twice", crash, dies_twice);
    }
}

async fn buys(mut stage: Stage, token: &'static str, end: End) -> Stage {
    let (_, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(end).await;
    stage
        .dies(async { buy(&buyer, &drop, token).await.map(std::mem::drop) })
        .await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}

async fn dies_twice(mut stage: Stage) -> Stage {
    let (_, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(End::Is(Paid)).await;
    stage
        .dies(async { buy(&buyer, &drop, "pm_test_ok").await.map(std::mem::drop) })
        .await;
    stage.restarts_and_dies().await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}

/// One never tried, one was declined: both holds expire, though nobody asks for the drop any more.
async fn nobody_pays(mut stage: Stage, within: Duration) -> Stage {
    let drop = short_holds(&mut stage).await;
    let silent = stage.person(End::Is(Expired)).await;
    let poor = stage.person(End::IsIfAny(Expired)).await;
    stage
        .dies(async {
            buy(&silent, &drop, "").await?;
            buy(&poor, &drop, "pm_test_declined")
                .await
                .map(std::mem::drop)
        })
        .await;
    stage.restarts().await;
    stage.ends_right_within(within).await;
    stage
}

/// A drop that holds units as briefly as may be.
async fn short_holds(stage: &mut Stage) -> v1::Drop {
    let creator = stage.creator().await;
    let request = v1::ScheduleDropRequest {
        hold_duration: Some(HOLD.try_into().unwrap()),
        ..drop_request(vec![item(1_250, 100)])
    };
    schedule(&creator, request).await
}

/// The provider says failed, the hold ends, and then the provider captures: units are left, so the order is sold.
async fn captured_after_the_hold(mut stage: Stage) -> Stage {
    let drop = short_holds(&mut stage).await;
    let buyer = stage.person(End::Is(Paid)).await;
    let order = buy(&buyer, &drop, "").await.unwrap();
    // A hold ends 2 s after its time, and until then payments are taken. The capture comes 3 s after the payment's start: so that may be up
    // to a second before that time. Half of it, as a busy machine comes late to everything.
    let hold_ends = SystemTime::try_from(order.hold_expires_at.unwrap()).unwrap();
    let left = hold_ends.duration_since(SystemTime::now()).unwrap();
    tokio::time::sleep(left.saturating_sub(Duration::from_millis(500))).await;
    stage.dies(pay(&buyer, &order, "pm_test_late")).await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}

/// The hold and the payment come by two calls.
async fn pays_later(mut stage: Stage, end: End) -> Stage {
    let (_, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(end).await;
    let order = buy(&buyer, &drop, "").await.unwrap();
    stage.dies(pay(&buyer, &order, "pm_test_ok")).await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}

/// The provider captures while the server is down or just back.
async fn paid_while_down(mut stage: Stage, token: &'static str) -> Stage {
    let (_, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(End::Is(Paid)).await;
    begins_to_buy(&buyer, &drop, token).await;
    stage.kill().await;
    stage.restarts().await;
    stage.ends_right_within(SLOW + TEN_SECONDS).await;
    stage
}

/// The buyer is on the provider's page while the server dies.
async fn approves_after_the_restart(mut stage: Stage) -> Stage {
    let (_, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(End::Is(ActionRequired)).await;
    if stage.name.contains("[]") {
        buy(&buyer, &drop, "pm_test_3ds").await.unwrap();
        stage.kill().await;
    } else {
        stage
            .dies(async { buy(&buyer, &drop, "pm_test_3ds").await.map(std::mem::drop) })
            .await;
    }
    stage.restarts().await;
    stage.seen_right_within(TEN_SECONDS).await;
    let person = stage.people.last_mut().unwrap();
    person.end = End::Is(Paid);
    let person = person.clone();
    let buyer = stage.client(&person);
    let request = v1::ListOrdersRequest::default();
    let orders = buyer.list_orders(request).await.unwrap().orders;
    approve(stage.endpoint(), &orders[0].action_url).await;
    stage.begins_anew();
    stage.ends_right().await;
    stage
}

/// The buyer has approved, and the server dies of what follows.
async fn approves_before_the_restart(mut stage: Stage) -> Stage {
    let (_, drop) = stage.drop_of_a_creator().await;
    let buyer = stage.person(End::Is(Paid)).await;
    let order = buy(&buyer, &drop, "pm_test_3ds").await.unwrap();
    let url = || async {
        let order = get_order(&buyer, &order).await.unwrap();
        (!order.action_url.is_empty()).then_some(order.action_url)
    };
    let url = eventually(url).await;
    let endpoint = stage.endpoint().to_owned();
    stage
        .dies(async {
            approve(&endpoint, &url).await;
            Ok(())
        })
        .await;
    stage.restarts().await;
    stage.ends_right().await;
    stage
}
