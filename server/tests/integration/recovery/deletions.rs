//! An account whose deletion is cut off: what is left of the person goes all the same.

use std::time::Duration;

use livedrop::v1;
use livedrop_server::{
    domain::AccountId,
    store::{
        SharedStore,
        outbox::{Entity, EntityKind},
    },
};

use super::{Scenarios, ends, stage::Stage};
use crate::harness::{eventually, profile_request, request_id, sign_up_request};

/// The relay takes up what is five seconds old, and looks every five.
const TAKEN_UP: Duration = Duration::from_secs(10);

pub(super) fn add(scenarios: &mut Scenarios) {
    for crash in [
        "after UpdateAccount",
        "before PutEndedAccount",
        "after PutEndedAccount",
        "after UpdateCreator",
        "before ReleaseEmail",
        "after ReleaseEmail",
        "after UpdateAccount:2",
        "before PutAnnounced Account:2",
    ] {
        scenarios.add("deletion", crash, deletes);
    }
}

async fn deletes(mut stage: Stage) -> Stage {
    let request = sign_up_request();
    let client = stage.stranger();
    let account = client.sign_up(request.clone()).await.unwrap().account;
    let account_id: AccountId = account.unwrap().account_id.parse().unwrap();
    client.become_creator(profile_request()).await.unwrap();
    let delete = v1::DeleteAccountRequest {
        password: request.password.clone(),
    };
    stage
        .dies(async { Box::pin(client.delete_account(delete)).await.map(drop) })
        .await;
    stage.restarts().await;
    // The address is free when nearly all is done, and the rest comes at once.
    let anew = v1::SignUpRequest {
        request_id: request_id(),
        ..request.clone()
    };
    let stranger = stage.stranger();
    eventually(|| async { stranger.sign_up(anew.clone()).await.ok() }).await;
    tokio::time::sleep(TAKEN_UP).await;
    stage.kill().await;
    let left = stage.left().await;
    if let Err(why) = erased(&left.store, account_id).await {
        panic!("{}: {why}", stage.name);
    }
    stage
}

/// Nothing is left but the ids, and that is told.
async fn erased(store: &SharedStore, account_id: AccountId) -> ends::Seen {
    let account = store.get_account(account_id).await.map_err(ends::told)?;
    let account = account.ok_or("the row is gone")?;
    let left = (account.email, account.display_name, account.password_hash);
    ends::same("account", &left, &Default::default())?;
    let creator = store.get_creator(account_id).await.map_err(ends::told)?;
    let creator = creator.ok_or("the creator's row is gone")?;
    let left = (creator.display_name, creator.bio);
    ends::same("creator", &left, &Default::default())?;
    for (kind, version) in [
        (EntityKind::Account, account.version),
        (EntityKind::Creator, creator.version),
    ] {
        let id = account_id.uuid();
        let told = store.get_announced(Entity { kind, id }).await;
        ends::same("announced", &told.map_err(ends::told)?, &version)?;
    }
    Ok(())
}
