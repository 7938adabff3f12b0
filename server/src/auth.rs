//! Who calls: keys, access tokens, refresh tokens and passwords. Knows neither storage nor gRPC.

pub mod access;
pub mod key_file;
pub mod keys;
pub mod passwords;
pub mod refresh;

use std::{io, path::PathBuf};

pub use access::AccessTokens;
pub use keys::Keys;
pub use passwords::{PasswordCost, PasswordError, Passwords};
pub use refresh::RefreshToken;
use uuid::Uuid;

use crate::domain::{AccountId, Timestamp};

/// Who makes a call, as proved by an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The caller's account.
    pub account_id: AccountId,
    /// The session whose token it is.
    pub session_id: Uuid,
    /// When the token ends; streams end with it.
    pub expires_at: Timestamp,
}

/// Why credentials can't be handled at all: the server must not start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The key file can't be read or made.
    #[error("can't use the key file {}", .path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no key file where all processes must have the same.
    #[error("there is no key file {}: copy that of the other processes, or let `livedrop migrate` make the first", .0.display())]
    KeyFileMissing(PathBuf),
    /// Others than its owner may read the key file.
    #[error("the key file {} has mode {mode:04o}: others must not read it (chmod 600)", .path.display())]
    KeyFileExposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not one of ours.
    #[error("the key file {} is malformed: {problem}", .path.display())]
    KeyFileMalformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong; nothing of the content.
        problem: String,
    },
    /// A key or the crypto library does not work.
    #[error("crypto does not work: {0}")]
    Crypto(String),
    /// The threads for passwords can't be started.
    #[error("can't start a password thread")]
    Thread(#[source] io::Error),
}

impl SetupError {
    fn crypto(error: impl std::fmt::Display) -> Self {
        Self::Crypto(error.to_string())
    }
}
