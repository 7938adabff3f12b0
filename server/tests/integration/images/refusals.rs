//! What is not let in, or not taken.

use livedrop::v1;
use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{dress, ids, png, product_with, send, sent, upload_of, upload_request};
use crate::{
    bad_input::fields,
    follows::id_of,
    harness::{Server, create_product, product_request, reason, request_id},
};

#[tokio::test]
async fn bad_wishes_for_uploads_are_refused() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let wrong = v1::CreateImageUploadRequest {
        request_id: "x".into(),
        content_type: "image/gif".into(),
        size_bytes: 0,
    };
    let found = fields(creator.create_image_upload(wrong).await);
    assert_eq!(found, ["content_type", "request_id", "size_bytes"]);
    for size_bytes in [-1, i32::MIN, (10 << 20) + 1, i32::MAX] {
        let wrong = v1::CreateImageUploadRequest {
            size_bytes,
            ..upload_request("image/webp", 1)
        };
        let found = fields(creator.create_image_upload(wrong).await);
        assert_eq!(found, ["size_bytes"], "{size_bytes}");
    }
    for content_type in ["", "image/jpeg", "image/webp", "image/png"] {
        let largest = upload_request(content_type, 10 << 20);
        let answer = creator.create_image_upload(largest).await;
        assert_eq!(answer.is_ok(), !content_type.is_empty(), "{content_type}");
    }
    let buyer = server.person().await;
    let answer = buyer.create_image_upload(upload_request("image/png", 1));
    assert_eq!(reason(answer.await), "NOT_CREATOR");
    let stranger = server.stranger();
    let answer = stranger.create_image_upload(upload_request("image/png", 1));
    assert_eq!(reason(answer.await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn products_take_no_bad_pictures_and_tell_all_of_them() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let good = sent(&creator, &png(8_192, 1)).await;
    let theirs = sent(&other, &png(1, 1)).await;
    let unsent = upload_of(&creator, &png(1, 1)).await.image_id;
    let jpeg_header = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0\xff\xd9";
    let other_type = sent(&creator, jpeg_header).await;
    let html = sent(&creator, b"<html><script>alert(1)</script></html>").await;
    let cut = sent(&creator, &png(9, 9)[..40]).await;
    let wide = sent(&creator, &png(8_193, 1)).await;
    let nobody = request_id();
    let image_ids = [
        &theirs,
        &good,
        &unsent,
        &other_type,
        &html,
        &cut,
        &wide,
        &nobody,
    ];
    let request = product_with(&image_ids);
    let answer = creator.create_product(request.clone()).await;
    let error = answer.as_ref().unwrap_err();
    let told = |i: usize| {
        let field = format!("image_ids[{i}]");
        let found = error.violations().iter().find(|it| it.field == field);
        found.map_or("", |it| it.description.as_str())
    };
    for (i, part) in [
        (0, "must be a picture that you have uploaded"),
        (1, ""),
        (2, "send it to the upload_url"),
        (3, "is image/jpeg, and was declared as image/png"),
        (4, "is no PNG, JPEG or WebP"),
        (5, "or not all of one"),
        (6, "has 8193 x 1 pixels"),
        (7, "must be a picture that you have uploaded"),
    ] {
        assert!(told(i).contains(part), "{i}: {}", told(i));
    }
    let wrong = [0, 2, 3, 4, 5, 6, 7].map(|i| format!("image_ids[{i}]"));
    assert_eq!(fields(answer), wrong);

    // Nothing was made; when the pictures are right, the same call makes it.
    let unsent_too = v1::CreateProductRequest {
        image_ids: vec![good.clone(), unsent.clone()],
        ..request
    };
    assert_eq!(
        reason(creator.create_product(unsent_too).await),
        "REQUEST_ID_REUSED"
    );
    let product = create_product(&creator, product_with(&[&good])).await;
    let found = fields(dress(&creator, &product, &[&good, &html]).await);
    assert_eq!(found, ["image_ids[1]"]);
    let many: Vec<_> = (0..21).map(|_| request_id()).collect();
    let many: Vec<_> = many.iter().collect();
    assert_eq!(
        fields(dress(&creator, &product, &many).await),
        ["image_ids"]
    );
    let text = "x".to_owned();
    let found = fields(dress(&creator, &product, &[&text, &good, &good]).await);
    assert_eq!(found, ["image_ids[0]", "image_ids[2]"]);
    assert_eq!(
        fields(creator.create_product(product_with(&[&text])).await),
        ["image_ids[0]"]
    );

    // What other fields have is told beside it.
    let wrong = v1::UpdateProductRequest {
        variants: vec![v1::ProductVariant {
            variant_id: request_id(),
            ..Default::default()
        }],
        image_ids: vec![html],
        ..crate::catalog::update_of(&product, &["variants", "image_ids"])
    };
    let found = fields(creator.update_product(wrong).await);
    assert_eq!(found, ["image_ids[0]", "variants[0].variant_id"]);
    let unchanged = dress(&creator, &product, &[&good]).await.unwrap();
    assert_eq!(
        (ids(&unchanged), &unchanged.etag),
        (vec![&good], &product.etag)
    );
}

#[tokio::test]
async fn a_picture_sent_late_is_taken_by_the_same_call() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let bytes = png(2, 2);
    let upload = upload_of(&creator, &bytes).await;
    let request = product_with(&[&upload.image_id]);
    let early = creator.create_product(request.clone()).await;
    assert_eq!(fields(early), ["image_ids[0]"]);
    assert_eq!(send(&upload, &bytes).await.status(), StatusCode::OK);
    let product = create_product(&creator, request).await;
    assert_eq!(ids(&product), [&upload.image_id]);
}

/// The status of a PUT.
async fn put(url: &str, content_type: &str, bytes: &[u8]) -> u16 {
    let request = reqwest::Client::new().put(url);
    let request = request.header("content-type", content_type);
    let answer = request.body(bytes.to_vec()).send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn only_what_was_agreed_on_may_be_sent() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let bytes = png(2, 2);
    let upload = upload_of(&creator, &bytes).await;
    let theirs = upload_of(&other, &bytes).await;
    let (url, png_type) = (&upload.upload_url, "image/png");
    let (path, grant) = url.split_once("?grant=").unwrap();
    let (their_path, _) = theirs.upload_url.split_once('?').unwrap();
    let forged = if grant.starts_with('A') { 'B' } else { 'A' };
    for wrong in [
        path.to_owned(),
        format!("{path}?grant="),
        format!("{path}?grant={forged}{}", &grant[1..]),
        format!("{path}?grant={grant}&grant={grant}"),
        format!("{their_path}?grant={grant}"),
    ] {
        assert_eq!(put(&wrong, png_type, &bytes).await, 403, "{wrong}");
    }
    let elsewhere = url.replace(".png?", ".jpg?");
    assert_eq!(put(&elsewhere, "image/jpeg", &bytes).await, 404);
    assert_eq!(put(url, "text/html", &bytes).await, 415);
    assert_eq!(put(url, png_type, &vec![0; bytes.len() + 1]).await, 413);
    // Nothing of it is there.
    let answer = creator.create_product(product_with(&[&upload.image_id]));
    assert_eq!(fields(answer.await), ["image_ids[0]"]);

    // Without a length, without a byte, and cut off.
    let target = url.strip_prefix(&server.endpoint()).unwrap();
    let chunked = "transfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let cut = format!("content-length: {}\r\n\r\nshort", bytes.len());
    let empty = "content-length: 0\r\n\r\n";
    for (rest, status) in [(chunked, "411"), (empty, "400"), (cut.as_str(), "")] {
        let address = server.endpoint().replace("http://", "");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "PUT {target} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\nconnection: close\r\n"
        );
        stream.write_all((head + rest).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.split(' ').nth(1).unwrap_or("").starts_with(status),
            "{answer}"
        );
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    let answer = creator.create_product(product_with(&[&upload.image_id]));
    assert_eq!(fields(answer.await), ["image_ids[0]"]);
    assert_eq!(put(url, png_type, &bytes).await, 200);
}

/// A client that sends all before it listens, as many do.
#[tokio::test]
async fn a_refusal_arrives_though_the_client_still_sends() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let upload = upload_of(&creator, &png(1, 1)).await;
    let target = upload.upload_url.strip_prefix(&server.endpoint()).unwrap();
    let large = vec![0; 3 << 20];
    for _ in 0..5 {
        let address = server.endpoint().replace("http://", "");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "PUT {target} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: {}\r\n\r\n",
            large.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The refusal is there, and nobody has looked yet.
        stream.readable().await.unwrap();
        for part in large.chunks(64 * 1024) {
            stream.write_all(part).await.unwrap();
        }
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 413");
    }
}

#[tokio::test]
async fn nothing_but_pictures_is_read() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let id = id_of(&creator).await;
    let image_id = sent(&creator, &png(1, 1)).await;
    let address = server.endpoint().replace("http://", "");
    // As it is: clients would tidy it up.
    let get = async |target: &str| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    // What no product has taken is not shown.
    assert_eq!(
        get(&format!("/media/images/{id}/{image_id}.png")).await,
        "404"
    );
    assert_eq!(
        get(&format!("/media/uploads/{id}/{image_id}.png")).await,
        "405"
    );
    let product = create_product(&creator, product_with(&[&image_id])).await;
    assert_eq!(product.images.len(), 1);
    assert_eq!(
        get(&format!("/media/images/{id}/{image_id}.png")).await,
        "200"
    );
    for target in [
        format!("/media/images/{id}/{image_id}.jpg"),
        format!("/media/images/{id}/{image_id}"),
        format!("/media/images/{id}/{image_id}.png/"),
        format!("/media/images/{id}/%2e%2e%2f{id}%2f{image_id}.png"),
        format!("/media/images/%2e%2e/{image_id}.png"),
        format!("/media/images/../uploads/{id}/{image_id}.png"),
        format!("/media/images/..%2fuploads%2f{id}/{image_id}.png"),
        "/media/images/../../keys.toml".to_owned(),
        "/media/images/%2e%2e/%2e%2e%2fkeys.toml".to_owned(),
        "/media/images/..%2f../keys.toml".to_owned(),
        "/media/images//etc/passwd".to_owned(),
        "/media/images/".to_owned(),
        "/media/".to_owned(),
    ] {
        assert_eq!(get(&target).await, "404", "{target}");
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_send_pictures() {
    let server = Server::start_with(|config| {
        config.server.cors_origins = vec!["https://shop.example".to_owned()];
    })
    .await;
    let creator = server.creator().await;
    let bytes = png(1, 1);
    let upload = upload_of(&creator, &bytes).await;
    for (origin, is_allowed) in [
        ("https://shop.example", true),
        ("https://evil.example", false),
    ] {
        let preflight = reqwest::Client::new()
            .request(Method::OPTIONS, &upload.upload_url)
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type");
        let put = reqwest::Client::new()
            .put(&upload.upload_url)
            .header("origin", origin)
            .header("content-type", "image/png")
            .body(bytes.clone());
        for request in [preflight, put] {
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success());
            let allowed = answer.headers().get("access-control-allow-origin");
            assert_eq!(allowed.is_some(), is_allowed, "{origin}");
            if let Some(methods) = answer.headers().get("access-control-allow-methods") {
                assert!(methods.to_str().unwrap().contains("PUT"));
            }
        }
    }
    let product = v1::CreateProductRequest {
        image_ids: vec![upload.image_id],
        ..product_request()
    };
    assert_eq!(create_product(&creator, product).await.images.len(), 1);
}
