//! Following creators, and the lists of it.

use std::time::Duration;

use futures::future::join_all;
use livedrop::{Client, Code, Error, Uuid, v1};
use livedrop_server::{
    app::Parts,
    domain::AccountId,
    env::{Env as _, SystemEnv},
    service::BucketRule,
    store::{
        Order, PageRequest, SharedStore,
        follows::{FollowList, FollowState},
    },
};

use crate::harness::{Server, answered, eventually, reason};

pub(crate) async fn id_of(client: &Client) -> String {
    let me = answered(|| client.get_me()).await.unwrap();
    me.account.unwrap().account_id
}

async fn follow(client: &Client, creator_id: &str) -> Result<v1::FollowStatus, Error> {
    let request = v1::FollowRequest {
        creator_id: creator_id.to_owned(),
    };
    let answer = answered(|| client.follow(request.clone())).await?;
    Ok(answer.status.unwrap())
}

async fn unfollow(client: &Client, creator_id: &str) -> Result<v1::FollowStatus, Error> {
    let request = v1::UnfollowRequest {
        creator_id: creator_id.to_owned(),
    };
    let answer = answered(|| client.unfollow(request.clone())).await?;
    Ok(answer.status.unwrap())
}

async fn check(client: &Client, creator_ids: &[&str]) -> Result<Vec<v1::FollowStatus>, Error> {
    let creator_ids = creator_ids.iter().map(|id| (*id).to_owned()).collect();
    let request = v1::CheckFollowsRequest { creator_ids };
    let answer = answered(|| client.check_follows(request.clone())).await?;
    Ok(answer.statuses)
}

fn followers_of(creator_id: &str, page_size: i32, token: &str) -> v1::ListFollowersRequest {
    v1::ListFollowersRequest {
        creator_id: creator_id.to_owned(),
        page_size,
        page_token: token.to_owned(),
    }
}

/// The ids of all pages of a creator's followers.
async fn followers(creator: &Client, creator_id: &str, page_size: i32) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let request = followers_of(creator_id, page_size, &token);
        let page = answered(|| creator.list_followers(request.clone())).await;
        let page = page.unwrap();
        ids.extend(page.followers.into_iter().map(|it| it.account_id));
        token = page.next_page_token;
        if token.is_empty() {
            return ids;
        }
    }
}

/// The ids of all pages of the creators that somebody follows.
async fn following(client: &Client, page_size: i32) -> Vec<String> {
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListFollowingRequest {
            page_size,
            page_token,
        };
        let page = answered(|| client.list_following(request.clone())).await;
        let page = page.unwrap();
        let creators = page.following.into_iter().map(|it| it.creator.unwrap());
        ids.extend(creators.map(|creator| creator.creator_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return ids;
        }
    }
}

#[tokio::test]
async fn people_follow_creators_and_leave_them() {
    let server = Server::start().await;
    let (ann, bob) = (server.creator().await, server.creator().await);
    let cat = server.person().await;
    let (ann_id, bob_id, cat_id) = (id_of(&ann).await, id_of(&bob).await, id_of(&cat).await);
    let nobody = Uuid::now_v7().to_string();
    assert_eq!(following(&cat, 0).await, [""; 0]);
    assert_eq!(followers(&ann, &ann_id, 0).await, [""; 0]);

    let first = follow(&cat, &ann_id).await.unwrap();
    assert!(first.is_following && first.creator_id == ann_id);
    assert_eq!(follow(&cat, &ann_id).await.unwrap(), first, "again");
    let asked = [&*bob_id, &ann_id, &nobody, &ann_id];
    let found = check(&cat, &asked).await.unwrap();
    let ids: Vec<_> = found.iter().map(|it| &it.creator_id).collect();
    assert_eq!(ids, asked);
    let follows: Vec<_> = found.iter().map(|it| it.is_following).collect();
    assert_eq!(follows, [false, true, false, true]);
    assert_eq!(found[1], first);
    assert_eq!(found[0].followed_at, None);

    follow(&cat, &bob_id).await.unwrap();
    follow(&bob, &ann_id).await.unwrap();
    eventually(async || {
        let both = [bob_id.clone(), ann_id.clone()];
        let of_ann = [bob_id.clone(), cat_id.clone()];
        let are_there = following(&cat, 0).await == both
            && followers(&ann, &ann_id, 0).await == of_ann
            && following(&bob, 0).await == [ann_id.clone()];
        are_there.then_some(())
    })
    .await;
    let page = ann.list_followers(followers_of(&ann_id, 0, "")).await;
    let shown = page.unwrap().followers.remove(1);
    assert_eq!(shown.followed_at, first.followed_at);
    assert_eq!(shown.display_name, "Somebody");
    let mut pages = cat.following_pages();
    let profile = pages.next().await.unwrap().unwrap().remove(1).creator;
    let ann_is = ann.get_me().await.unwrap().account.unwrap().creator;
    assert_eq!(profile, ann_is);
    assert!(pages.next().await.unwrap().is_none());
    let mut pages = ann.follower_pages(&ann_id);
    assert_eq!(pages.next().await.unwrap().unwrap().len(), 2);
    assert!(pages.next().await.unwrap().is_none());

    for _ in 0..2 {
        let left = unfollow(&cat, &ann_id).await.unwrap();
        assert!(!left.is_following && left.followed_at.is_none());
        let found = check(&cat, &[&ann_id, &bob_id]).await.unwrap();
        assert!(!found[0].is_following && found[1].is_following);
    }
    eventually(async || {
        let is_gone = following(&cat, 0).await == [bob_id.clone()]
            && followers(&ann, &ann_id, 0).await == [bob_id.clone()];
        is_gone.then_some(())
    })
    .await;
    assert_eq!(follow(&cat, &ann_id).await.unwrap(), first, "comes back");
    eventually(async || {
        let old_places = [bob_id.clone(), cat_id.clone()];
        (followers(&ann, &ann_id, 0).await == old_places).then_some(())
    })
    .await;
    let never = unfollow(&ann, &bob_id).await.unwrap();
    assert!(!never.is_following);
    server.stop().await;
}

#[tokio::test]
async fn refusals_of_follows_say_why() {
    let server = Server::start().await;
    let (ann, cat) = (server.creator().await, server.person().await);
    let (ann_id, cat_id) = (id_of(&ann).await, id_of(&cat).await);
    let nobody = Uuid::now_v7().to_string();
    for answer in [follow(&ann, &ann_id).await, unfollow(&ann, &ann_id).await] {
        let error = answer.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert_eq!(error.reason_text(), Some("SELF_FOLLOW"));
        assert_eq!(error.metadata()["creatorId"], ann_id);
    }
    // Somebody without a profile is no creator.
    for unknown in [&nobody, &cat_id] {
        let refused = follow(&ann, unknown).await;
        assert_eq!(reason(refused), "CREATOR_NOT_FOUND");
        let refused = unfollow(&ann, unknown).await;
        assert_eq!(reason(refused), "CREATOR_NOT_FOUND");
    }
    for answer in [follow(&cat, "").await, unfollow(&cat, "no").await] {
        assert_eq!(answer.unwrap_err().violations()[0].field, "creator_id");
    }

    let many = vec![&*ann_id; 200];
    assert_eq!(check(&cat, &many).await.unwrap().len(), 200);
    for count in [0, 201] {
        let refused = check(&cat, &vec![&*ann_id; count]).await.unwrap_err();
        assert_eq!(refused.violations()[0].field, "creator_ids");
    }
    let refused = check(&cat, &[&ann_id, "x", &nobody, ""]).await.unwrap_err();
    let fields: Vec<_> = refused.violations().iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["creator_ids[1]", "creator_ids[3]"]);

    let refused = cat.list_followers(followers_of(&ann_id, 0, "")).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(refused.reason_text(), Some("NOT_OWNER"));
    let refused = cat.list_followers(followers_of(&cat_id, 0, "")).await;
    assert_eq!(reason(refused), "CREATOR_NOT_FOUND");
    let refused = ann.list_followers(followers_of("x", -1, "y")).await;
    let refused = refused.unwrap_err();
    let fields: Vec<_> = refused.violations().iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["creator_id", "page_size"]);
    let request = v1::ListFollowingRequest {
        page_size: -1,
        page_token: "y".to_owned(),
    };
    let refused = ann.list_following(request).await.unwrap_err();
    let fields: Vec<_> = refused.violations().iter().map(|it| &*it.field).collect();
    assert_eq!(fields, ["page_size", "page_token"]);

    let stranger = server.stranger();
    let codes = [
        follow(&stranger, &ann_id).await.unwrap_err().code(),
        unfollow(&stranger, &ann_id).await.unwrap_err().code(),
        check(&stranger, &[&ann_id]).await.unwrap_err().code(),
    ];
    assert_eq!(codes, [Code::Unauthenticated; 3]);
    server.stop().await;
}

/// With buckets of eight rows, that begin at once.
async fn small_buckets() -> Server {
    let parts = Parts {
        follow_buckets: BucketRule {
            rows: 8,
            ahead: Duration::ZERO,
        },
        ..Parts::default()
    };
    Server::start_with_parts(|_| (), parts).await
}

#[tokio::test]
async fn pages_of_follows_have_everybody_once() {
    let server = small_buckets().await;
    let (ann, bob) = (server.creator().await, server.creator().await);
    let (ann_id, bob_id) = (id_of(&ann).await, id_of(&bob).await);
    let people = join_all((0..30).map(|_| server.creator())).await;
    let (mut expected, mut followed) = (Vec::new(), Vec::new());
    for person in &people {
        follow(person, &ann_id).await.unwrap();
        let id = id_of(person).await;
        follow(&ann, &id).await.unwrap();
        expected.insert(0, id.clone());
        followed.insert(0, id);
    }
    follow(&people[0], &bob_id).await.unwrap();
    eventually(async || {
        let are_there =
            followers(&ann, &ann_id, 0).await == expected && following(&ann, 0).await == followed;
        are_there.then_some(())
    })
    .await;
    let owner_id: AccountId = ann_id.parse().unwrap();
    for list in [
        FollowList::followers_of(owner_id),
        FollowList::followed_by(owner_id),
    ] {
        let buckets = server.store().list_follow_buckets(list).await.unwrap();
        assert!((4..=6).contains(&buckets.len()), "{buckets:?}");
    }
    for page_size in [1, 7, 8, 30, 1_000] {
        let found = followers(&ann, &ann_id, page_size).await;
        assert_eq!(found, expected, "{page_size}");
        assert_eq!(following(&ann, page_size).await, followed, "{page_size}");
    }

    let page = ann.list_followers(followers_of(&ann_id, 5, "")).await;
    let mine = page.unwrap().next_page_token;
    let request = v1::ListFollowingRequest {
        page_size: 5,
        ..Default::default()
    };
    let other = ann.list_following(request).await.unwrap().next_page_token;
    assert!(!mine.is_empty() && !other.is_empty());
    for (client, id, token) in [
        (&bob, &bob_id, &mine),
        (&ann, &ann_id, &other),
        (&ann, &ann_id, &mine[1..].to_owned()),
    ] {
        let refused = client.list_followers(followers_of(id, 5, token)).await;
        assert_eq!(refused.unwrap_err().violations()[0].field, "page_token");
    }
    for (client, page_token) in [(&bob, other), (&ann, mine)] {
        let request = v1::ListFollowingRequest {
            page_size: 5,
            page_token,
        };
        let refused = client.list_following(request).await;
        assert_eq!(refused.unwrap_err().violations()[0].field, "page_token");
    }
    server.stop().await;
}

/// In which of the two lists somebody is, by the store.
async fn listed(store: &SharedStore, follower_id: AccountId, creator_id: AccountId) -> [bool; 2] {
    let edge = store.get_follow(follower_id, creator_id).await.unwrap();
    let mut found = [false; 2];
    for (found, (list, bucket, place)) in found.iter_mut().zip(edge.unwrap().places()) {
        let page = PageRequest {
            after: None,
            limit: 100,
            order: Order::Descending,
        };
        let rows = store.list_follow_rows(list, bucket, page).await.unwrap();
        *found = rows.contains(&place);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_follows_and_unfollows_at_once_end_right() {
    let server = Server::start().await;
    let (ann, cat) = (server.creator().await, server.person().await);
    let (ann_id, cat_id) = (id_of(&ann).await, id_of(&cat).await);
    let calls = (0..1_000).map(|number| {
        let (cat, ann_id) = (cat.clone(), ann_id.clone());
        async move {
            match number % 2 {
                0 => follow(&cat, &ann_id).await,
                _ => unfollow(&cat, &ann_id).await,
            }
        }
    });
    let begun_at = SystemEnv.now();
    let answers = join_all(calls.map(tokio::spawn)).await;
    let failed: Vec<_> = answers
        .into_iter()
        .filter_map(|it| it.unwrap().err())
        .collect();
    println!(
        "1,000 calls in {:?}, {} without an outcome",
        SystemEnv.now().since(begun_at),
        failed.len()
    );
    // One pair is one row: under so many a database, or a busy disk, may not get to some of them in time.
    for error in &failed {
        let is_late = matches!(error.code(), Code::Unavailable | Code::DeadlineExceeded);
        assert!(is_late, "{error:?}");
    }
    let store = server.store();
    let (follower_id, creator_id): (AccountId, AccountId) =
        (cat_id.parse().unwrap(), ann_id.parse().unwrap());
    let agrees = async || {
        let edge = store.get_follow(follower_id, creator_id).await.unwrap();
        let is_following = edge.unwrap().state == FollowState::Following;
        let rows = listed(&store, follower_id, creator_id).await;
        let checked = check(&cat, &[&ann_id]).await.unwrap()[0].is_following;
        let all = [rows[0], rows[1], checked];
        (all == [is_following; 3]).then_some(())
    };
    eventually(agrees).await;
    for wanted in [true, false, true] {
        let answer = match wanted {
            true => follow(&cat, &ann_id).await,
            false => unfollow(&cat, &ann_id).await,
        };
        assert_eq!(answer.unwrap().is_following, wanted);
        eventually(async || {
            let rows = listed(&store, follower_id, creator_id).await;
            (rows == [wanted; 2]).then_some(())
        })
        .await;
        assert_eq!(followers(&ann, &ann_id, 0).await.len(), usize::from(wanted));
        assert_eq!(following(&cat, 0).await.len(), usize::from(wanted));
    }
    drop(store);
    server.stop().await;
}
