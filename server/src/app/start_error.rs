//! Why a server does not start. Each text says what to do about it.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{
    auth, media,
    payments::{stripe::StripeConfigError, test},
    rpc,
    search::SearchError,
    store::{StoreError, embedded::OpenError, scylla::ConnectError},
};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port can't be had.
    #[error("can't listen on {address}: {}", advice(flag, source.kind()))]
    Listen {
        /// The flag that changes the address.
        flag: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The data directory can't be used.
    #[error("can't use the data directory {}: make it readable and writable for this user, or choose another with --data", .path.display())]
    DataDirectory {
        /// Which directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The store can't be opened.
    #[error(transparent)]
    Store(OpenError),
    /// The database can't be used.
    #[error(transparent)]
    Cql(#[from] ConnectError),
    /// A file for TLS to the database is of no use.
    #[error("can't use {} for TLS to the database ({why}): see cql.tls_ca, cql.tls_cert, cql.tls_key", .path.display())]
    CqlTls {
        /// Which file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The store can't be read.
    #[error("can't read the store")]
    Unreadable(#[from] StoreError),
    /// A rebuild was cut off.
    #[error(
        "rows are missing in the store: `livedrop rebuild` was cut off; run it again, to its end"
    )]
    HalfRebuilt,
    /// An import was cut off.
    #[error(
        "this store is not imported to its end: run `livedrop import` again with the same file, to its end"
    )]
    HalfImported,
    /// Keys or passwords can't be used.
    #[error(transparent)]
    Auth(#[from] auth::SetupError),
    /// Certificate or key can't be read.
    #[error("can't read {}", .path.display())]
    TlsFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Certificate or key are of no use.
    #[error("server.tls_cert and server.tls_key don't work")]
    Tls(#[from] rpc::serve::TlsError),
    /// A list of origins that holds something else.
    #[error("server.cors_origins: {0}")]
    Origin(#[from] rpc::origins::NoOrigin),
    /// The public port can't be put together.
    #[error(transparent)]
    Rpc(#[from] rpc::SetupError),
    /// The test provider's file can't be used.
    #[error("the test payment provider can't start")]
    TestProvider(#[source] test::FileError),
    /// Stripe can't be used as the settings say.
    #[error("payments.stripe_*: {0}")]
    Stripe(#[from] StripeConfigError),
    /// The search index can't be used.
    #[error(
        "can't use the search index in {}: make it readable and writable for this user, or remove it; it is made anew",
        .folder.display()
    )]
    Search {
        /// Which directory.
        folder: PathBuf,
        /// Why not.
        source: SearchError,
    },
    /// There is no place for pictures.
    #[error(transparent)]
    Media(#[from] media::OpenError),
    /// The place of pictures that nobody keeps can't be made.
    #[error("can't make a temporary folder for pictures: name one with media.folder")]
    TemporaryFolder(#[source] io::Error),
    /// A task of the start was cut off.
    #[error("the start was cut off: {0}")]
    Task(String),
}

impl StartError {
    pub(crate) fn store(path: PathBuf, error: OpenError) -> Self {
        match error {
            OpenError::Io(source) => Self::DataDirectory { path, source },
            other @ (OpenError::Locked { .. }
            | OpenError::NewerFormat { .. }
            | OpenError::Corrupt(_)
            | OpenError::Thread(_)) => Self::Store(other),
        }
    }
}

fn advice(flag: &str, kind: io::ErrorKind) -> String {
    let other = format!("choose another address with {flag}");
    if kind == io::ErrorKind::AddrInUse {
        format!("stop the program that does so, or {other} (port 0 takes a free one)")
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("{other}, with a port above 1023")
    } else {
        other
    }
}
