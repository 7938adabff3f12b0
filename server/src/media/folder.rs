//! Pictures in a folder: this process takes and serves them itself.

use std::{
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use object_store::{
    Error as StoreError, ObjectStoreExt as _, WriteMultipart, local::LocalFileSystem,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Media, MediaError, OpenError, Place, key::Key, link::Link};
use crate::{
    auth::Keys,
    domain::{Timestamp, image::ImageType},
};

/// Uploads on their way at once. Each has less than a MiB in memory.
const UPLOADS_AT_ONCE: usize = 64;
/// Written to disk at once.
const PART_BYTES: usize = 256 * 1024;
/// Parts of an upload in memory.
const PARTS: usize = 2;

/// Signs uploads and knows its URL.
pub(super) struct Folder {
    keys: Arc<Keys>,
    base_url: OnceLock<String>,
    uploads: Arc<Semaphore>,
}

/// Opens or makes a folder.
pub(super) fn open(path: &Path) -> Result<LocalFileSystem, OpenError> {
    let unusable = |source| OpenError::Folder {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(path).map_err(unusable)?;
    let opened = LocalFileSystem::new_with_prefix(path);
    // What was answered is on disk.
    let opened = opened.map(|folder| folder.with_fsync(true));
    opened.map_err(|error| unusable(std::io::Error::other(error)))
}

impl Folder {
    pub(super) fn new(keys: Arc<Keys>) -> Self {
        Self {
            keys,
            base_url: OnceLock::new(),
            uploads: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
        }
    }

    pub(super) fn set_base_url(&self, url: String) {
        // Said once, at the start.
        let _ = self.base_url.set(url);
    }

    pub(super) fn base_url(&self) -> &str {
        self.base_url.get().map_or("", String::as_str)
    }

    pub(super) fn upload_url(&self, key: &Key, size_bytes: i32, expires_at: Timestamp) -> String {
        let link = Link {
            size_bytes: u32::try_from(size_bytes).unwrap_or(0),
            expires_at,
        };
        let link = link.seal(&self.keys, key);
        format!("{}/{}?grant={link}", self.base_url(), key.upload())
    }
}

/// Why bytes are not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadUpload {
    /// There is no such URL.
    #[error("there is no such upload")]
    Unknown,
    /// The URL was not signed here, or is changed.
    #[error("this URL is not as CreateImageUpload gave it: ask for one, and send to it as it is")]
    Forged,
    /// The URL is too old.
    #[error("this URL has expired: ask for a fresh one with the same request_id")]
    Expired,
    /// There are more bytes than were asked for.
    #[error("these are more bytes than size_bytes of CreateImageUpload")]
    TooLarge,
    /// Too many at once.
    #[error("too many uploads at once: try again in a second")]
    Busy,
    /// The sender stopped.
    #[error("the bytes did not arrive: send them again")]
    CutOff,
    /// The folder failed.
    #[error("the picture can't be stored now: send it again")]
    Failed(#[source] StoreError),
}

/// Leave to send a picture.
#[derive(Debug)]
pub struct Grant {
    key: Key,
    /// At most so many bytes.
    pub size_bytes: u64,
    _seat: OwnedSemaphorePermit,
}

impl Grant {
    /// What was declared.
    #[must_use]
    pub fn content_type(&self) -> ImageType {
        self.key.content_type
    }
}

/// A picture that is there.
pub struct Stored {
    /// What it is.
    pub content_type: ImageType,
    /// Names it, and so its bytes.
    pub etag: String,
    /// How many bytes it has.
    pub size: u64,
    /// The bytes.
    pub bytes: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Media {
    /// Looks at the parts of an upload's URL, before any byte of the picture.
    ///
    /// # Errors
    /// If the URL is of no use, or too many are sent at once.
    pub fn grant(&self, creator: &str, file: &str, query: &str) -> Result<Grant, BadUpload> {
        let Place::Folder(folder) = &self.place else {
            return Err(BadUpload::Unknown);
        };
        let key = Key::read(creator, file).ok_or(BadUpload::Unknown)?;
        let link = query.strip_prefix("grant=").ok_or(BadUpload::Forged)?;
        let link = Link::open(&folder.keys, &key, link).ok_or(BadUpload::Forged)?;
        if self.env.now() >= link.expires_at {
            return Err(BadUpload::Expired);
        }
        let seat = folder.uploads.clone().try_acquire_owned();
        Ok(Grant {
            key,
            size_bytes: u64::from(link.size_bytes),
            _seat: seat.map_err(|_| BadUpload::Busy)?,
        })
    }

    /// Stores an upload as it arrives. Until its end nothing is seen of it.
    ///
    /// # Errors
    /// If the bytes end early or are too many, or the folder fails: nothing is stored then.
    pub async fn receive<E>(
        &self,
        grant: Grant,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), BadUpload> {
        let upload = self.objects.put_multipart(&grant.key.upload()).await;
        let upload = upload.map_err(BadUpload::Failed)?;
        // Dropped before its end, as with its connection, it removes what it wrote.
        let mut to = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match fill(&mut to, &mut body, grant.size_bytes).await {
            Ok(()) => to.finish().await.map(drop).map_err(BadUpload::Failed),
            Err(why) => {
                // What can't be removed is hidden from lists.
                let _ = to.abort().await;
                Err(why)
            }
        }
    }

    /// Finds a picture by the last two parts of its URL.
    ///
    /// # Errors
    /// If the folder fails.
    pub async fn find(&self, creator: &str, file: &str) -> Result<Option<Stored>, MediaError> {
        let Some(key) = Key::read(creator, file) else {
            return Ok(None);
        };
        match self.objects.get(&key.image()).await {
            Ok(found) => Ok(Some(Stored {
                content_type: key.content_type,
                etag: format!("\"{}\"", key.image_id),
                size: found.meta.size,
                bytes: found.into_stream(),
            })),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Writes all of a body, of at most `left` bytes.
async fn fill<E>(
    to: &mut WriteMultipart,
    body: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    mut left: u64,
) -> Result<(), BadUpload> {
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|_| BadUpload::CutOff)?;
        let count = bytes.len() as u64;
        left = left.checked_sub(count).ok_or(BadUpload::TooLarge)?;
        let written = to.wait_for_capacity(PARTS).await;
        written.map_err(BadUpload::Failed)?;
        to.put(bytes);
    }
    Ok(())
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("etag", &self.etag)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
