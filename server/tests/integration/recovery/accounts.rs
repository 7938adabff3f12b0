//! Accounts and profiles whose making is cut off: the same call completes them at once, and what is there without it is announced. That
//! a name whose account never came is free after a minute is shown in `service/accounts_tests.rs`.

use std::time::{Duration, Instant};

use livedrop::v1;

use super::{
    Scenarios,
    stage::{End, Stage, TEN_SECONDS},
};
use crate::harness::{profile_request, reason, sign_up_request};

/// A call that completes another waits for nothing: it is far from the minute after which a claim is free, on a busy database too.
const AT_ONCE: Duration = Duration::from_secs(20);

pub(super) fn add(scenarios: &mut Scenarios) {
    for (crash, is_there, lost) in [
        ("after ClaimRequest", false, 0),
        ("after ClaimEmail", false, 0),
        ("after PutIntent Account", false, 1),
        ("before InsertAccount", false, 1),
        ("after InsertAccount", true, 0),
        ("before PutAnnounced Account", true, 0),
        ("after PutAnnounced Account", true, 0),
        ("after InsertSession", true, 0),
    ] {
        scenarios.add("sign-up", crash, move |stage| {
            signs_up(stage, is_there, lost)
        });
    }
    for (crash, lost) in [
        ("after ClaimHandle", 0),
        ("after PutIntent Creator", 1),
        ("after InsertCreator", 0),
        ("before PutAnnounced Creator", 0),
    ] {
        scenarios.add("profile", crash, move |stage| becomes_creator(stage, lost));
    }
}

async fn signs_up(mut stage: Stage, is_there: bool, lost: usize) -> Stage {
    let request = sign_up_request();
    let client = stage.stranger();
    stage
        .dies(async { Box::pin(client.sign_up(request.clone())).await.map(drop) })
        .await;
    stage.drops.count = 0;
    stage.lost_changes = lost;
    stage.restarts().await;
    stage.ends_right_within(TEN_SECONDS).await;
    stage.restarts().await;
    let sign_in = v1::SignInRequest {
        email: request.email.clone(),
        password: request.password.clone(),
    };
    let found = stage.stranger().sign_in(sign_in).await;
    assert_eq!(found.is_ok(), is_there, "{}: {found:?}", stage.name);
    let begun_at = Instant::now();
    let client = stage.signs_up(request.clone(), End::NoOrder).await;
    assert!(begun_at.elapsed() < AT_ONCE, "{}", stage.name);
    if let Ok(found) = found {
        let same = client.get_me().await.unwrap().account;
        assert_eq!(found.account, same, "{}", stage.name);
    }
    let another = v1::SignUpRequest {
        email: request.email,
        ..sign_up_request()
    };
    let refused = stage.stranger().sign_up(another).await;
    assert_eq!(reason(refused), "EMAIL_TAKEN", "{}", stage.name);
    stage.begins_anew();
    stage.ends_right().await;
    stage
}

async fn becomes_creator(mut stage: Stage, lost: usize) -> Stage {
    let client = stage.person(End::NoOrder).await;
    let request = profile_request();
    stage
        .dies(async {
            Box::pin(client.become_creator(request.clone()))
                .await
                .map(drop)
        })
        .await;
    stage.drops.count = 0;
    stage.lost_changes = lost;
    stage.restarts().await;
    stage.ends_right_within(TEN_SECONDS).await;
    stage.restarts().await;
    let client = stage.client(&stage.people[0]);
    let made = client.become_creator(request).await.unwrap().creator;
    assert!(made.is_some(), "{}", stage.name);
    stage.begins_anew();
    stage.ends_right().await;
    stage
}
