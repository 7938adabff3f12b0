//! Pictures in memory and in a folder.

use std::collections::BTreeSet;

use futures::{Stream, TryStreamExt as _, stream};
use secrecy::SecretString;
use uuid::Uuid;

use super::{samples::*, *};
use crate::{
    env::SystemEnv,
    service::testing::{TestEnv, context},
};

fn media() -> (Media, Arc<TestEnv>) {
    let (ctx, env) = context();
    ctx.media.set_base_url("http://here/media".to_owned());
    (ctx.media, env)
}

fn folder(path: &Path) -> Media {
    let keys = Arc::new(Keys::generate().unwrap());
    Media::folder(path, keys, Arc::new(SystemEnv)).unwrap()
}

fn somebody() -> AccountId {
    AccountId::new(Uuid::now_v7())
}

fn new_png() -> ImageId {
    ImageType::Png.declare(Uuid::now_v7())
}

/// What follows the folder's name in the target's URL.
async fn parts(media: &Media, creator_id: AccountId, image_id: ImageId, size: i32) -> [String; 3] {
    let target = media.upload_target(creator_id, image_id, size).await;
    let url = target.unwrap().url;
    let rest = url.strip_prefix("http://here/media/uploads/").unwrap();
    let (path, query) = rest.split_once('?').unwrap();
    let (creator, file) = path.split_once('/').unwrap();
    [creator, file, query].map(str::to_owned)
}

/// The names of all objects.
async fn names(media: &Media) -> BTreeSet<String> {
    let all = media
        .objects
        .list(None)
        .map_ok(|it| it.location.to_string());
    all.try_collect().await.unwrap()
}

fn sent(parts: &[&[u8]]) -> impl Stream<Item = Result<Bytes, ()>> + Unpin {
    let parts: Vec<_> = parts
        .iter()
        .map(|it| Ok(Bytes::copy_from_slice(it)))
        .collect();
    stream::iter(parts)
}

#[tokio::test]
async fn a_picture_is_taken_once_and_never_changes() {
    let (media, _) = media();
    let creator_id = somebody();
    for (content_type, bytes) in [
        (ImageType::Png, png(30, 20)),
        (ImageType::Jpeg, jpeg(30, 20)),
        (ImageType::Webp, webp(30, 20)),
    ] {
        let image_id = content_type.declare(Uuid::now_v7());
        let missing = media.take(creator_id, image_id).await.unwrap();
        assert_eq!(missing, Err(NotTaken::Missing));
        let put = media.put_upload(creator_id, image_id, bytes.clone().into());
        put.await.unwrap();
        let foreign = media.take(somebody(), image_id).await.unwrap();
        assert_eq!(foreign, Err(NotTaken::Missing));
        let image = media.take(creator_id, image_id).await.unwrap().unwrap();
        assert_eq!((image.width, image.height), (30, 20));
        assert_eq!(image.size_bytes, i32::try_from(bytes.len()).unwrap());
        assert_eq!(image.content_type, content_type);

        let other = Bytes::from_static(b"<html>");
        media.put_upload(creator_id, image_id, other).await.unwrap();
        let again = media.take(creator_id, image_id).await.unwrap();
        assert_eq!(again, Ok(image.clone()));
        let file = format!("{image_id}.{}", content_type.extension());
        let url = format!("http://here/media/images/{creator_id}/{file}");
        assert_eq!(media.url(creator_id, &image), url);
        let found = media.find(&creator_id.to_string(), &file).await.unwrap();
        assert_eq!(found.unwrap().size, bytes.len() as u64);
    }
}

#[tokio::test]
async fn what_is_no_such_picture_is_not_taken() {
    let (media, _) = media();
    let creator_id = somebody();
    let large = usize::try_from(IMAGE_BYTES_MAX).unwrap();
    let padded = |length: usize| {
        let mut bytes = png(1, 1);
        bytes.resize(length, 0);
        bytes
    };
    for (bytes, expected) in [
        (Vec::new(), Err(NotTaken::Flawed(Flaw::NoPicture))),
        (b"<svg/>".to_vec(), Err(NotTaken::Flawed(Flaw::NoPicture))),
        (
            jpeg(1, 1),
            Err(NotTaken::Flawed(Flaw::OtherType(ImageType::Jpeg))),
        ),
        (
            padded(large + 1),
            Err(NotTaken::TooLarge {
                bytes: large as u64 + 1,
            }),
        ),
        (padded(large), Ok(())),
    ] {
        let image_id = new_png();
        let put = media.put_upload(creator_id, image_id, bytes.into());
        put.await.unwrap();
        let taken = media.take(creator_id, image_id).await.unwrap();
        assert_eq!(taken.map(drop), expected);
        let is_kept = names(&media)
            .await
            .iter()
            .any(|name| name.starts_with("images/") && name.contains(&image_id.to_string()));
        assert_eq!(is_kept, expected.is_ok());
    }
    let unknown = ImageId::new(Uuid::max());
    let taken = media.take(creator_id, unknown).await.unwrap();
    assert_eq!(taken, Err(NotTaken::Missing));
}

/// Whatever is sent while calls take it, all of them see one picture.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_race_take_the_same_picture() {
    let dir = tempfile::tempdir().unwrap();
    let media = folder(dir.path());
    let creator_id = somebody();
    for _ in 0..30 {
        let image_id = new_png();
        let calls = (1..=4).map(|width| {
            let media = media.clone();
            tokio::spawn(async move {
                let put = media.put_upload(creator_id, image_id, png(width, 1).into());
                put.await.unwrap();
                media.take(creator_id, image_id).await.unwrap().unwrap()
            })
        });
        let taken = futures::future::join_all(calls).await;
        let images: Vec<_> = taken.into_iter().map(|it| it.unwrap()).collect();
        assert!(images.iter().all(|it| *it == images[0]), "{images:?}");
    }
}

#[tokio::test]
async fn an_upload_is_stored_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let media = folder(dir.path());
    media.set_base_url("http://here/media".to_owned());
    let (creator_id, image_id) = (somebody(), new_png());
    let bytes = png(5, 5);
    let size = i32::try_from(bytes.len()).unwrap();
    let [creator, file, query] = parts(&media, creator_id, image_id, size).await;
    let grant = || media.grant(&creator, &file, &query).unwrap();
    assert_eq!(grant().size_bytes, bytes.len() as u64);

    let more = [&bytes[..], b"x"];
    let refused = media.receive(grant(), sent(&more)).await;
    assert!(matches!(refused, Err(BadUpload::TooLarge)));
    let cut: [Result<Bytes, ()>; 2] = [Ok(bytes.clone().into()), Err(())];
    let refused = media.receive(grant(), stream::iter(cut)).await;
    assert!(matches!(refused, Err(BadUpload::CutOff)));
    // Not even a file that lists hide.
    let files = || {
        std::fs::read_dir(dir.path().join("uploads").join(&creator))
            .unwrap()
            .count()
    };
    assert_eq!(files(), 0);

    let (first, rest) = bytes.split_at(10);
    media.receive(grant(), sent(&[first, rest])).await.unwrap();
    assert_eq!(files(), 1);
    let image = media.take(creator_id, image_id).await.unwrap().unwrap();
    assert_eq!(image.size_bytes, size);
}

#[tokio::test]
async fn only_a_url_of_ours_lets_in_until_it_expires() {
    let (media, env) = media();
    let (creator_id, image_id) = (somebody(), new_png());
    let [creator, file, query] = parts(&media, creator_id, image_id, 9).await;
    let [other, other_file, _] = parts(&media, somebody(), new_png(), 9).await;
    assert!(media.grant(&creator, &file, &query).is_ok());
    let changed = query.replace("grant=", "grant=A");
    for (creator, file, query) in [
        (&other, &file, &query),
        (&creator, &other_file, &query),
        (&creator, &file, &changed),
        (&creator, &file, &String::new()),
        (&creator, &file, &format!("{query}&x=y")),
    ] {
        let refused = media.grant(creator, file, query);
        assert!(
            matches!(refused, Err(BadUpload::Forged)),
            "{creator}/{file}?{query}"
        );
    }
    let unknown = media.grant(&creator, "keys.toml", &query);
    assert!(matches!(unknown, Err(BadUpload::Unknown)));

    let seats: Vec<_> = (0..64)
        .map(|_| media.grant(&creator, &file, &query))
        .collect();
    assert!(seats.iter().all(Result::is_ok));
    let busy = media.grant(&creator, &file, &query);
    assert!(matches!(busy, Err(BadUpload::Busy)));
    drop(seats);
    env.advance(UPLOAD_WITHIN - Duration::from_micros(1));
    assert!(media.grant(&creator, &file, &query).is_ok());
    env.advance(Duration::from_micros(1));
    let expired = media.grant(&creator, &file, &query);
    assert!(matches!(expired, Err(BadUpload::Expired)));
}

#[tokio::test]
async fn what_no_product_took_goes_after_a_day() {
    let (media, env) = media();
    let (creator_id, left, taken) = (somebody(), new_png(), new_png());
    for image_id in [left, taken] {
        let put = media.put_upload(creator_id, image_id, png(1, 1).into());
        put.await.unwrap();
    }
    media.take(creator_id, taken).await.unwrap().unwrap();
    assert_eq!(media.sweep().await.unwrap(), 0);
    assert_eq!(names(&media).await.len(), 3);
    env.advance(UPLOADS_KEPT + Duration::from_secs(60));
    assert_eq!(media.sweep().await.unwrap(), 2);
    let image = format!("images/{creator_id}/{taken}.png");
    assert_eq!(names(&media).await, BTreeSet::from([image]));
    assert!(media.take(creator_id, taken).await.unwrap().is_ok());
}

#[test]
fn nothing_of_the_bucket_s_secret_is_shown() {
    let settings = S3Settings {
        endpoint: Some("https://s3.example".to_owned()),
        region: "eu-1".to_owned(),
        bucket: "pictures".to_owned(),
        key_id: "AKID".to_owned(),
        key_secret: SecretString::from("hunter2"),
        public_url: "https://cdn.example".to_owned(),
    };
    let media = Media::bucket(&settings, Arc::new(SystemEnv)).unwrap();
    let shown = format!("{media:?} {settings:?}");
    assert!(
        shown.contains("pictures") && !shown.contains("hunter2"),
        "{shown}"
    );
    let image = crate::store::conformance::samples::image(ImageType::Png);
    let url = media.url(somebody(), &image);
    assert!(url.starts_with("https://cdn.example/images/"), "{url}");
}
