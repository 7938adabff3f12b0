//! Entries to stored bytes and back: a public half that anyone may read and a private half that only the ledger's owner can open.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use decode::decode;
pub use encode::encode;

/// Stored bytes that this version can't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(pub &'static str);

/// An entry's two halves as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEntry {
    /// Encoded `EntryPublic`.
    pub public: Bytes,
    /// Encoded `EntryPrivate`.
    pub private: Bytes,
}
