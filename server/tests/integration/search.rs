//! What is found: products and drops, by words and filters, a moment after they changed.

mod bad_input;

use std::{collections::BTreeSet, time::Duration};

use livedrop::{Client, v1};

use crate::{
    catalog::update_of,
    follows::id_of,
    harness::{
        Server, after, answered, create_product, drop_request, eventually, home::Home, item,
        keyspace, open_drop, place, process::done, product_request, request_id, schedule,
    },
};

/// Products that say this.
fn products_of(text: &str) -> v1::SearchProductsRequest {
    v1::SearchProductsRequest {
        text: text.to_owned(),
        ..Default::default()
    }
}

/// Drops that say this.
fn drops_of(text: &str) -> v1::SearchDropsRequest {
    v1::SearchDropsRequest {
        text: text.to_owned(),
        ..Default::default()
    }
}

async fn titled(creator: &Client, title: &str) -> v1::Product {
    let request = v1::CreateProductRequest {
        title: title.to_owned(),
        ..product_request()
    };
    create_product(creator, request).await
}

/// The titles found, on all pages, in their order.
async fn titles(client: &Client, request: v1::SearchProductsRequest) -> Option<Vec<String>> {
    let found = futures::TryStreamExt::try_collect(client.products_found(request));
    let found: Vec<v1::Product> = found.await.ok()?;
    Some(found.into_iter().map(|it| it.title).collect())
}

async fn drop_titles(client: &Client, request: v1::SearchDropsRequest) -> Option<Vec<String>> {
    let found = futures::TryStreamExt::try_collect(client.drops_found(request));
    let found: Vec<v1::Drop> = found.await.ok()?;
    Some(found.into_iter().map(|it| it.title).collect())
}

/// Waits until exactly these are found.
async fn finds(client: &Client, request: &v1::SearchProductsRequest, expected: &[&str]) {
    eventually(|| async {
        let found = titles(client, request.clone()).await?;
        (found == expected).then_some(())
    })
    .await;
}

async fn finds_drops(client: &Client, request: &v1::SearchDropsRequest, expected: &[&str]) {
    eventually(|| async {
        let found = drop_titles(client, request.clone()).await?;
        (found == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn products_are_found_as_they_are_now() {
    let server = Server::start().await;
    let (creator, reader) = (server.creator().await, server.stranger());
    titled(&creator, "Cotton shirt").await;
    let hat = v1::CreateProductRequest {
        title: "Hat".to_owned(),
        description: "Goes with every shirt, and has no cotton in it".to_owned(),
        tags: vec!["Wool".to_owned()],
        ..product_request()
    };
    let hat = create_product(&creator, hat).await;
    finds(
        &reader,
        &products_of("SHIRT cott"),
        &["Cotton shirt", "Hat"],
    )
    .await;
    finds(&reader, &products_of(""), &["Hat", "Cotton shirt"]).await;
    finds(&reader, &products_of("shirt -cotton NOT"), &[]).await;
    let by_tag = v1::SearchProductsRequest {
        tag: " WOOL ".to_owned(),
        ..Default::default()
    };
    finds(&reader, &by_tag, &["Hat"]).await;
    // A variant's own price counts, and no price in between two.
    let priced = |min, max| {
        let euros = |amount_minor| v1::Money {
            currency_code: "EUR".into(),
            amount_minor,
        };
        v1::SearchProductsRequest {
            min_price: Some(euros(min)),
            max_price: Some(euros(max)),
            ..products_of("hat")
        }
    };
    finds(&reader, &priced(2_199, 3_000), &["Hat"]).await;
    finds(&reader, &priced(2_000, 2_198), &[]).await;

    let renamed = v1::Product {
        title: "Cap".to_owned(),
        ..hat.clone()
    };
    let request = update_of(&renamed, &["title"]);
    let renamed = answered(|| creator.update_product(request.clone())).await;
    let renamed = renamed.unwrap().product.unwrap();
    finds(&reader, &products_of("cap"), &["Cap"]).await;
    finds(&reader, &products_of("hat"), &[]).await;

    let archive = v1::ArchiveProductRequest {
        product_id: renamed.product_id.clone(),
    };
    answered(|| creator.archive_product(archive.clone()))
        .await
        .unwrap();
    finds(&reader, &products_of("cap"), &[]).await;
    let archived = v1::SearchProductsRequest {
        creator_id: renamed.creator_id.clone(),
        status: v1::ProductStatus::Archived.into(),
        ..products_of("cap")
    };
    finds(&creator, &archived, &["Cap"]).await;
}

#[tokio::test]
async fn drops_are_buyable_while_they_can_be_bought() {
    let server = Server::start().await;
    let (creator, reader) = (server.creator().await, server.stranger());
    let named = |title: &str| v1::ScheduleDropRequest {
        title: title.to_owned(),
        ..drop_request(vec![v1::ScheduleDropItem {
            title: "Mug".to_owned(),
            ..item(0, 1)
        }])
    };
    let live = schedule(&creator, named("Live one")).await;
    let ended = schedule(&creator, named("Ended one")).await;
    let later = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(86_400)),
        ends_at: after(Duration::from_secs(90_000)),
        ..named("Later one")
    };
    let later = schedule(&creator, later).await;
    let buyable = v1::SearchDropsRequest {
        buyable: true,
        ..drops_of("mug")
    };
    finds_drops(&reader, &buyable, &["Ended one", "Live one"]).await;
    finds_drops(
        &reader,
        &drops_of("mug"),
        &["Later one", "Ended one", "Live one"],
    )
    .await;
    let scheduled = v1::SearchDropsRequest {
        state: v1::DropState::Scheduled.into(),
        ..Default::default()
    };
    finds_drops(&reader, &scheduled, &["Later one"]).await;

    let end = v1::EndDropRequest {
        drop_id: ended.drop_id.clone(),
    };
    answered(|| creator.end_drop(end.clone())).await.unwrap();
    finds_drops(&reader, &buyable, &["Live one"]).await;
    let over = v1::SearchDropsRequest {
        state: v1::DropState::Ended.into(),
        ..drops_of("mug")
    };
    finds_drops(&reader, &over, &["Ended one"]).await;
    let soon = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(10)),
        ..named("Soon one")
    };
    let soon = schedule(&creator, soon).await;
    finds_drops(&reader, &scheduled, &["Later one", "Soon one"]).await;
    finds_drops(&reader, &buyable, &["Soon one", "Live one"]).await;
    let buyer = server.person().await;
    place(&buyer, &soon, &[(0, 1)]).await.unwrap();
    finds_drops(&reader, &buyable, &["Live one"]).await;
    let restock = v1::RestockDropRequest {
        request_id: request_id(),
        drop_id: soon.drop_id.clone(),
        item_id: soon.items[0].item_id.clone(),
        unit_count: 1,
        reason: "more came".to_owned(),
    };
    answered(|| creator.restock_drop(restock.clone()))
        .await
        .unwrap();
    finds_drops(&reader, &buyable, &["Soon one", "Live one"]).await;
    place(&buyer, &soon, &[(0, 1)]).await.unwrap();
    place(&server.person().await, &live, &[(0, 1)])
        .await
        .unwrap();
    finds_drops(&reader, &buyable, &[]).await;
    // What is sold out is found all the same, with its stock and its creator.
    let found = eventually(|| async { reader.search_drops(drops_of("live")).await.ok() }).await;
    let [found] = found.drops.try_into().unwrap();
    assert!(found.sold_out);
    assert_eq!(found.creator.unwrap().creator_id, live.creator_id);

    let cancel = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: later.drop_id.clone(),
    };
    answered(|| creator.cancel_drop(cancel.clone()))
        .await
        .unwrap();
    let mugs = ["Soon one", "Ended one", "Live one"];
    finds_drops(&reader, &drops_of("mug"), &mugs).await;
    let cancelled = v1::SearchDropsRequest {
        state: v1::DropState::Cancelled.into(),
        ..drops_of("mug")
    };
    finds_drops(&reader, &cancelled, &["Later one"]).await;
    let update = v1::UpdateDropRequest {
        drop_id: live.drop_id.clone(),
        title: "Renamed one".to_owned(),
        update_mask: Some(livedrop::prost_types::FieldMask {
            paths: vec!["title".to_owned()],
        }),
        ..Default::default()
    };
    answered(|| creator.update_drop(update.clone()))
        .await
        .unwrap();
    finds_drops(&reader, &drops_of("renamed"), &["Renamed one"]).await;
}

#[tokio::test]
async fn pages_have_each_once_while_others_come() {
    let server = Server::start().await;
    let (creator, reader) = (server.creator().await, server.stranger());
    let mut expected = BTreeSet::new();
    for number in 0..23 {
        let title = format!("Hat {number}");
        titled(&creator, &title).await;
        expected.insert(title);
    }
    let request = v1::SearchProductsRequest {
        page_size: 5,
        ..products_of("hat")
    };
    eventually(|| async {
        let found = titles(&reader, request.clone()).await?;
        (found.len() == 23).then_some(())
    })
    .await;
    let mut pages = reader.product_pages_found(request);
    let mut found = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        assert!(page.len() <= 5);
        found.extend(page.into_iter().map(|it| it.title));
        let title = format!("New hat {}", found.len());
        titled(&creator, &title).await;
        finds(&reader, &products_of(&title), &[&title]).await;
    }
    let distinct: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!(found.len(), distinct.len());
    assert_eq!(distinct, expected);
}

#[tokio::test]
async fn what_a_creator_left_behind_is_not_found() {
    let server = Server::start().await;
    let (gone, here, reader) = (
        server.creator().await,
        server.creator().await,
        server.stranger(),
    );
    titled(&gone, "Hat of one who goes").await;
    titled(&here, "Hat").await;
    let drop = open_drop(&gone, &[(0, 1)]).await;
    let end = v1::EndDropRequest {
        drop_id: drop.drop_id.clone(),
    };
    answered(|| gone.end_drop(end.clone())).await.unwrap();
    let hers = v1::SearchDropsRequest {
        creator_id: id_of(&gone).await,
        state: v1::DropState::Ended.into(),
        ..Default::default()
    };
    finds(
        &reader,
        &products_of("hat"),
        &["Hat", "Hat of one who goes"],
    )
    .await;
    finds_drops(&reader, &hers, &[&drop.title]).await;
    eventually(|| async {
        let request = v1::DeleteAccountRequest {
            password: crate::harness::sign_up_request().password,
        };
        gone.delete_account(request).await.ok()
    })
    .await;
    finds(&reader, &products_of("hat"), &["Hat"]).await;
    finds_drops(&reader, &hers, &[]).await;
}

/// By the process that comes next, with the old index or a new one; and by one beside it, if the store takes several.
#[tokio::test]
async fn every_process_finds_the_same() {
    let home = Home::new().await;
    let first = Server::at(&home).await;
    let creator = first.creator().await;
    titled(&creator, "Hat").await;
    finds(&first.stranger(), &products_of("hat"), &["Hat"]).await;
    if keyspace::database().is_some() {
        let folder = tempfile::tempdir().unwrap();
        let data = Some(folder.path().to_owned());
        let beside = Server::at_with(&home, |config| config.store.data = data).await;
        finds(&beside.stranger(), &products_of("hat"), &["Hat"]).await;
        titled(&creator, "Other hat").await;
        let both = ["Other hat", "Hat"];
        finds(&beside.stranger(), &products_of("hat"), &both).await;
        beside.stop().await;
    } else {
        titled(&creator, "Other hat").await;
    }
    first.stop().await;
    let both = ["Other hat", "Hat"];
    let second = Server::at(&home).await;
    finds(&second.stranger(), &products_of("hat"), &both).await;
    second.stop().await;

    done(home.tool(&["rebuild"])).await;
    let third = Server::at(&home).await;
    finds(&third.stranger(), &products_of("hat"), &both).await;
    third.stop().await;
}
