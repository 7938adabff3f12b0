//! A copy of the data directory that a server can be started on, taken while one runs: the store as of one moment, the token keys, and the
//! test provider's books.
//!
//! The books are copied after the store, so that they know of everything that the store knows of: a provider that knows more is what every
//! restore has to live with.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::KEY_FILE_NAME;
use crate::{
    config::Config,
    payments::test,
    store::embedded::{CopyError, EmbeddedStore, FILE_NAME, RowCounts},
};

/// Why there is no backup. Nothing is left of it, and nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The name is taken.
    #[error("{} is there already, and nothing is overwritten: name a directory that is not there yet", .0.display())]
    Exists(PathBuf),
    /// Nowhere to put it.
    #[error("there is no directory {}: make it first", .0.display())]
    NoParent(PathBuf),
    /// The store can't be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The system says no.
    #[error("{} can't be written by the user that the server runs as", .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What a backup has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// Rows of each table.
    pub rows: RowCounts,
    /// Files in the directory.
    pub files: Vec<String>,
    /// The key file, if it is not in the data directory: it was not copied.
    pub key_file: Option<PathBuf>,
}

/// What there is to back up.
#[derive(Debug, Clone)]
pub struct Backup {
    store: Arc<EmbeddedStore>,
    data: PathBuf,
    /// One that is not in the data directory.
    key_file: Option<PathBuf>,
}

impl Backup {
    /// Of the store that is open in the settings' data directory; `None` if it is in memory.
    #[must_use]
    pub fn of(config: &Config, store: Arc<EmbeddedStore>) -> Option<Self> {
        let data = config.store.data.clone()?;
        let key_file = config.auth.key_file.clone();
        let key_file = key_file.filter(|path| *path != data.join(KEY_FILE_NAME));
        Some(Self {
            store,
            data,
            key_file,
        })
    }

    /// Writes a backup to `to`, a directory that is not there yet: under another name first, so that there is a whole one or none.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn write(&self, to: &Path) -> Result<BackedUp, BackupError> {
        if to.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let parent = to.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(BackupError::NoParent(parent.to_owned()));
        }
        let failed = |source| BackupError::Io {
            path: to.to_owned(),
            source,
        };
        let made = tempfile::Builder::new()
            .prefix(".livedrop-backup-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed)?;
        let rows = self.store.copy_to(made.path()).await?;
        let mut files = vec![FILE_NAME.to_owned()];
        let keys = self.key_file.is_none().then_some(KEY_FILE_NAME);
        for name in keys.into_iter().chain([test::FILE_NAME]) {
            if copy_file(&self.data.join(name), &made.path().join(name)).map_err(failed)? {
                files.push(name.to_owned());
            }
        }
        let publish = || {
            File::open(made.path())?.sync_all()?;
            fs::rename(made.path(), to)?;
            File::open(parent)?.sync_all()
        };
        publish().map_err(|error| {
            use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
            // Somebody was faster.
            if matches!(
                error.kind(),
                AlreadyExists | DirectoryNotEmpty | NotADirectory
            ) {
                BackupError::Exists(to.to_owned())
            } else {
                failed(error)
            }
        })?;
        // It has another name now: nothing is to be removed.
        let _ = made.keep();
        Ok(BackedUp {
            rows,
            files,
            key_file: self.key_file.clone(),
        })
    }
}

/// Copies a file with its mode, if there is one. A line that is being written to the test provider's books may be cut off in the copy, as
/// after a crash: nobody was answered yet.
fn copy_file(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::copy(from, to) {
        Ok(_) => {
            File::open(to)?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
