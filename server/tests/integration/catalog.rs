//! Products: made, changed, archived, listed, and sold in drops.

mod bad_input;
mod drops;

use std::sync::Arc;

use futures::future::join_all;
use livedrop::{Client, Code, Error, Uuid, prost_types::FieldMask, v1};
use livedrop_server::{
    app::Parts,
    events::{Payload, RecordingSink},
};

use crate::{
    follows::id_of,
    harness::{Server, answered, create_product, eventually, product_request, reason, request_id},
};

/// An update of these fields, if the product still has its etag.
pub(crate) fn update_of(product: &v1::Product, paths: &[&str]) -> v1::UpdateProductRequest {
    let product = product.clone();
    v1::UpdateProductRequest {
        product_id: product.product_id,
        title: product.title,
        description: product.description,
        tags: product.tags,
        attributes: product.attributes,
        price: product.price,
        variants: product.variants,
        image_ids: product.images.into_iter().map(|it| it.image_id).collect(),
        etag: product.etag,
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
    }
}

async fn update(
    creator: &Client,
    product: &v1::Product,
    paths: &[&str],
) -> Result<v1::Product, Error> {
    let request = update_of(product, paths);
    let answer = answered(|| creator.update_product(request.clone())).await?;
    Ok(answer.product.unwrap())
}

async fn get(client: &Client, product_id: &str) -> Result<v1::Product, Error> {
    let request = v1::GetProductRequest {
        product_id: product_id.to_owned(),
    };
    let answer = answered(|| client.get_product(request.clone())).await?;
    Ok(answer.product.unwrap())
}

async fn archive(client: &Client, product_id: &str) -> Result<v1::Product, Error> {
    let request = v1::ArchiveProductRequest {
        product_id: product_id.to_owned(),
    };
    let answer = answered(|| client.archive_product(request.clone())).await?;
    Ok(answer.product.unwrap())
}

fn list_of(creator_id: &str, status: v1::ProductStatus) -> v1::ListProductsRequest {
    v1::ListProductsRequest {
        creator_id: creator_id.to_owned(),
        status: status.into(),
        ..Default::default()
    }
}

/// The titles of all pages of a creator's products.
async fn titles(
    client: &Client,
    creator_id: &str,
    status: v1::ProductStatus,
    page_size: i32,
) -> Vec<String> {
    let (mut titles, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListProductsRequest {
            page_size,
            page_token,
            ..list_of(creator_id, status)
        };
        let page = answered(|| client.list_products(request.clone())).await;
        let page = page.unwrap();
        assert!(page.products.len() <= 50);
        titles.extend(page.products.into_iter().map(|it| it.title));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return titles;
        }
    }
}

#[tokio::test]
async fn products_are_made_once_and_read_by_anyone() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let request = v1::CreateProductRequest {
        tags: [" Shirt ", "COTTON", "cotton", "\u{c4}RMEL"]
            .map(str::to_owned)
            .into(),
        ..product_request()
    };
    let product = create_product(&creator, request.clone()).await;
    assert_eq!(product.creator_id, id_of(&creator).await);
    assert_eq!(product.title, "Shirt");
    assert_eq!(product.tags, ["shirt", "cotton", "\u{e4}rmel"]);
    assert_eq!(product.attributes, request.attributes);
    assert_eq!(product.price, request.price);
    assert_eq!(product.status(), v1::ProductStatus::Active);
    assert_eq!(product.created_at, product.updated_at);
    for (made, wished) in product.variants.iter().zip(&request.variants) {
        let wished = v1::ProductVariant {
            variant_id: made.variant_id.clone(),
            ..wished.clone()
        };
        assert_eq!(*made, wished);
        assert!(made.variant_id.parse::<Uuid>().is_ok());
    }
    assert_ne!(
        product.variants[0].variant_id,
        product.variants[1].variant_id
    );

    assert_eq!(create_product(&creator, request.clone()).await, product);
    let stranger = server.stranger();
    assert_eq!(get(&stranger, &product.product_id).await.unwrap(), product);
    let mut others = [request.clone(), request.clone(), request.clone(), request];
    others[0].title.push('x');
    others[1].attributes[0].value.push('x');
    others[2].variants[1].price = None;
    others[3].variants[0].options[0].value.push('x');
    for other in others {
        let answer = creator.create_product(other).await;
        assert_eq!(reason(answer), "REQUEST_ID_REUSED");
    }
    // Somebody else's ids are somebody else's.
    let another = server.creator().await;
    let same_id = v1::CreateProductRequest {
        request_id: product.product_id.clone(),
        ..product_request()
    };
    let theirs = create_product(&another, same_id.clone()).await;
    let ours = create_product(&creator, same_id).await;
    assert_ne!(theirs.product_id, ours.product_id);
    server.stop().await;
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_variants_keep_their_ids() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let first = create_product(&creator, product_request()).await;
    let wish = v1::Product {
        title: "Jumper".into(),
        description: "not named".into(),
        tags: vec!["WOOL".into()],
        ..first.clone()
    };
    let second = update(&creator, &wish, &["title", "tags"]).await;
    let second = second.unwrap();
    let expected = v1::Product {
        title: "Jumper".into(),
        tags: vec!["wool".into()],
        etag: second.etag.clone(),
        updated_at: second.updated_at,
        ..first.clone()
    };
    assert_eq!(second, expected);
    assert_ne!(second.etag, first.etag);
    // A repeat has an old etag by then.
    let again = update(&creator, &wish, &["title", "tags"]).await;
    assert_eq!(again.unwrap(), second);

    let [medium, large] = [0, 1].map(|at| second.variants[at].clone());
    let small = v1::ProductVariant {
        variant_id: String::new(),
        title: "S".into(),
        ..medium.clone()
    };
    let larger = v1::ProductVariant {
        sku: "NEW".into(),
        ..large.clone()
    };
    let wish = v1::Product {
        variants: vec![larger, small],
        ..second.clone()
    };
    let third = update(&creator, &wish, &["variants"]).await.unwrap();
    assert_eq!(third.variants[0].variant_id, large.variant_id);
    assert_eq!(third.variants[0].sku, "NEW");
    let new_id = &third.variants[1].variant_id;
    assert!(![&medium.variant_id, &large.variant_id].contains(&new_id));
    let again = update(&creator, &wish, &["variants"]).await.unwrap();
    assert_eq!(again, third, "a repeat makes no new variant");
    assert_eq!(get(&creator, &first.product_id).await.unwrap(), third);

    let stale = v1::Product {
        title: "Too late".into(),
        ..second
    };
    let error = update(&creator, &stale, &["title"]).await.unwrap_err();
    assert_eq!(error.code(), Code::Aborted);
    assert_eq!(error.reason_text(), Some("STALE_ETAG"));
    assert_eq!(error.metadata()["etag"], third.etag);
    assert_eq!(error.metadata()["productId"], third.product_id);
    for etag in ["0", "x", "999"] {
        let etag = etag.to_owned();
        let wish = v1::Product {
            etag,
            ..stale.clone()
        };
        assert_eq!(
            reason(update(&creator, &wish, &["title"]).await),
            "STALE_ETAG"
        );
    }
    let any = v1::Product {
        etag: String::new(),
        ..stale
    };
    let fourth = update(&creator, &any, &["title"]).await.unwrap();
    assert_eq!(fourth.title, "Too late");
    assert_eq!(fourth.variants, third.variants);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_updates_of_one_etag_one_is_made() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let product = create_product(&creator, product_request()).await;
    let wishes: Vec<_> = (0..16)
        .map(|number| v1::Product {
            title: format!("Title {number}"),
            ..product.clone()
        })
        .collect();
    let calls = wishes.iter().map(|wish| update(&creator, wish, &["title"]));
    let answers = join_all(calls).await;
    let won: Vec<_> = answers.iter().filter_map(|it| it.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    for error in answers.iter().filter_map(|it| it.as_ref().err()) {
        assert_eq!(error.reason_text(), Some("STALE_ETAG"));
    }
    assert_eq!(get(&creator, &product.product_id).await.unwrap(), *won[0]);
    server.stop().await;
}

#[tokio::test]
async fn archived_products_are_their_creators_to_see_in_lists() {
    use v1::ProductStatus::{Active, Archived, Unspecified};
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let (stranger, creator_id) = (server.stranger(), id_of(&creator).await);
    assert_eq!(titles(&stranger, &creator_id, Active, 0).await, [""; 0]);
    let mut ids = Vec::new();
    for title in ["A", "B", "C", "D", "E"] {
        let request = v1::CreateProductRequest {
            title: title.into(),
            ..product_request()
        };
        ids.push(create_product(&creator, request).await.product_id);
    }
    eventually(async || {
        let all = titles(&stranger, &creator_id, Unspecified, 2).await;
        (all == ["E", "D", "C", "B", "A"]).then_some(())
    })
    .await;
    for _ in 0..2 {
        let archived = archive(&creator, &ids[1]).await.unwrap();
        assert_eq!(archived.status(), Archived);
        assert_eq!(get(&stranger, &ids[1]).await.unwrap(), archived);
    }
    archive(&creator, &ids[4]).await.unwrap();
    for page_size in [1, 2, 0] {
        let active = titles(&other, &creator_id, Active, page_size).await;
        assert_eq!(active, ["D", "C", "A"], "{page_size}");
        let archived = titles(&creator, &creator_id, Archived, page_size).await;
        assert_eq!(archived, ["E", "B"], "{page_size}");
    }
    let mut pages = stranger.product_pages(&creator_id, Active);
    assert_eq!(pages.next().await.unwrap().unwrap().len(), 3);
    assert!(pages.next().await.unwrap().is_none());

    let hidden = list_of(&creator_id, Archived);
    let error = other.list_products(hidden.clone()).await.unwrap_err();
    assert_eq!(error.reason_text(), Some("NOT_OWNER"));
    assert_eq!(error.metadata()["creatorId"], creator_id);
    let answer = stranger.list_products(hidden).await;
    assert_eq!(reason(answer), "UNAUTHENTICATED");
    let product = get(&creator, &ids[1]).await.unwrap();
    let wish = v1::Product {
        title: "New".into(),
        ..product.clone()
    };
    let error = update(&creator, &wish, &["title"]).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(error.reason_text(), Some("PRODUCT_ARCHIVED"));
    assert_eq!(error.metadata()["productId"], ids[1]);
    let nothing_new = update(&creator, &product, &["title"]).await;
    assert_eq!(nothing_new.unwrap(), product);
    server.stop().await;
}

#[tokio::test]
async fn refusals_of_products_say_why() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let person = server.person().await;
    let answer = person.create_product(product_request()).await;
    assert_eq!(reason(answer), "NOT_CREATOR");
    let product = create_product(&creator, product_request()).await;
    for answer in [
        update(&other, &product, &["title"]).await,
        update(&person, &product, &["title"]).await,
        archive(&other, &product.product_id).await,
    ] {
        let error = answer.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied);
        assert_eq!(error.reason_text(), Some("NOT_OWNER"));
        assert_eq!(error.metadata()["productId"], product.product_id);
    }
    let unknown = v1::Product {
        product_id: request_id(),
        ..product.clone()
    };
    for answer in [
        get(&creator, &unknown.product_id).await,
        update(&creator, &unknown, &["title"]).await,
        archive(&creator, &unknown.product_id).await,
    ] {
        let error = answer.unwrap_err();
        assert_eq!(error.code(), Code::NotFound);
        assert_eq!(error.reason_text(), Some("PRODUCT_NOT_FOUND"));
        assert_eq!(error.metadata()["productId"], unknown.product_id);
    }
    let stranger = server.stranger();
    for answer in [
        stranger
            .update_product(update_of(&product, &["title"]))
            .await
            .map(drop),
        stranger.create_product(product_request()).await.map(drop),
        archive(&stranger, &product.product_id).await.map(drop),
    ] {
        assert_eq!(reason(answer), "UNAUTHENTICATED");
    }
    let nobody = list_of(&id_of(&person).await, v1::ProductStatus::Active);
    let answer = stranger.list_products(nobody).await;
    assert_eq!(reason(answer), "CREATOR_NOT_FOUND");
    assert_eq!(get(&creator, &product.product_id).await.unwrap(), product);
    server.stop().await;
}

#[tokio::test]
async fn products_are_told_of() {
    let sink = Arc::new(RecordingSink::default());
    let parts = Parts {
        sinks: vec![Arc::<RecordingSink>::clone(&sink)],
        ..Parts::default()
    };
    let server = Server::start_with_parts(|_| (), parts).await;
    let creator = server.creator().await;
    let product = create_product(&creator, product_request()).await;
    let told = || {
        let ours = |id: &str| id == format!("product/{}/1", product.product_id);
        let events = sink.events();
        let mut events = events.iter().filter(|event| ours(&event.event_id));
        events.find_map(|event| match &event.payload {
            Some(Payload::ProductCreated(created)) => created.product.clone(),
            Some(_) | None => None,
        })
    };
    let announced = eventually(async || told()).await;
    assert_eq!(
        (announced.title, announced.tags),
        (product.title.clone(), product.tags.clone())
    );
    archive(&creator, &product.product_id).await.unwrap();
    let archived = format!("product/{}/2", product.product_id);
    eventually(async || {
        let events = sink.events();
        events
            .iter()
            .any(|it| it.event_id == archived)
            .then_some(())
    })
    .await;
    server.stop().await;
}
