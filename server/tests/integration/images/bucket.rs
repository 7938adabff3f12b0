//! Pictures in a bucket of a server that speaks S3, and checks what it is asked.

use std::{sync::Arc, time::Duration};

use fake_s3::{BUCKET, FakeS3, KEY_ID, KEY_SECRET};
use livedrop::Uuid;
use livedrop_server::{
    config::{Config, MediaBackend, Secret},
    domain::Timestamp,
    env::{BoxFuture, Env, SystemEnv},
    media::{Media, S3Settings},
};
use object_store::{Attribute, ObjectStoreExt as _, aws::AmazonS3Builder, path::Path};
use reqwest::StatusCode;

use super::{dress, ids, png, product_with, send, sent, upload_of};
use crate::{
    bad_input::fields,
    follows::id_of,
    harness::{Server, create_product},
};

fn configure(config: &mut Config, s3: &FakeS3) {
    let media = &mut config.media;
    media.backend = MediaBackend::S3;
    media.public_url = Some("https://cdn.example".to_owned());
    media.s3_endpoint = Some(s3.endpoint().to_owned());
    media.s3_bucket = Some(BUCKET.to_owned());
    media.s3_key_id = Some(KEY_ID.to_owned());
    media.s3_key_secret = Some(Secret::new(KEY_SECRET));
}

#[tokio::test]
async fn a_picture_goes_to_the_bucket_and_stays_there() {
    let s3 = FakeS3::start().await;
    let server = Server::start_with(|config| configure(config, &s3)).await;
    let creator = server.creator().await;
    let creator_id = id_of(&creator).await;
    let bytes = png(800, 600);
    let upload = upload_of(&creator, &bytes).await;
    assert!(upload.upload_url.starts_with(s3.endpoint()));
    assert!(!upload.upload_url.contains(KEY_SECRET));

    // Its URL is for this picture of this type.
    let mut forged = upload.clone();
    forged.upload_url = upload.upload_url.replace(".png", ".webp");
    assert_eq!(send(&forged, &bytes).await.status(), StatusCode::FORBIDDEN);
    let mut other = upload.clone();
    other.headers = [("Content-Type".to_owned(), "text/html".to_owned())].into();
    assert_eq!(send(&other, &bytes).await.status(), StatusCode::FORBIDDEN);
    let missing = creator.create_product(product_with(&[&upload.image_id]));
    assert_eq!(fields(missing.await), ["image_ids[0]"]);
    assert_eq!(send(&upload, &bytes).await.status(), StatusCode::OK);

    let product = create_product(&creator, product_with(&[&upload.image_id])).await;
    let image = &product.images[0];
    let key = format!("images/{creator_id}/{}.png", upload.image_id);
    assert_eq!(image.url, format!("https://cdn.example/{key}"));
    assert_eq!((image.width, image.height), (800, 600));
    assert_eq!(s3.object(&key).unwrap(), bytes);
    let client = AmazonS3Builder::new()
        .with_endpoint(s3.endpoint())
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_access_key_id(KEY_ID)
        .with_secret_access_key(KEY_SECRET)
        .build()
        .unwrap();
    let stored = client.get(&Path::from(key.as_str())).await.unwrap();
    let attribute = |name| {
        stored
            .attributes
            .get(&name)
            .map(|it| it.as_ref().to_owned())
    };
    assert_eq!(attribute(Attribute::ContentType).unwrap(), "image/png");
    let cache = attribute(Attribute::CacheControl).unwrap();
    assert_eq!(cache, "public, max-age=31536000, immutable");

    // What is sent later changes nothing.
    assert_eq!(send(&upload, &png(1, 1)).await.status(), StatusCode::OK);
    let bare = dress(&creator, &product, &[]).await.unwrap();
    assert_eq!(bare.images, []);
    let dressed = dress(&creator, &product, &[&upload.image_id])
        .await
        .unwrap();
    assert_eq!(dressed.images, product.images);
    assert_eq!(s3.object(&key).unwrap(), bytes);

    // This process serves none of it.
    let here = format!("{}/media/{key}", server.endpoint());
    assert_eq!(
        reqwest::get(here).await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_is_no_picture_or_too_large_is_not_taken_from_the_bucket() {
    let s3 = FakeS3::start().await;
    let server = Server::start_with(|config| configure(config, &s3)).await;
    let creator = server.creator().await;
    let html = sent(&creator, b"<html></html>").await;
    // S3 takes any size.
    let mut large = png(1, 1);
    let upload = upload_of(&creator, &large).await;
    large.resize((10 << 20) + 1, 0);
    assert_eq!(send(&upload, &large).await.status(), StatusCode::OK);
    let answer = creator
        .create_product(product_with(&[&html, &upload.image_id]))
        .await;
    let told: Vec<_> = answer.as_ref().unwrap_err().violations().to_vec();
    assert!(told[0].description.contains("is no PNG"), "{told:?}");
    assert!(
        told[1].description.contains("has 10485761 bytes"),
        "{told:?}"
    );
    assert_eq!(fields(answer), ["image_ids[0]", "image_ids[1]"]);
    let good = sent(&creator, &png(1, 1)).await;
    let product = create_product(&creator, product_with(&[&good])).await;
    assert_eq!(ids(&product), [&good]);
}

/// The system's environment, a day and an hour later.
#[derive(Debug)]
struct Tomorrow;

impl Env for Tomorrow {
    fn now(&self) -> Timestamp {
        SystemEnv.now() + Duration::from_secs(25 * 3_600)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<()> {
        SystemEnv.sleep(span)
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<()>) {
        SystemEnv.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemEnv.fill_random(bytes);
    }

    fn uuid(&self) -> Uuid {
        SystemEnv.uuid()
    }
}

#[tokio::test]
async fn what_no_product_took_leaves_the_bucket_after_a_day() {
    let s3 = FakeS3::start().await;
    let server = Server::start_with(|config| configure(config, &s3)).await;
    let creator = server.creator().await;
    let creator_id = id_of(&creator).await;
    let [left, taken] = [
        sent(&creator, &png(1, 1)).await,
        sent(&creator, &png(2, 2)).await,
    ];
    create_product(&creator, product_with(&[&taken])).await;
    let settings = S3Settings {
        endpoint: Some(s3.endpoint().to_owned()),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        key_id: KEY_ID.to_owned(),
        key_secret: KEY_SECRET.into(),
        public_url: "https://cdn.example".to_owned(),
    };
    let today = Media::bucket(&settings, Arc::new(SystemEnv)).unwrap();
    assert_eq!(today.sweep().await.unwrap(), 0);
    let tomorrow = Media::bucket(&settings, Arc::new(Tomorrow)).unwrap();
    assert_eq!(tomorrow.sweep().await.unwrap(), 2);
    for (folder, id, is_there) in [
        ("uploads", &left, false),
        ("uploads", &taken, false),
        ("images", &taken, true),
    ] {
        let found = s3.object(&format!("{folder}/{creator_id}/{id}.png"));
        assert_eq!(found.is_some(), is_there, "{folder} {id}");
    }
    assert_eq!(tomorrow.sweep().await.unwrap(), 0);
}

/// A bucket that is away takes nothing down with it.
#[tokio::test]
async fn without_its_bucket_the_shop_goes_on() {
    let s3 = FakeS3::start().await;
    let server = Server::start_with(|config| configure(config, &s3)).await;
    let creator = server.creator().await;
    let upload = upload_of(&creator, &png(1, 1)).await;
    drop(s3);
    let answer = creator.create_product(product_with(&[&upload.image_id]));
    let code = answer.await.unwrap_err().code();
    let is_passing = [
        livedrop::Code::Unavailable,
        livedrop::Code::DeadlineExceeded,
    ];
    assert!(is_passing.contains(&code), "{code:?}");
    let product = create_product(&creator, product_with(&[])).await;
    assert_eq!(product.images, []);
}
