//! A receipt: proof of one entry that can be checked without the ledger and without trusting the server's memory.

use bytes::Bytes;

use super::{
    record::{self, Salts},
    state::{FoldError, Position},
};
use crate::{domain::drop::LedgerSecret, store::LedgerRecord};

/// Everything that a check needs: header, chain hashes, the entry with its private half and salt, and all leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The record's header as hashed.
    pub header: Vec<u8>,
    /// Hash of the record before.
    pub prev_hash: [u8; 32],
    /// Hash of the record.
    pub hash: [u8; 32],
    /// Hash of the record's counts.
    pub counts_hash: [u8; 32],
    /// The entry's public half.
    pub public: Bytes,
    /// The entry's private half.
    pub private: Bytes,
    /// The entry's salt.
    pub salt: [u8; 32],
    /// The entry's place among the leaves.
    pub index: u32,
    /// All leaves of the record.
    pub leaves: Vec<[u8; 32]>,
}

/// Makes the receipt of the entry at `at` from its record.
///
/// # Errors
/// If the record is not readable or has no such entry.
pub fn make(
    record: &LedgerRecord,
    secret: &LedgerSecret,
    at: Position,
) -> Result<Receipt, FoldError> {
    let fail = |why: &str| FoldError::Record {
        seq: record.seq,
        why: why.to_owned(),
    };
    let body = record::read_body(record)?;
    let index = usize::try_from(at.index).map_err(|_| fail("no such entry"))?;
    let entry = body
        .encoded
        .get(index)
        .filter(|_| record.seq == at.seq)
        .ok_or_else(|| fail("no such entry"))?;
    let salts = Salts::new(secret);
    let entry_count = u32::try_from(body.encoded.len()).map_err(|_| fail("too many entries"))?;
    Ok(Receipt {
        header: record::header(record, entry_count),
        prev_hash: record.prev_hash,
        hash: record.hash,
        counts_hash: record::counts_hash(&body.counts),
        public: entry.public.clone(),
        private: entry.private.clone(),
        salt: salts.of(record.seq, at.index),
        index: at.index,
        leaves: record::leaves(&salts, record.seq, &body.encoded),
    })
}
