//! What can go wrong with pictures.

use std::{io, path::PathBuf};

/// The storage of pictures failed.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The folder or bucket can't be read or written.
    #[error("the storage of pictures failed")]
    Store(#[from] object_store::Error),
    /// No call of ours makes such ids.
    #[error("an id that names no picture")]
    UnknownId,
}

/// Why there is no place for pictures. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder can't be used.
    #[error("can't keep pictures in {}: make it writable for this user, or choose another with media.folder", .path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The settings of the bucket don't fit.
    #[error(
        "can't keep pictures in the bucket: see media.s3_endpoint, media.s3_region, media.s3_bucket"
    )]
    Bucket(#[source] object_store::Error),
}
