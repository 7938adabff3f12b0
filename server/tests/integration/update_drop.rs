//! Changing a drop.

mod moves;
mod races;

use std::time::Duration;

use livedrop::{
    Client, Code, Error,
    prost_types::{FieldMask, Timestamp},
    v1::{self, DropState},
};

use crate::harness::{
    Server, after, answered, drop_request, get_drop, item, open_drop, place, reason, request_id,
    schedule, stock,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A drop of two items that opens in an hour.
async fn far_drop(creator: &Client) -> v1::Drop {
    let request = v1::ScheduleDropRequest {
        opens_at: after(HOUR),
        ends_at: after(2 * HOUR),
        ..drop_request(vec![item(250, 5), item(0, 7)])
    };
    schedule(creator, request).await
}

fn change(drop: &v1::Drop, paths: &[&str]) -> v1::UpdateDropRequest {
    v1::UpdateDropRequest {
        drop_id: drop.drop_id.clone(),
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    }
}

fn new_title(drop: &v1::Drop, title: &str) -> v1::UpdateDropRequest {
    v1::UpdateDropRequest {
        title: title.to_owned(),
        ..change(drop, &["title"])
    }
}

fn moved(drop: &v1::Drop, opens_at: Option<Timestamp>) -> v1::UpdateDropRequest {
    v1::UpdateDropRequest {
        opens_at,
        ..change(drop, &["opens_at"])
    }
}

async fn update(client: &Client, request: v1::UpdateDropRequest) -> Result<v1::Drop, Error> {
    let updated = answered(|| client.update_drop(request.clone())).await?;
    Ok(updated.drop.unwrap())
}

async fn cancel(client: &Client, drop: &v1::Drop) -> Result<v1::Drop, Error> {
    let request = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    };
    let cancelled = answered(|| client.cancel_drop(request.clone())).await?;
    Ok(cancelled.drop.unwrap())
}

fn kept(of: &v1::DropItem, item: v1::ScheduleDropItem) -> v1::UpdateDropItem {
    v1::UpdateDropItem {
        item_id: of.item_id.clone(),
        item: Some(item),
    }
}

fn new(item: v1::ScheduleDropItem) -> v1::UpdateDropItem {
    v1::UpdateDropItem {
        item_id: String::new(),
        item: Some(item),
    }
}

#[tokio::test]
async fn what_the_mask_names_is_changed_and_nothing_else() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = far_drop(&creator).await;
    // All fields are given, one is named.
    let all = v1::UpdateDropRequest {
        title: "Another".into(),
        description: "In one line".into(),
        items: vec![new(item(1, 1))],
        limit_per_buyer: 3,
        opens_at: after(2 * HOUR),
        ends_at: after(3 * HOUR),
        hold_duration: Some(Duration::from_secs(60).try_into().unwrap()),
        low_stock_threshold: 2,
        ..change(&drop, &[])
    };
    let named = |path: &str| v1::UpdateDropRequest {
        update_mask: change(&drop, &[path]).update_mask,
        ..all.clone()
    };
    let mut expected = drop.clone();
    let mut etags = vec![drop.etag.clone()];
    for path in [
        "title",
        "description",
        "limit_per_buyer",
        // Before the other: it may open an hour later only if it ends later.
        "ends_at",
        "opens_at",
        "hold_duration",
        "low_stock_threshold",
    ] {
        let changed = update(&creator, named(path)).await.unwrap();
        match path {
            "title" => expected.title.clone_from(&all.title),
            "description" => expected.description.clone_from(&all.description),
            "limit_per_buyer" => expected.limit_per_buyer = all.limit_per_buyer,
            "ends_at" => expected.ends_at = changed.ends_at,
            "opens_at" => expected.opens_at = changed.opens_at,
            "hold_duration" => expected.hold_duration = all.hold_duration,
            _ => expected.low_stock_threshold = all.low_stock_threshold,
        }
        assert!(!etags.contains(&changed.etag), "{path}");
        expected.etag.clone_from(&changed.etag);
        assert_eq!(changed, expected, "{path}");
        assert_eq!(get_drop(&server.stranger(), &drop).await, expected);
        etags.push(changed.etag);
        // Again: nothing is left to do, so the etag of before does not matter.
        let again = v1::UpdateDropRequest {
            etag: drop.etag.clone(),
            ..named(path)
        };
        assert_eq!(update(&creator, again).await.unwrap(), expected, "{path}");
    }
    assert_eq!(
        expected.opens_at.unwrap().seconds,
        all.opens_at.unwrap().seconds
    );
    server.stop().await;
}

#[tokio::test]
async fn items_keep_their_ids_and_new_ones_get_theirs() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = far_drop(&creator).await;
    let [first, second] = [0, 1].map(|at| drop.items[at].clone());
    let items = |items: Vec<v1::UpdateDropItem>| v1::UpdateDropRequest {
        items,
        ..change(&drop, &["items"])
    };
    // In another order, one changed, one new between them.
    let wish = items(vec![
        kept(&second, item(0, 7)),
        new(item(999, 1)),
        kept(&first, item(300, 50)),
    ]);
    let changed = update(&creator, wish.clone()).await.unwrap();
    let ids: Vec<_> = changed.items.iter().map(|it| &it.item_id).collect();
    assert_eq!((ids[0], ids[2]), (&second.item_id, &first.item_id));
    assert!(ids[1] != ids[0] && ids[1] != ids[2] && ids[1].len() == 36);
    let stocks = [0, 1, 2].map(|at| stock(&changed, at).0);
    assert_eq!(stocks, [7, 1, 50]);
    assert_eq!(
        changed.items[2].unit_price.as_ref().unwrap().amount_minor,
        300
    );
    assert_eq!(update(&creator, wish).await.unwrap(), changed, "a repeat");

    // What is not named goes; another currency for all that is left.
    let price = |amount_minor| v1::Money {
        currency_code: "JPY".into(),
        amount_minor,
    };
    let in_yen = v1::ScheduleDropItem {
        unit_price: Some(price(300)),
        ..item(0, 50)
    };
    let wish = items(vec![kept(&first, in_yen.clone())]);
    let changed = update(&creator, wish).await.unwrap();
    assert_eq!(changed.items.len(), 1);
    assert_eq!(changed.items[0].unit_price, Some(price(300)));
    // The second item is gone for good.
    let wish = items(vec![kept(&second, in_yen.clone()), new(in_yen)]);
    let error = update(&creator, wish).await.unwrap_err();
    assert_eq!(error.violations()[0].field, "items[0].item_id");
    assert_eq!(get_drop(&creator, &drop).await, changed);
    server.stop().await;
}

/// The fields that a refused request names, in order.
async fn fields(client: &Client, request: v1::UpdateDropRequest) -> Vec<String> {
    let error = update(client, request).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
    let mut fields: Vec<_> = error
        .violations()
        .iter()
        .map(|violation| violation.field.clone())
        .collect();
    fields.sort();
    fields
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_nothing_is_changed() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = far_drop(&creator).await;
    let request = v1::UpdateDropRequest {
        drop_id: "x".into(),
        etag: "e".repeat(101),
        title: String::new(),
        description: "x".repeat(5_001),
        items: vec![
            kept(&drop.items[0], item(1, 0)),
            kept(&drop.items[0], item(1, 1)),
            v1::UpdateDropItem {
                item_id: "y".into(),
                item: None,
            },
        ],
        limit_per_buyer: -1,
        hold_duration: Some(Duration::from_secs(29).try_into().unwrap()),
        low_stock_threshold: 10_000_001,
        ..change(
            &drop,
            &[
                "title",
                "description",
                "items",
                "limit_per_buyer",
                "opens_at",
                "ends_at",
                "hold_duration",
                "low_stock_threshold",
                "created_at",
                "*",
            ],
        )
    };
    let expected = [
        "description",
        "drop_id",
        "ends_at",
        "etag",
        "hold_duration",
        "items[0].item.stock",
        "items[1].item_id",
        "items[2].item.stock",
        "items[2].item.title",
        "items[2].item.unit_price",
        "items[2].item_id",
        "limit_per_buyer",
        "low_stock_threshold",
        "opens_at",
        "title",
        "update_mask.paths[8]",
        "update_mask.paths[9]",
    ];
    assert_eq!(fields(&creator, request).await, expected);
    assert_eq!(fields(&creator, change(&drop, &[])).await, ["update_mask"]);
    let without = v1::UpdateDropRequest {
        update_mask: None,
        ..new_title(&drop, "Another")
    };
    assert_eq!(fields(&creator, without).await, ["update_mask"]);
    let none = change(&drop, &["items"]);
    assert_eq!(fields(&creator, none).await, ["items"]);

    // Times and items that the drop as it is does not allow, all at once.
    let wish = v1::UpdateDropRequest {
        opens_at: after(3 * HOUR),
        items: vec![v1::UpdateDropItem {
            item_id: request_id(),
            item: Some(item(1, 1)),
        }],
        ..change(&drop, &["opens_at", "items"])
    };
    assert_eq!(
        fields(&creator, wish).await,
        ["ends_at", "items[0].item_id"]
    );
    for (opens_at, field) in [
        (after(HOUR * 24 * 367), "opens_at"),
        (drop.ends_at, "ends_at"),
    ] {
        assert!(
            fields(&creator, moved(&drop, opens_at))
                .await
                .contains(&field.to_owned())
        );
    }
    let past = Some(Timestamp::default());
    for ends_at in [past, drop.opens_at, after(HOUR * 24 * 32)] {
        let wish = v1::UpdateDropRequest {
            ends_at,
            ..change(&drop, &["ends_at"])
        };
        assert_eq!(fields(&creator, wish).await, ["ends_at"]);
    }
    assert_eq!(get_drop(&creator, &drop).await, drop);
    server.stop().await;
}

#[tokio::test]
async fn only_the_owner_changes_a_drop_that_exists() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let drop = far_drop(&creator).await;
    let wish = new_title(&drop, "Mine");
    let refused = update(&other, wish.clone()).await;
    assert_eq!(reason(refused), "NOT_OWNER");
    let refused = update(&server.stranger(), wish).await;
    assert_eq!(reason(refused), "UNAUTHENTICATED");
    let nothing = v1::Drop {
        drop_id: request_id(),
        ..Default::default()
    };
    let refused = update(&creator, new_title(&nothing, "Mine")).await;
    assert_eq!(reason(refused), "DROP_NOT_FOUND");
    assert_eq!(get_drop(&creator, &drop).await, drop);
    server.stop().await;
}

#[tokio::test]
async fn after_the_freeze_the_terms_stay_and_the_texts_change() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 5)]).await;
    assert!(drop.frozen);
    let terms = v1::UpdateDropRequest {
        title: "Another".into(),
        limit_per_buyer: 1,
        ..change(&drop, &["title", "limit_per_buyer"])
    };
    let refused = update(&creator, terms).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.reason_text(), Some("DROP_FROZEN"));
    assert_eq!(refused.metadata()["dropId"], drop.drop_id);
    let other_item = v1::UpdateDropRequest {
        items: vec![kept(
            &drop.items[0],
            v1::ScheduleDropItem {
                title: "Something else".into(),
                ..item(0, 5)
            },
        )],
        ..change(&drop, &["items"])
    };
    for wish in [other_item, moved(&drop, after(HOUR))] {
        assert_eq!(reason(update(&creator, wish).await), "DROP_FROZEN");
    }
    assert_eq!(get_drop(&creator, &drop).await, drop);

    // The etag is that of the answer to `ScheduleDrop`; a term that stays as it is does not hinder.
    let texts = v1::UpdateDropRequest {
        etag: drop.etag.clone(),
        title: "Another".into(),
        description: "New".into(),
        ..change(&drop, &["title", "description", "limit_per_buyer"])
    };
    let changed = update(&creator, texts).await.unwrap();
    let expected = v1::Drop {
        title: "Another".into(),
        description: "New".into(),
        etag: changed.etag.clone(),
        ..drop.clone()
    };
    assert_eq!(changed, expected);
    assert_ne!(changed.etag, drop.etag);
    assert_eq!(get_drop(&buyer, &drop).await, expected);
    // The ledger goes on as it was.
    place(&buyer, &drop, &[(0, 2)]).await.unwrap();
    assert_eq!(stock(&get_drop(&buyer, &drop).await, 0), (3, 0, 2));

    let end = v1::EndDropRequest {
        drop_id: drop.drop_id.clone(),
    };
    answered(|| creator.end_drop(end.clone())).await.unwrap();
    for wish in [new_title(&drop, "Too late"), moved(&drop, after(HOUR))] {
        assert_eq!(reason(update(&creator, wish).await), "DROP_ENDED");
    }
    let over = get_drop(&buyer, &drop).await;
    assert_eq!(
        (over.title.as_str(), over.state()),
        ("Another", DropState::Ended)
    );
    // A repeat of what was done before is answered.
    let repeat = update(&creator, new_title(&drop, "Another")).await;
    assert_eq!(repeat.unwrap(), over);
    server.stop().await;
}

#[tokio::test]
async fn a_cancelled_drop_stays_as_it_is() {
    let server = Server::start().await;
    let creator = server.creator().await;
    for drop in [
        far_drop(&creator).await,
        open_drop(&creator, &[(0, 5)]).await,
    ] {
        let cancelled = cancel(&creator, &drop).await.unwrap();
        for wish in [new_title(&drop, "Too late"), moved(&drop, after(2 * HOUR))] {
            assert_eq!(reason(update(&creator, wish).await), "DROP_CANCELLED");
        }
        assert_eq!(get_drop(&creator, &drop).await.title, cancelled.title);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stale_etag_changes_nothing() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = far_drop(&creator).await;
    let of = |etag: &str, title: &str| v1::UpdateDropRequest {
        etag: etag.to_owned(),
        ..new_title(&drop, title)
    };
    let second = update(&creator, of(&drop.etag, "Second")).await.unwrap();
    for etag in [
        drop.etag.as_str(),
        "forged",
        "0",
        "-1",
        "99999999999999999999",
    ] {
        let error = update(&creator, of(etag, "Third")).await.unwrap_err();
        assert_eq!(
            (error.code(), error.reason_text()),
            (Code::Aborted, Some("STALE_ETAG"))
        );
        assert_eq!(error.metadata()["dropId"], drop.drop_id);
    }
    assert_eq!(get_drop(&creator, &drop).await, second);
    let third = update(&creator, of(&second.etag, "Third")).await.unwrap();
    assert_eq!(third.title, "Third");
    server.stop().await;
}
