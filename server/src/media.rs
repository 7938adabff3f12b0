//! Pictures: where they are sent, looked at, and kept.
//!
//! A picture is sent to `uploads/<creator>/<image>.<type>`, by whoever has the signed URL. When a product takes it, the bytes are read and
//! looked at, and exactly those are put to `images/<creator>/<image>.<type>`, if nothing is there. Nothing there is ever changed, so its URL
//! may be cached for good; what is in `uploads` goes after a day.
//!
//! Invariant: whose a picture is follows from its key; no row is needed to know it.

mod error;
mod folder;
mod key;
mod link;
mod picture;
mod s3;
#[cfg(test)]
pub(crate) mod samples;
mod sweep;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    Attribute, Attributes, Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions,
};
use tokio::sync::Semaphore;

pub use self::{
    error::{MediaError, OpenError},
    folder::{BadUpload, Grant, Stored},
    picture::Flaw,
    s3::S3Settings,
};
use self::{folder::Folder, key::Key, s3::Bucket};
use crate::{
    auth::Keys,
    domain::{
        AccountId, ImageId, Timestamp,
        image::{IMAGE_BYTES_MAX, Image, ImageType},
    },
    env::SharedEnv,
};

/// How long an upload's URL works.
pub const UPLOAD_WITHIN: Duration = Duration::from_secs(60 * 60);

/// How long what was sent waits for a product. More than [`UPLOAD_WITHIN`], or a fresh upload could be taken for a left one.
pub const UPLOADS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What caches are told of a picture.
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// Pictures in memory at once, each of 10 MiB at most; who comes later waits.
const READS_AT_ONCE: usize = 8;

/// Where pictures are. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    objects: Arc<dyn ObjectStore>,
    place: Place,
    env: SharedEnv,
    reads: Arc<Semaphore>,
}

#[derive(Clone)]
enum Place {
    Folder(Arc<Folder>),
    Bucket(Arc<Bucket>),
}

/// Where to send a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTarget {
    /// Takes a `PUT`.
    pub url: String,
    /// The `Content-Type` that the request must have.
    pub content_type: ImageType,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why a picture can't be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// Nothing was uploaded under this id by this creator, or too long ago.
    Missing,
    /// It is larger than any picture may be.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It is not what it should be.
    Flawed(Flaw),
}

impl Media {
    /// A folder on this machine, whose files this process serves. Blocks for a moment.
    ///
    /// # Errors
    /// If it can't be made or read.
    pub fn folder(path: &Path, keys: Arc<Keys>, env: SharedEnv) -> Result<Self, OpenError> {
        let objects = Arc::new(folder::open(path)?);
        let place = Place::Folder(Arc::new(Folder::new(keys)));
        Ok(Self::new(objects, place, env))
    }

    /// In memory, for tests.
    #[must_use]
    pub fn in_memory(keys: Arc<Keys>, env: SharedEnv) -> Self {
        let objects = Arc::new(object_store::memory::InMemory::new());
        let place = Place::Folder(Arc::new(Folder::new(keys)));
        Self::new(objects, place, env)
    }

    /// A bucket of a service that speaks S3. It is not asked anything yet.
    ///
    /// # Errors
    /// If the settings can't be right.
    pub fn bucket(settings: &S3Settings, env: SharedEnv) -> Result<Self, OpenError> {
        let (objects, bucket) = Bucket::open(settings)?;
        Ok(Self::new(objects, Place::Bucket(Arc::new(bucket)), env))
    }

    fn new(objects: Arc<dyn ObjectStore>, place: Place, env: SharedEnv) -> Self {
        Self {
            objects,
            place,
            env,
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
        }
    }

    /// The folder that this process serves, if pictures are in one.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        matches!(self.place, Place::Folder(_))
    }

    /// Says what stands before `/images/…` and `/uploads/…` in the URLs of a folder. A bucket knows its own.
    pub fn set_base_url(&self, url: String) {
        if let Place::Folder(folder) = &self.place {
            folder.set_base_url(url);
        }
    }

    /// Where everyone finds a picture.
    #[must_use]
    pub fn url(&self, creator_id: AccountId, image: &Image) -> String {
        let base = match &self.place {
            Place::Folder(folder) => folder.base_url(),
            Place::Bucket(bucket) => bucket.public_url(),
        };
        let key = Key::new(creator_id, image.image_id, image.content_type);
        format!("{base}/{}", key.image())
    }

    /// Where to send a picture of at most so many bytes. The id says what it is declared as.
    ///
    /// # Errors
    /// If the id is none of ours, or a bucket's URL can't be signed.
    pub async fn upload_target(
        &self,
        creator_id: AccountId,
        image_id: ImageId,
        size_bytes: i32,
    ) -> Result<UploadTarget, MediaError> {
        let key = Key::declared(creator_id, image_id).ok_or(MediaError::UnknownId)?;
        let expires_at = self.env.now() + UPLOAD_WITHIN;
        let url = match &self.place {
            Place::Folder(folder) => folder.upload_url(&key, size_bytes, expires_at),
            Place::Bucket(bucket) => bucket.upload_url(&key, UPLOAD_WITHIN).await?,
        };
        Ok(UploadTarget {
            url,
            content_type: key.content_type,
            expires_at,
        })
    }

    /// Puts an upload, as if it had been sent.
    ///
    /// # Errors
    /// If the id is none of ours, or it can't be stored.
    pub async fn put_upload(
        &self,
        creator_id: AccountId,
        image_id: ImageId,
        bytes: Bytes,
    ) -> Result<(), MediaError> {
        let key = Key::declared(creator_id, image_id).ok_or(MediaError::UnknownId)?;
        self.objects.put(&key.upload(), bytes.into()).await?;
        Ok(())
    }

    /// Makes an upload a picture that never changes, and says what it is like. Again and again with the same outcome.
    ///
    /// # Errors
    /// If the storage fails.
    pub async fn take(
        &self,
        creator_id: AccountId,
        image_id: ImageId,
    ) -> Result<Result<Image, NotTaken>, MediaError> {
        let Some(key) = Key::declared(creator_id, image_id) else {
            return Ok(Err(NotTaken::Missing));
        };
        // Never closed.
        let _seat = self.reads.acquire().await;
        match self.look_at(&key, &key.image()).await? {
            Err(NotTaken::Missing) => {}
            taken => return Ok(taken.map(|(image, _)| image)),
        }
        let (image, bytes) = match self.look_at(&key, &key.upload()).await? {
            Ok(found) => found,
            Err(why) => return Ok(Err(why)),
        };
        // The bytes that were looked at: what is sent meanwhile is not copied unseen.
        let put = PutOptions {
            mode: PutMode::Create,
            attributes: self.attributes(key.content_type),
            ..PutOptions::default()
        };
        let put = self.objects.put_opts(&key.image(), bytes.into(), put).await;
        match put {
            Ok(_) => Ok(Ok(image)),
            // Another call was faster, maybe with what was sent before.
            Err(StoreError::AlreadyExists { .. }) => {
                let taken = self.look_at(&key, &key.image()).await?;
                Ok(taken.map(|(image, _)| image))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a picture and says what it is like.
    async fn look_at(
        &self,
        key: &Key,
        path: &object_store::path::Path,
    ) -> Result<Result<(Image, Bytes), NotTaken>, MediaError> {
        let found = match self.objects.get(path).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(Err(NotTaken::Missing)),
            Err(error) => return Err(error.into()),
        };
        let bytes = found.meta.size;
        let size_bytes = match i32::try_from(bytes) {
            Ok(size) if size <= IMAGE_BYTES_MAX => size,
            Ok(_) | Err(_) => return Ok(Err(NotTaken::TooLarge { bytes })),
        };
        let bytes = found.bytes().await?;
        Ok(match picture::look_at(&bytes, key.content_type) {
            Ok((width, height)) => {
                let image = Image {
                    image_id: key.image_id,
                    content_type: key.content_type,
                    width,
                    height,
                    size_bytes,
                };
                Ok((image, bytes))
            }
            Err(flaw) => Err(NotTaken::Flawed(flaw)),
        })
    }

    /// What a bucket answers with. A folder's files have none: this process says it when it serves them.
    fn attributes(&self, content_type: ImageType) -> Attributes {
        if self.is_folder() {
            return Attributes::new();
        }
        Attributes::from_iter([
            (Attribute::ContentType, content_type.as_str()),
            (Attribute::CacheControl, CACHE_CONTROL),
        ])
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A bucket's own form has its secret.
        f.debug_tuple("Media")
            .field(&self.objects.to_string())
            .finish()
    }
}

#[cfg(test)]
mod tests;
