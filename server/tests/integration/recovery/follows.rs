//! Follows that are cut off between the edge and the lists that it is in.

use livedrop::v1;
use livedrop_server::{
    domain::AccountId,
    store::{
        PageRequest, SharedStore,
        follows::FollowState,
        truth::{TruthRow, TruthTable},
    },
};

use super::{
    Scenarios,
    ends::{Seen, all, same, told},
    stage::{End, Stage},
};

pub(super) fn add(scenarios: &mut Scenarios) {
    use FollowState::{Following, Unfollowed};
    for (crash, left, lost) in [
        ("after PutIntent FollowEdge", None, 1),
        ("before UpdateFollow", None, 1),
        ("after UpdateFollow", Some(Following), 0),
        ("before PutFollowRows", Some(Following), 0),
        ("after PutFollowRows", Some(Following), 0),
        ("before RemoveIntent FollowEdge", Some(Following), 0),
        ("after UpdateFollow:2", Some(Unfollowed), 0),
    ] {
        scenarios.add("follow", crash, move |stage| {
            comes_and_goes(stage, left, lost)
        });
    }
}

/// Somebody follows a creator, and then no more, until the server dies. What the edge says is what the lists say, then as after the same
/// calls on the server that comes back.
async fn comes_and_goes(mut stage: Stage, left: Option<FollowState>, lost: usize) -> Stage {
    stage.creator().await;
    let client = stage.person(End::NoOrder).await;
    let [creator_id, follower_id] = [0, 1].map(|at| stage.people[at].account_id);
    let follow = v1::FollowRequest {
        creator_id: creator_id.to_string(),
    };
    let unfollow = v1::UnfollowRequest {
        creator_id: creator_id.to_string(),
    };
    let is_first = left != Some(FollowState::Unfollowed);
    stage
        .dies(async {
            Box::pin(client.follow(follow.clone())).await?;
            if is_first {
                return Ok(());
            }
            Box::pin(client.unfollow(unfollow.clone())).await.map(drop)
        })
        .await;
    stage.drops.count = 0;
    let found = edge(&stage, follower_id, creator_id).await;
    assert_eq!(found, left, "{}", stage.name);
    // On a database the first one's intent may lie under the second.
    stage.lost_changes = lost;
    stage.restarts().await;
    stage.ends_right().await;

    stage.restarts().await;
    let client = stage.client(&stage.people[1]);
    for wanted in [true, false, true] {
        let status = match wanted {
            true => client.follow(follow.clone()).await.unwrap().status,
            false => client.unfollow(unfollow.clone()).await.unwrap().status,
        };
        assert_eq!(status.unwrap().is_following, wanted, "{}", stage.name);
    }
    stage.begins_anew();
    stage.ends_right().await;
    stage
}

/// What the dead server left.
async fn edge(stage: &Stage, follower_id: AccountId, creator_id: AccountId) -> Option<FollowState> {
    let left = stage.left().await;
    let edge = left.store.get_follow(follower_id, creator_id).await;
    edge.unwrap().map(|edge| edge.state)
}

/// Every edge that holds is in both lists, and no other is in any.
pub(super) async fn listed(store: &SharedStore) -> Seen {
    let mut after = None;
    loop {
        let page = store.scan_truth(TruthTable::FollowEdges, after.as_ref(), 100);
        let page = page.await.map_err(told)?;
        for row in page.rows {
            let TruthRow::FollowEdges(edge) = row else {
                return Err("not an edge".to_owned());
            };
            for (list, bucket, place) in edge.places() {
                let rows: PageRequest<_> = all();
                let rows = store.list_follow_rows(list, bucket, rows).await;
                let is_listed = rows.map_err(told)?.contains(&place);
                let holds = edge.state == FollowState::Following;
                same("a list of follows", &is_listed, &holds)?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
