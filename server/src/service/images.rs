//! Pictures: where creators send them, and how products take them.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Context, Error, Result, Violations, requests, requests::Fingerprint};
use crate::{
    domain::{
        AccountId, ImageId, RequestId,
        image::{IMAGE_BYTES_MAX, IMAGE_SIDE_MAX, Image, ImageType},
        reason::Reason,
    },
    media::{Flaw, MediaError, NotTaken, UploadTarget},
    store::requests::RequestKey,
};

/// Pictures of one product that are looked at at once.
const TAKEN_AT_ONCE: usize = 4;

/// A picture that is to be sent.
#[derive(Debug, Clone)]
pub struct CreateImageUpload {
    /// The client's key.
    pub request_id: RequestId,
    /// What it will be.
    pub content_type: ImageType,
    /// How many bytes it has.
    pub size_bytes: i32,
}

/// A picture that may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUpload {
    /// The picture.
    pub image_id: ImageId,
    /// Where to.
    pub target: UploadTarget,
}

/// Says where to send a picture.
///
/// # Errors
/// As `CreateImageUpload` of the contract.
pub async fn create_upload(
    ctx: &Context,
    caller: AccountId,
    wish: CreateImageUpload,
) -> Result<ImageUpload> {
    if ctx.creator(caller).await?.is_none() {
        return Err(Error::refused(Reason::NotCreator, "become a creator first"));
    }
    let key = RequestKey {
        caller_id: Some(caller),
        method: "CreateImageUpload",
        request_id: wish.request_id,
    };
    let print = Fingerprint::new("CreateImageUpload")
        .text(wish.content_type.as_str())
        .number(wish.size_bytes.into());
    let new_id = || wish.content_type.declare(ctx.env.uuid()).uuid();
    let claimed = requests::claim(ctx, key, print.finish(), new_id).await?;
    let image_id = ImageId::new(claimed.entity_id);
    let target = ctx.media.upload_target(caller, image_id, wish.size_bytes);
    Ok(ImageUpload {
        image_id,
        target: target.await?,
    })
}

/// The pictures that a creator's product shall have: `present` ones stay as they are, others are taken from what was uploaded. Each that
/// can't be had is noted.
pub(super) async fn wished(
    ctx: &Context,
    creator_id: AccountId,
    present: &[Image],
    wished: &[ImageId],
    found: &mut Violations,
) -> Result<Vec<Image>> {
    let taken = stream::iter(wished.iter().copied()).map(async |image_id| {
        match present.iter().find(|image| image.image_id == image_id) {
            Some(image) => Ok(Ok(image.clone())),
            None => ctx.media.take(creator_id, image_id).await,
        }
    });
    let taken: Vec<_> = taken.buffered(TAKEN_AT_ONCE).try_collect().await?;
    let mut images = Vec::with_capacity(wished.len());
    for (i, (taken, image_id)) in taken.into_iter().zip(wished).enumerate() {
        match taken {
            Ok(image) => images.push(image),
            Err(why) => found.note(&format!("image_ids[{i}]"), &rule(*image_id, &why)),
        }
    }
    Ok(images)
}

/// What is wrong, and what to do.
fn rule(image_id: ImageId, why: &NotTaken) -> String {
    match why {
        NotTaken::Missing => "must be a picture that you have uploaded in the last 24 hours: send it to the upload_url of CreateImageUpload first".to_owned(),
        NotTaken::TooLarge { bytes } => format!("has {bytes} bytes: send a picture of at most {IMAGE_BYTES_MAX}"),
        NotTaken::Flawed(Flaw::NoPicture) => {
            "is no PNG, JPEG or WebP, or not all of one: send all bytes of a picture".to_owned()
        }
        NotTaken::Flawed(Flaw::OtherType(found)) => {
            let declared = ImageType::declared_by(image_id).map_or("", ImageType::as_str);
            let found = found.as_str();
            format!("is {found}, and was declared as {declared}: call CreateImageUpload with content_type {found}")
        }
        NotTaken::Flawed(Flaw::Sides { width, height }) => {
            format!("has {width} x {height} pixels: send a picture of 1 to {IMAGE_SIDE_MAX} a side")
        }
    }
}

impl From<MediaError> for Error {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::UnknownId => Self::Internal(error.to_string()),
            MediaError::Store(cause) => Self::Unavailable {
                retry_after: std::time::Duration::from_secs(1),
                cause: format!("the storage of pictures failed: {cause}"),
            },
        }
    }
}
