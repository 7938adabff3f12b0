//! Drops whose making is cut off, and drops that open and end while the server is down.

use std::time::Duration;

use livedrop::{Client, v1};
use livedrop_server::store::projections::DropState;

use super::{
    Scenarios,
    stage::{Stage, TEN_SECONDS},
};
use crate::harness::{after, drop_request, item};

pub(super) fn add(scenarios: &mut Scenarios) {
    for crash in ["after PutIntent Drop", "after PutDropTime"] {
        scenarios.add("schedule", crash, |stage| schedules(stage, 0));
    }
    for crash in [
        "after InsertDrop",
        "before PutCreatorDrop",
        "after PutCreatorDrop",
        "before PutAnnounced Drop",
        "before RemoveIntent Drop",
        "after UpdateDrop",
        "before Append TERMS_FROZEN",
        "after Append TERMS_FROZEN",
    ] {
        scenarios.add("schedule", crash, |stage| schedules(stage, 1));
    }
    for crash in [
        "before Append WENT_LIVE",
        "after Append WENT_LIVE",
        "before Append CLOSED",
        "after Append CLOSED",
    ] {
        scenarios.add("opens and ends", crash, opens_and_ends);
    }
}

async fn ask(
    creator: &Client,
    request: &v1::ScheduleDropRequest,
) -> Result<v1::Drop, livedrop::Error> {
    let scheduled = Box::pin(creator.schedule_drop(request.clone()));
    Ok(scheduled.await?.drop.unwrap())
}

async fn schedules(mut stage: Stage, count: usize) -> Stage {
    let creator = stage.creator().await;
    let request = drop_request(vec![item(1_250, 100)]);
    stage
        .dies(async { ask(&creator, &request).await.map(drop) })
        .await;
    stage.restarts().await;
    stage.drops.count = count;
    stage.ends_right_within(TEN_SECONDS).await;
    // The same call finds the drop, or makes it.
    stage.restarts().await;
    let creator = stage.client(&stage.people[0]);
    let found = ask(&creator, &request).await.unwrap();
    assert_eq!(found.state(), v1::DropState::Live);
    assert_eq!(
        ask(&creator, &request).await.unwrap().drop_id,
        found.drop_id
    );
    stage.drops.count = 1;
    stage.drop_ids.insert(found.drop_id.parse().unwrap());
    stage.begins_anew();
    stage.ends_right().await;
    stage
}

/// Without anybody asking for it.
async fn opens_and_ends(mut stage: Stage) -> Stage {
    let creator = stage.creator().await;
    let request = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(3)),
        ends_at: after(Duration::from_secs(6)),
        ..drop_request(vec![item(1_250, 100)])
    };
    stage
        .dies(async { ask(&creator, &request).await.map(drop) })
        .await;
    stage.drops.state = DropState::Ended;
    stage.restarts().await;
    stage
        .ends_right_within(TEN_SECONDS + Duration::from_secs(6))
        .await;
    stage
}
