//! The ledger's hashes, as `livedrop/v1/ledger.proto` defines them. Written apart from the server, so that each checks the other.

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) type Hash = [u8; 32];

/// Length of a record's header as hashed.
pub(crate) const HEADER_BYTES: usize = 96;

/// The only layout of records so far.
pub(crate) const FORMAT: u16 = 1;

/// A record's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) ledger_id: Uuid,
    pub(crate) seq: u64,
    pub(crate) format: u16,
    pub(crate) fold_version: u16,
    pub(crate) writer_id: [u8; 16],
    pub(crate) batch_id: [u8; 16],
    pub(crate) recorded_at_us: i64,
    pub(crate) available: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
    pub(crate) entry_count: u32,
}

impl Header {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(self.ledger_id.as_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.format.to_be_bytes());
        bytes.extend_from_slice(&self.fold_version.to_be_bytes());
        bytes.extend_from_slice(&self.writer_id);
        bytes.extend_from_slice(&self.batch_id);
        bytes.extend_from_slice(&self.recorded_at_us.to_be_bytes());
        bytes.extend_from_slice(&self.available.to_be_bytes());
        bytes.extend_from_slice(&self.held.to_be_bytes());
        bytes.extend_from_slice(&self.sold.to_be_bytes());
        bytes.extend_from_slice(&self.entry_count.to_be_bytes());
        bytes
    }

    /// `None` unless there are exactly 96 bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let header = Self {
            ledger_id: Uuid::from_bytes(rest.take()?),
            seq: u64::from_be_bytes(rest.take()?),
            format: u16::from_be_bytes(rest.take()?),
            fold_version: u16::from_be_bytes(rest.take()?),
            writer_id: rest.take()?,
            batch_id: rest.take()?,
            recorded_at_us: i64::from_be_bytes(rest.take()?),
            available: i64::from_be_bytes(rest.take()?),
            held: i64::from_be_bytes(rest.take()?),
            sold: i64::from_be_bytes(rest.take()?),
            entry_count: u32::from_be_bytes(rest.take()?),
        };
        rest.0.is_empty().then_some(header)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }
}

/// Reads a hash. The length matters: hashed parts are joined without separators.
pub(crate) fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok()
}

pub(crate) fn private_hash(salt: &Hash, private: &[u8]) -> Hash {
    let hasher = Sha256::new().chain_update([2]).chain_update(salt);
    hasher.chain_update(private).finalize().into()
}

/// `None` if the public part is too long for its length to be hashed.
pub(crate) fn leaf(public: &[u8], private_hash: &Hash) -> Option<Hash> {
    let length = u32::try_from(public.len()).ok()?;
    let hasher = Sha256::new()
        .chain_update([0])
        .chain_update(length.to_be_bytes())
        .chain_update(public);
    Some(hasher.chain_update(private_hash).finalize().into())
}

pub(crate) fn counts_hash(counts: &[u8]) -> Hash {
    let hasher = Sha256::new().chain_update([3]);
    hasher.chain_update(counts).finalize().into()
}

pub(crate) fn record_hash(
    prev_hash: &Hash,
    header: &[u8],
    leaves: &[Hash],
    counts_hash: &Hash,
) -> Hash {
    let mut hasher = Sha256::new()
        .chain_update([1])
        .chain_update(prev_hash)
        .chain_update(header);
    for leaf in leaves {
        hasher.update(leaf);
    }
    hasher.chain_update(counts_hash).finalize().into()
}
