//! Changing and deleting accounts and creators.

use std::time::Duration;

use livedrop::{Client, Code, Error, prost_types::FieldMask, v1};

use crate::{
    follows::id_of,
    harness::{
        Server, after, answered, drop_request, eventually, item, open_drop, order_request,
        profile_request, reason, request_id, schedule, sign_up_request,
    },
};

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask {
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
    })
}

fn name(display_name: &str, paths: &[&str]) -> v1::UpdateMeRequest {
    v1::UpdateMeRequest {
        display_name: display_name.to_owned(),
        update_mask: mask(paths),
    }
}

fn profile(display_name: &str, bio: &str, paths: &[&str]) -> v1::UpdateCreatorRequest {
    v1::UpdateCreatorRequest {
        display_name: display_name.to_owned(),
        bio: bio.to_owned(),
        update_mask: mask(paths),
    }
}

async fn shown(client: &Client, creator_id: &str) -> Result<v1::GetCreatorResponse, Error> {
    let request = v1::GetCreatorRequest {
        key: Some(v1::get_creator_request::Key::CreatorId(
            creator_id.to_owned(),
        )),
    };
    answered(|| client.get_creator(request.clone())).await
}

/// The fields that are wrong.
fn fields(error: &Error) -> Vec<&str> {
    let found = error.violations().iter();
    found.map(|it| it.field.as_str()).collect()
}

async fn delete(client: &Client, password: &str) -> Result<v1::DeleteAccountResponse, Error> {
    let request = v1::DeleteAccountRequest {
        password: password.to_owned(),
    };
    client.delete_account(request).await
}

#[tokio::test]
async fn people_change_what_others_see() {
    let server = Server::start().await;
    let ann = server.creator().await;
    let ann_id = id_of(&ann).await;
    let before = ann.get_me().await.unwrap().account.unwrap();
    let changed = ann.update_me(name("Ann B.", &["display_name"])).await;
    let changed = changed.unwrap().account.unwrap();
    let expected = v1::Account {
        display_name: "Ann B.".into(),
        ..before.clone()
    };
    assert_eq!(changed, expected, "nothing else, the profile neither");
    assert_eq!(ann.get_me().await.unwrap().account, Some(expected));
    for (display_name, paths, wrong) in [
        ("", &["display_name"][..], &["display_name"][..]),
        ("Ann\u{202E}", &["display_name"], &["display_name"]),
        ("Ann", &[], &["update_mask"]),
        ("Ann", &["*"], &["update_mask.paths[0]"]),
        (
            " ",
            &["display_name", "email"],
            &["update_mask.paths[1]", "display_name"],
        ),
    ] {
        let refused = ann.update_me(name(display_name, paths)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(fields(&refused), wrong, "{display_name:?} {paths:?}");
    }

    let profile_before = before.creator.unwrap();
    let only_bio = profile("not this", "Prints.", &["bio"]);
    let changed = ann.update_creator(only_bio).await.unwrap();
    let shown_now = changed.creator.unwrap();
    let expected = v1::Creator {
        bio: "Prints.".into(),
        ..profile_before
    };
    assert_eq!(shown_now, expected);
    let both = profile("Ann's prints", "", &["bio", "display_name"]);
    ann.update_creator(both).await.unwrap();
    let seen = shown(&server.stranger(), &ann_id).await.unwrap();
    let seen = seen.creator.unwrap();
    assert_eq!((&*seen.display_name, &*seen.bio), ("Ann's prints", ""));
    assert_eq!(seen.handle, expected.handle);
    let wrong = profile("", &"x".repeat(501), &["display_name", "bio"]);
    let refused = ann.update_creator(wrong).await.unwrap_err();
    assert_eq!(fields(&refused), ["display_name", "bio"]);
    let wrong = profile("Ann", "", &["handle"]);
    let refused = ann.update_creator(wrong).await.unwrap_err();
    assert_eq!(fields(&refused), ["update_mask.paths[0]"]);
    let nobody = server.person().await;
    let refused = nobody.update_creator(profile("x", "", &["bio"])).await;
    assert_eq!(reason(refused), "NOT_CREATOR");
    server.stop().await;
}

#[tokio::test]
async fn a_creator_is_shown_with_followers() {
    let server = Server::start().await;
    let ann = server.creator().await;
    let ann_id = id_of(&ann).await;
    let fans = [server.person().await, server.person().await];
    for fan in &fans {
        let request = v1::FollowRequest {
            creator_id: ann_id.clone(),
        };
        answered(|| fan.follow(request.clone())).await.unwrap();
    }
    let count = || async {
        let seen = shown(&fans[0], &ann_id).await.unwrap();
        assert!(seen.followed_by_me);
        (seen.follower_count == 2).then_some(())
    };
    eventually(count).await;
    for other in [&ann, &server.stranger()] {
        assert!(!shown(other, &ann_id).await.unwrap().followed_by_me);
    }
    let request = v1::UnfollowRequest {
        creator_id: ann_id.clone(),
    };
    answered(|| fans[0].unfollow(request.clone()))
        .await
        .unwrap();
    let count = || async {
        let seen = shown(&fans[0], &ann_id).await.unwrap();
        (seen.follower_count == 1 && !seen.followed_by_me).then_some(())
    };
    eventually(count).await;
    server.stop().await;
}

#[tokio::test]
async fn an_account_in_use_stays() {
    let server = Server::start().await;
    let seller = server.creator().await;
    let drop = open_drop(&seller, &[(1_250, 5)]).await;
    let request = sign_up_request();
    let buyer = server.stranger();
    buyer.sign_up(request.clone()).await.unwrap();
    let placed = buyer.place_order(order_request(&drop, &[(0, 1)])).await;
    let order = placed.unwrap().order.unwrap();
    assert_eq!(
        reason(delete(&buyer, "wrong horse").await),
        "WRONG_PASSWORD"
    );
    let refused = delete(&buyer, "").await.unwrap_err();
    assert_eq!(fields(&refused), ["password"]);
    // The list of orders may lag a moment behind the order.
    let in_use = || async {
        let answer = buyer.list_orders(v1::ListOrdersRequest::default()).await;
        (!answer.unwrap().orders.is_empty()).then_some(())
    };
    eventually(in_use).await;
    let refused = delete(&buyer, &request.password).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.reason_text(), Some("ACCOUNT_IN_USE"));
    let told = |key: &str| refused.metadata().get(key).map(String::as_str);
    assert_eq!(told("openOrders"), Some("1"));
    assert_eq!(told("openDrops"), Some("0"));
    assert_eq!(told("orderId"), Some(&*order.order_id));
    assert!(buyer.get_me().await.is_ok(), "nothing was changed");

    let cancel = v1::CancelOrderRequest {
        drop_id: drop.drop_id.clone(),
        order_id: order.order_id,
    };
    buyer.cancel_order(cancel).await.unwrap();
    eventually(|| async { delete(&buyer, &request.password).await.ok() }).await;
    server.stop().await;
}

#[tokio::test]
async fn a_deleted_account_is_gone() {
    let server = Server::start().await;
    let request = sign_up_request();
    let ann = server.stranger();
    ann.sign_up(request.clone()).await.unwrap();
    let ann_id = id_of(&ann).await;
    let handle = profile_request();
    ann.become_creator(handle.clone()).await.unwrap();
    let mut scheduled = drop_request(vec![item(1_250, 5)]);
    scheduled.opens_at = after(Duration::from_secs(86_400));
    scheduled.ends_at = after(Duration::from_secs(90_000));
    let drop = schedule(&ann, scheduled).await;
    let refused = delete(&ann, &request.password).await.unwrap_err();
    let told = |key: &str| refused.metadata().get(key).map(String::as_str);
    assert_eq!(told("openDrops"), Some("1"));
    assert_eq!(told("dropId"), Some(&*drop.drop_id));
    let cancel = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    };
    ann.cancel_drop(cancel).await.unwrap();
    let tokens = ann.tokens().unwrap();
    delete(&ann, &request.password).await.unwrap();

    // Whoever has an old access token: the process that deleted refuses it at once, others within a minute.
    let thief = server.stranger().with_tokens(tokens.clone());
    let refused = thief.get_me().await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(thief.refresh_token().await.is_err());
    let sign_in = v1::SignInRequest {
        email: request.email.clone(),
        password: request.password.clone(),
    };
    let stranger = server.stranger();
    let refused = stranger.sign_in(sign_in).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = shown(&stranger, &ann_id).await;
    assert_eq!(reason(refused), "CREATOR_NOT_FOUND");
    let replayed = stranger.sign_up(request.clone()).await;
    assert_eq!(reason(replayed), "REQUEST_ID_REUSED");
    let kept = v1::GetDropRequest {
        drop_id: drop.drop_id,
    };
    let kept = stranger.get_drop(kept).await.unwrap().drop.unwrap();
    assert_eq!(kept.creator_id, ann_id, "the id stays, and what was sold");

    // The address is free as soon as all is erased; the handle stays nobody's.
    let again = v1::SignUpRequest {
        request_id: request_id(),
        ..request.clone()
    };
    let anew = server.stranger();
    eventually(|| async { anew.sign_up(again.clone()).await.ok() }).await;
    assert_ne!(id_of(&anew).await, ann_id);
    assert_eq!(reason(anew.become_creator(handle).await), "HANDLE_TAKEN");
    server.stop().await;
}
