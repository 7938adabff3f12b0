//! Opening the store's file: making it, locking it, checking its format.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, ReadableTable, StorageBackend, StorageError, TableDefinition};

use super::rows::TABLES;

/// The file's name in the data directory.
pub const FILE_NAME: &str = "livedrop.redb";

/// Format of keys and rows that this version writes. Raise it when an older version would misread the file.
pub(super) const FORMAT: u64 = 1;

pub(super) const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
pub(super) const FORMAT_KEY: &str = "format";

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another store has the file open, mostly in another process.
    #[error("the data directory {} is in use by another livedrop process: stop that one first, or choose another directory", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer version of this program wrote the file.
    #[error(
        "the store was written by a newer version of livedrop (its format is {found}, this version knows up to {supported}): use that version"
    )]
    NewerFormat {
        /// The file's format.
        found: u64,
        /// The newest format that this version reads.
        supported: u64,
    },
    /// The file is no store, or is damaged.
    #[error("the store is damaged or no livedrop store ({0}): restore it from a backup")]
    Corrupt(String),
    /// The system refused.
    #[error("the store can't be opened")]
    Io(#[source] io::Error),
    /// The committer's thread can't be started.
    #[error("the store's thread can't be started")]
    Thread(#[source] io::Error),
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        let redb::Error::Io(error) = error else {
            return Self::Corrupt(error.to_string());
        };
        // redb says so of what is no database; all else comes from the system.
        let is_content = matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        );
        if is_content {
            Self::Corrupt(error.to_string())
        } else {
            Self::Io(error)
        }
    }
}

/// Opens or makes the store's file in `dir` and locks it.
pub(super) fn open(
    dir: &Path,
    cache_bytes: usize,
    is_checked: bool,
) -> Result<Database, OpenError> {
    let path = dir.join(FILE_NAME);
    if !path.try_exists().map_err(OpenError::Io)? {
        create(dir, &path).map_err(OpenError::Io)??;
    }
    // redb verifies what it wrote, but may panic on a file that someone else has changed.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let opened = builder(cache_bytes)
            .set_check_integrity_on_open(is_checked)
            .open(&path);
        let database = match opened {
            Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
                return Err(OpenError::Locked {
                    dir: dir.to_owned(),
                });
            }
            opened => opened.map_err(redb::Error::from)?,
        };
        prepare(&database)?;
        Ok(database)
    }));
    opened.unwrap_or_else(|_| Err(OpenError::Corrupt("reading it failed".to_owned())))
}

/// Makes a store over any backend, which must be empty.
pub(super) fn with_backend(
    backend: impl StorageBackend,
    cache_bytes: usize,
) -> Result<Database, OpenError> {
    let database = builder(cache_bytes)
        .create_with_backend(backend)
        .map_err(redb::Error::from)?;
    prepare(&database)?;
    Ok(database)
}

fn builder(cache_bytes: usize) -> redb::Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(cache_bytes)
        .set_repair_callback(|progress| {
            tracing::info!(progress = progress.progress(), "verifying the store's file");
        });
    builder
}

/// Makes the file under a name of its own and moves it into place: whoever finds it finds it whole, whenever the power fails.
fn create(dir: &Path, path: &Path) -> io::Result<Result<(), OpenError>> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    // Mode 0600 is this library's promise.
    let file = tempfile::Builder::new()
        .prefix(".livedrop-new-")
        .tempfile_in(dir)?;
    let backend = redb::backends::FileBackend::new(file.reopen()?);
    let made = backend
        .map_err(|error| redb::Error::from(error).into())
        .and_then(|backend| with_backend(backend, 0));
    if let Err(error) = made {
        return Ok(Err(error));
    }
    match file.persist_noclobber(path) {
        Ok(_) => {}
        // Another process was faster. Its file is as good as ours.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    // The names have to last as well: the file's in `dir`, and `dir`'s in its parent.
    File::open(dir)?.sync_all()?;
    if let Some(parent) = fs::canonicalize(dir)?.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(Ok(()))
}

/// Checks the format, notes it in a new file, and makes the tables that are missing.
fn prepare(database: &Database) -> Result<(), OpenError> {
    prepare_tables(database)
        .map_err(OpenError::from)?
        .map_or(Ok(()), Err)
}

fn prepare_tables(database: &Database) -> Result<Option<OpenError>, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get(FORMAT_KEY)?.map(|format| format.value());
        match found {
            Some(found) if found > FORMAT => {
                return Ok(Some(OpenError::NewerFormat {
                    found,
                    supported: FORMAT,
                }));
            }
            Some(_) => {}
            None => drop(meta.insert(FORMAT_KEY, FORMAT)?),
        }
    }
    for table in TABLES {
        transaction.open_table(table)?;
    }
    transaction.commit()?;
    Ok(None)
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        redb::Error::from(error).into()
    }
}
