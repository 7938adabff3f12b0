//! Pictures of products: sent by plain HTTP, taken by products, shown for good.

mod bucket;
mod refusals;

use std::time::{Duration, SystemTime};

use livedrop::{Client, Error, Uuid, v1};
use reqwest::{Response, StatusCode};

use crate::{
    catalog::update_of,
    follows::id_of,
    harness::{
        Server, create_product, drop_request, get_drop, home::Home, product_request, request_id,
        schedule,
    },
};

/// Right in all that is looked at: its header, no pixels, its end.
fn png(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &[0; 4]].concat()
    };
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(b"IHDR", &[&sides[..], &[8, 6, 0, 0, 0]].concat());
    [&b"\x89PNG\r\n\x1a\n"[..], &header, &chunk(b"IEND", b"")].concat()
}

fn upload_request(content_type: &str, size: usize) -> v1::CreateImageUploadRequest {
    v1::CreateImageUploadRequest {
        request_id: request_id(),
        content_type: content_type.into(),
        size_bytes: i32::try_from(size).unwrap(),
    }
}

/// An upload for a picture of these bytes.
async fn upload_of(creator: &Client, bytes: &[u8]) -> v1::CreateImageUploadResponse {
    let request = upload_request("image/png", bytes.len());
    creator.create_image_upload(request).await.unwrap()
}

/// Sends bytes as the answer says.
async fn send(upload: &v1::CreateImageUploadResponse, bytes: &[u8]) -> Response {
    let mut request = reqwest::Client::new().put(&upload.upload_url);
    for (name, value) in &upload.headers {
        request = request.header(name, value);
    }
    request.body(bytes.to_vec()).send().await.unwrap()
}

/// A picture that was sent.
async fn sent(creator: &Client, bytes: &[u8]) -> String {
    let upload = upload_of(creator, bytes).await;
    assert_eq!(send(&upload, bytes).await.status(), StatusCode::OK);
    upload.image_id
}

fn product_with(image_ids: &[&String]) -> v1::CreateProductRequest {
    v1::CreateProductRequest {
        image_ids: image_ids.iter().map(|id| (*id).clone()).collect(),
        ..product_request()
    }
}

/// Gives a product these pictures.
async fn dress(
    creator: &Client,
    product: &v1::Product,
    image_ids: &[&String],
) -> Result<v1::Product, Error> {
    let update = v1::UpdateProductRequest {
        image_ids: image_ids.iter().map(|id| (*id).clone()).collect(),
        etag: String::new(),
        ..update_of(product, &["image_ids"])
    };
    Ok(creator.update_product(update).await?.product.unwrap())
}

fn ids(product: &v1::Product) -> Vec<&String> {
    product.images.iter().map(|it| &it.image_id).collect()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_picture_is_sent_taken_and_shown() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let bytes = png(800, 600);
    let upload = upload_of(&creator, &bytes).await;
    assert!(upload.image_id.parse::<Uuid>().is_ok());
    assert_eq!(upload.headers["Content-Type"], "image/png");
    let expires_at = SystemTime::try_from(upload.expires_at.unwrap()).unwrap();
    let left = expires_at.duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(3_500) && left <= Duration::from_secs(3_600));
    assert_eq!(send(&upload, &bytes).await.status(), StatusCode::OK);

    let request = product_with(&[&upload.image_id]);
    let product = create_product(&creator, request.clone()).await;
    let [image] = &product.images[..] else {
        panic!("{product:?}");
    };
    let expected = v1::Image {
        image_id: upload.image_id.clone(),
        url: image.url.clone(),
        content_type: "image/png".into(),
        width: 800,
        height: 600,
        size_bytes: i32::try_from(bytes.len()).unwrap(),
    };
    assert_eq!(*image, expected);
    assert_eq!(create_product(&creator, request).await, product);

    // Anyone may see it, and every cache may keep it.
    let http = reqwest::Client::new();
    let answer = http.get(&image.url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let etag = header(&answer, "etag").to_owned();
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("content-length", &bytes.len().to_string()),
    ] {
        assert_eq!(header(&answer, name), value, "{name}");
    }
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    for tags in [&etag, "*", &format!("\"x\", W/{etag}")] {
        let again = http.get(&image.url).header("if-none-match", tags);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{tags}");
        assert_eq!(header(&again, "etag"), etag);
        assert_eq!(again.bytes().await.unwrap().len(), 0);
    }
    let other = http.get(&image.url).header("if-none-match", "\"x\"");
    assert_eq!(other.send().await.unwrap().status(), StatusCode::OK);
    let head = http.head(&image.url).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(header(&head, "content-type"), "image/png");

    // What is sent to the same URL later is nobody's.
    let other = png(1, 1);
    assert_eq!(send(&upload, &other).await.status(), StatusCode::OK);
    let dressed = dress(&creator, &product, &[]).await.unwrap();
    assert_eq!(dressed.images, []);
    let dressed = dress(&creator, &product, &[&upload.image_id])
        .await
        .unwrap();
    assert_eq!(dressed.images, product.images);
    let shown = http.get(&image.url).send().await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn pictures_have_an_order_and_stand_in_drops() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let [front, back, side] = [
        sent(&creator, &png(1, 1)).await,
        sent(&creator, &png(2, 1)).await,
        sent(&creator, &png(3, 1)).await,
    ];
    let product = create_product(&creator, product_with(&[&front, &back])).await;
    assert_eq!(ids(&product), [&front, &back]);
    let turned = dress(&creator, &product, &[&side, &back, &front])
        .await
        .unwrap();
    assert_eq!(ids(&turned), [&side, &back, &front]);
    assert_eq!(
        turned.images[1..],
        [product.images[1].clone(), product.images[0].clone()]
    );
    let again = [&back, &side, &front];
    let again = dress(&creator, &turned, &again).await.unwrap();
    assert_eq!(ids(&again), [&back, &side, &front]);
    let turned = [&side, &back, &front];
    let turned = dress(&creator, &product, &turned).await.unwrap();
    assert_eq!(ids(&turned), [&side, &back, &front]);
    // The same again changes nothing, another field leaves them.
    let same = dress(&creator, &product, &[&side, &back, &front])
        .await
        .unwrap();
    assert_eq!(same.etag, turned.etag);
    let renamed = v1::Product {
        title: "Jumper".into(),
        images: Vec::new(),
        ..turned.clone()
    };
    let renamed = creator
        .update_product(update_of(&renamed, &["title"]))
        .await;
    assert_eq!(renamed.unwrap().product.unwrap().images, turned.images);
    // One picture may be in two products.
    let twin = create_product(&creator, product_with(&[&side])).await;
    assert_eq!(twin.images[0], turned.images[0]);

    let item = v1::ScheduleDropItem {
        product_id: twin.product_id.clone(),
        variant_id: twin.variants[0].variant_id.clone(),
        stock: 5,
        ..Default::default()
    };
    let drop = schedule(&creator, drop_request(vec![item])).await;
    let shown = get_drop(&server.stranger(), &drop).await;
    assert_eq!(shown.products[0].images, twin.images);
}

#[tokio::test]
async fn a_request_id_stands_for_one_picture() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let bytes = png(5, 5);
    let request = upload_request("image/png", bytes.len());
    let ask = |client: &Client| {
        let (client, request) = (client.clone(), request.clone());
        async move { client.create_image_upload(request).await.unwrap() }
    };
    let [first, again, theirs] = [ask(&creator).await, ask(&creator).await, ask(&other).await];
    assert_eq!(first.image_id, again.image_id);
    assert_ne!(first.image_id, theirs.image_id);
    // Each URL works; the picture is one.
    assert_eq!(send(&again, &bytes).await.status(), StatusCode::OK);
    let product = create_product(&creator, product_with(&[&first.image_id])).await;
    assert_eq!(ids(&product), [&first.image_id]);
    for other in [
        v1::CreateImageUploadRequest {
            content_type: "image/webp".into(),
            ..request.clone()
        },
        v1::CreateImageUploadRequest {
            size_bytes: request.size_bytes + 1,
            ..request.clone()
        },
    ] {
        let answer = creator.create_image_upload(other).await;
        assert_eq!(crate::harness::reason(answer), "REQUEST_ID_REUSED");
    }
}

#[tokio::test]
async fn pictures_outlast_the_server() {
    let home = Home::new().await;
    let server = Server::at(&home).await;
    let creator = server.creator().await;
    let (shown, waiting) = (png(3, 3), png(4, 4));
    let [shown_id, waiting_id] = [sent(&creator, &shown).await, sent(&creator, &waiting).await];
    let product = create_product(&creator, product_with(&[&shown_id])).await;
    let creator_id = id_of(&creator).await;
    let tokens = creator.tokens().unwrap();
    server.stop().await;

    let server = Server::at(&home).await;
    let creator = server.stranger().with_tokens(tokens);
    let product = dress(&creator, &product, &[&shown_id, &waiting_id])
        .await
        .unwrap();
    for (image, bytes) in product.images.iter().zip([shown, waiting]) {
        let base = format!("{}/media/images/{creator_id}/", server.endpoint());
        assert!(image.url.starts_with(&base), "{}", image.url);
        let found = reqwest::get(&image.url).await.unwrap();
        assert_eq!(found.bytes().await.unwrap(), bytes);
    }
}
