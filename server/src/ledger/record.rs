//! A record's bytes and its hash. The layout is fixed for ever: stored ledgers are hashed over it.
//!
//! ```text
//! header (96 B) = ledger_id 16 | seq u64 | format u16 | fold_version u16 | writer_id 16 | batch_id 16
//!               | recorded_at i64 (µs) | available i64 | held i64 | sold i64 | entry count u32, big-endian
//! salt_i = HMAC-SHA-256(secret, seq u64 | i u32)
//! leaf_i = SHA-256(0x00 | len(public) u32 | public | SHA-256(0x02 | salt_i | private))
//! hash   = SHA-256(0x01 | prev_hash | header | leaf_0 .. leaf_n-1 | SHA-256(0x03 | counts))
//! ```

#[cfg(test)]
mod tests;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use livedrop_proto::internal::v1::{Counts, ItemCount, RecordBody, StoredEntry};
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    applied::Applied,
    codec::{self, EncodedEntry},
    entry::Entry,
    state::{FoldError, Item, Position, StockState},
};
use crate::{domain::drop::LedgerSecret, store::LedgerRecord};

/// Layout of the stored bytes.
pub const FORMAT: u16 = 1;
/// The newest fold this version understands, and the one it writes.
pub const FOLD_VERSION: u16 = 1;
/// A body is closed when it holds this much: the database stores proposals twice and dislikes large ones.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Length of the header as hashed.
pub const HEADER_BYTES: usize = 96;

type Hash = [u8; 32];

/// The header as hashed.
#[must_use]
pub fn header(record: &LedgerRecord, entry_count: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(record.ledger_id.as_bytes());
    bytes.extend_from_slice(&record.seq.to_be_bytes());
    bytes.extend_from_slice(&record.format.to_be_bytes());
    bytes.extend_from_slice(&record.fold_version.to_be_bytes());
    bytes.extend_from_slice(record.writer_id.as_bytes());
    bytes.extend_from_slice(record.batch_id.as_bytes());
    bytes.extend_from_slice(&record.recorded_at.micros().to_be_bytes());
    bytes.extend_from_slice(&record.available.to_be_bytes());
    bytes.extend_from_slice(&record.held.to_be_bytes());
    bytes.extend_from_slice(&record.sold.to_be_bytes());
    bytes.extend_from_slice(&entry_count.to_be_bytes());
    bytes
}

/// Makes salts of one ledger.
#[derive(Clone)]
pub struct Salts(Hmac<Sha256>);

impl std::fmt::Debug for Salts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salts(..)")
    }
}

impl Salts {
    /// Salts of the ledger with this secret.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(secret: &LedgerSecret) -> Self {
        Self(Hmac::new_from_slice(&secret.0).expect("HMAC takes a key of any length"))
    }

    /// The salt of entry `index` of record `seq`.
    #[must_use]
    pub fn of(&self, seq: u64, index: u32) -> Hash {
        let mut mac = self.0.clone();
        mac.update(&seq.to_be_bytes());
        mac.update(&index.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Hash of an entry's private half.
#[must_use]
pub fn private_hash(salt: &Hash, private: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([2])
        .chain_update(salt)
        .chain_update(private)
        .finalize()
        .into()
}

/// Hash of an entry.
#[must_use]
pub fn leaf(public: &[u8], private_hash: &Hash) -> Hash {
    let length = u32::try_from(public.len()).unwrap_or(u32::MAX);
    let hasher = Sha256::new()
        .chain_update([0])
        .chain_update(length.to_be_bytes());
    hasher
        .chain_update(public)
        .chain_update(private_hash)
        .finalize()
        .into()
}

/// Hash of the counts.
#[must_use]
pub fn counts_hash(counts: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([3])
        .chain_update(counts)
        .finalize()
        .into()
}

/// Hash of a record.
#[must_use]
pub fn record_hash(prev_hash: &Hash, header: &[u8], leaves: &[Hash], counts_hash: &Hash) -> Hash {
    let mut hasher = Sha256::new()
        .chain_update([1])
        .chain_update(prev_hash)
        .chain_update(header);
    for leaf in leaves {
        hasher.update(leaf);
    }
    hasher.chain_update(counts_hash).finalize().into()
}

/// The counts of the items that the entries touched, as stored.
#[must_use]
pub fn encode_counts<'a>(state: &StockState, entries: impl Iterator<Item = &'a Entry>) -> Bytes {
    let mut touched: Vec<_> = entries
        .flat_map(|entry| &entry.moves)
        .map(|change| change.item_id)
        .collect();
    touched.sort_unstable();
    touched.dedup();
    let count = |item: &Item| ItemCount {
        item_id: Bytes::copy_from_slice(item.item_id.as_bytes()),
        available: item.available,
        held: item.held,
        sold: item.sold,
    };
    let items = touched
        .into_iter()
        .filter_map(|item_id| state.item(item_id))
        .map(count)
        .collect();
    Counts { items }.encode_to_vec().into()
}

/// Who writes a record, and which try it is.
#[derive(Debug, Clone, Copy)]
pub struct Author {
    /// The process.
    pub writer_id: Uuid,
    /// Random, for these bytes alone.
    pub batch_id: Uuid,
}

/// Makes the record of entries that were just applied to `state`.
#[must_use]
pub fn build(
    state: &StockState,
    salts: &Salts,
    author: Author,
    at: Position,
    entries: &[Entry],
    encoded: Vec<EncodedEntry>,
) -> LedgerRecord {
    let (available, held, sold) = state.totals();
    let counts = encode_counts(state, entries.iter());
    let entry_count = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
    let leaves = leaves(salts, at.seq, &encoded);
    let stored = encoded.into_iter().map(|entry| StoredEntry {
        public: entry.public,
        private: entry.private,
    });
    let body = RecordBody {
        entries: stored.collect(),
        counts: counts.clone(),
    };
    let mut record = LedgerRecord {
        ledger_id: state.ledger_id(),
        seq: at.seq,
        format: FORMAT,
        fold_version: FOLD_VERSION,
        writer_id: author.writer_id,
        batch_id: author.batch_id,
        recorded_at: at.recorded_at,
        available,
        held,
        sold,
        prev_hash: state.head_hash(),
        hash: [0; 32],
        body: body.encode_to_vec().into(),
    };
    record.hash = record_hash(
        &record.prev_hash,
        &header(&record, entry_count),
        &leaves,
        &counts_hash(&counts),
    );
    record
}

/// The leaves of a record's entries.
#[must_use]
pub fn leaves(salts: &Salts, seq: u64, entries: &[EncodedEntry]) -> Vec<Hash> {
    (0..)
        .zip(entries)
        .map(|(i, entry)| {
            leaf(
                &entry.public,
                &private_hash(&salts.of(seq, i), &entry.private),
            )
        })
        .collect()
}

/// A record's body, read and checked against the record's bytes, but not against its hash.
#[derive(Debug)]
pub struct Body {
    /// The entries as stored.
    pub encoded: Vec<EncodedEntry>,
    /// The counts as stored.
    pub counts: Bytes,
}

/// Reads a record's body.
///
/// # Errors
/// If it was written by a newer version, or is not canonical.
pub fn read_body(record: &LedgerRecord) -> Result<Body, FoldError> {
    let fail = |why: &str| FoldError::Record {
        seq: record.seq,
        why: why.to_owned(),
    };
    if record.format != FORMAT {
        return Err(fail("unknown format"));
    }
    if record.fold_version > FOLD_VERSION {
        return Err(fail("written by a newer version"));
    }
    let body = RecordBody::decode(record.body.clone()).map_err(|_| fail("body is malformed"))?;
    if body.encode_to_vec() != record.body {
        return Err(fail("body is not canonical"));
    }
    let encoded = body.entries.into_iter().map(|e| EncodedEntry {
        public: e.public,
        private: e.private,
    });
    let encoded: Vec<_> = encoded.collect();
    if encoded.is_empty() {
        return Err(fail("no entries"));
    }
    Ok(Body {
        encoded,
        counts: body.counts,
    })
}

/// Folds a stored record: checks its place in the chain, its hash, each entry, and its counts against the fold's.
///
/// # Errors
/// If anything does not fit. The state is as before then.
pub fn fold(state: &mut StockState, record: &LedgerRecord) -> Result<Applied, FoldError> {
    state.begin();
    let entries = match fold_unmarked(state, record) {
        Ok(entries) => entries,
        Err(error) => {
            state.rollback();
            return Err(error);
        }
    };
    state.commit(record.hash, record.recorded_at);
    Applied::newest(state, entries).ok_or(FoldError::Record {
        seq: record.seq,
        why: "no terms".to_owned(),
    })
}

fn fold_unmarked(state: &mut StockState, record: &LedgerRecord) -> Result<Vec<Entry>, FoldError> {
    let fail = |why: String| FoldError::Record {
        seq: record.seq,
        why,
    };
    if record.ledger_id != state.ledger_id() || record.seq != state.seq() + 1 {
        return Err(fail(format!("expected record {}", state.seq() + 1)));
    }
    if record.prev_hash != state.head_hash() {
        return Err(fail(
            "prev_hash is not the hash of the record before".to_owned(),
        ));
    }
    if record.recorded_at < state.recorded_at() {
        return Err(fail("time runs backwards".to_owned()));
    }
    let body = read_body(record)?;
    let mut entries = Vec::with_capacity(body.encoded.len());
    for (index, encoded) in (0..).zip(&body.encoded) {
        let entry =
            codec::decode(encoded).map_err(|error| fail(format!("entry {index}: {error}")))?;
        let at = Position {
            seq: record.seq,
            index,
            recorded_at: record.recorded_at,
        };
        state
            .apply(&entry, at)
            .map_err(|error| fail(format!("entry {index}: {error}")))?;
        entries.push(entry);
    }
    check_hash(state, record, &body).map_err(|why| fail(why.to_owned()))?;
    if (record.available, record.held, record.sold) != state.totals() {
        return Err(fail("totals do not follow from the entries".to_owned()));
    }
    if body.counts != encode_counts(state, entries.iter()) {
        return Err(fail("counts do not follow from the entries".to_owned()));
    }
    Ok(entries)
}

fn check_hash(state: &StockState, record: &LedgerRecord, body: &Body) -> Result<(), &'static str> {
    let secret = state
        .secret()
        .ok_or("the first entry does not freeze terms")?;
    let leaves = leaves(&Salts::new(secret), record.seq, &body.encoded);
    let entry_count = u32::try_from(body.encoded.len()).map_err(|_| "too many entries")?;
    let header = header(record, entry_count);
    if record_hash(
        &record.prev_hash,
        &header,
        &leaves,
        &counts_hash(&body.counts),
    ) == record.hash
    {
        Ok(())
    } else {
        Err("hash does not match the content")
    }
}
