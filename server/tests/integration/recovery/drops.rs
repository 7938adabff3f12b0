//! Drops whose making is cut off, and drops that open and end while the server is down.

use std::time::Duration;

use livedrop::{
    Client,
    prost_types::{FieldMask, Timestamp},
    v1,
};
use livedrop_server::store::projections::DropState;

use super::{
    Scenarios,
    stage::{Stage, TEN_SECONDS},
};
use crate::harness::{after, drop_request, eventually, item};

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
    // What was written when the drop was made comes before: its intent, and twice its row in the list of times.
    for (crash, is_moved) in [
        ("after PutIntent Drop:2", false),
        ("after PutDropTime:3", false),
        ("before UpdateDrop", false),
        ("after UpdateDrop", true),
        ("after PutDropTime:4", true),
        ("before PutAnnounced Drop:2", true),
        ("before RemoveIntent Drop:2", true),
    ] {
        scenarios.add("move", crash, move |stage| moves(stage, is_moved));
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

/// A drop of tomorrow is to open now.
async fn moves(mut stage: Stage, is_moved: bool) -> Stage {
    const DAY: Duration = Duration::from_secs(86_400);
    let creator = stage.creator().await;
    let request = v1::ScheduleDropRequest {
        opens_at: after(DAY),
        ends_at: after(2 * DAY),
        ..drop_request(vec![item(1_250, 100)])
    };
    let drop = ask(&creator, &request).await.unwrap();
    let of_creator = v1::ListDropsRequest {
        creator_id: drop.creator_id.clone(),
        ..Default::default()
    };
    let is_listed = async || {
        let page = creator.list_drops(of_creator.clone()).await.unwrap();
        (!page.drops.is_empty()).then_some(())
    };
    eventually(is_listed).await;
    // What nobody can see, and comes right after: the announcement.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let now = v1::UpdateDropRequest {
        drop_id: drop.drop_id.clone(),
        update_mask: Some(FieldMask {
            paths: vec!["opens_at".into()],
        }),
        // It is past: the server takes its own.
        opens_at: Some(Timestamp::default()),
        ..Default::default()
    };
    stage
        .dies(async {
            Box::pin(creator.update_drop(now.clone()))
                .await
                .map(std::mem::drop)
        })
        .await;
    stage.drops.count = usize::from(is_moved);
    stage.drops.version = 1 + i64::from(is_moved);
    stage.restarts().await;
    stage.ends_right_within(TEN_SECONDS).await;

    // The same call finds it live, or makes it so.
    stage.restarts().await;
    let creator = stage.client(&stage.people[0]);
    let live = Box::pin(creator.update_drop(now)).await.unwrap();
    assert_eq!(live.drop.unwrap().state(), v1::DropState::Live);
    stage.drops.count = 1;
    stage.drops.version = 2;
    stage.begins_anew();
    let list = v1::ListDropsRequest {
        state: v1::DropState::Live.into(),
        ..Default::default()
    };
    let listed = eventually(async || {
        let page = creator.list_drops(list.clone()).await.unwrap();
        page.drops.into_iter().next()
    });
    assert_eq!(listed.await.drop_id, drop.drop_id);
    stage.ends_right().await;
    stage
}
