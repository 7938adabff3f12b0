//! Checks a drop's public ledger offline: every hash, and the stock recounted from its first unit.
//!
//! Records come from `ListLedgerRecords`, which anyone can call. [`verify_chain`] takes them all, [`Verifier`] one by one.

use std::collections::BTreeMap;

use livedrop_proto::{
    internal::v1::{self as stored, EntryKind},
    v1,
};
use prost::Message;
use uuid::Uuid;

use crate::hash::{self, Hash, Header};

mod recount;

use recount::Recount;

/// What a ledger adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Number of records, which is the position of the newest.
    pub record_count: u64,
    /// Hash of the newest record; zeros if there is none.
    pub head_hash: [u8; 32],
    /// All items together.
    pub stock: Stock,
    /// Each item.
    pub items: BTreeMap<Uuid, Stock>,
    /// Number of entries of each kind, by the number of its [`v1::LedgerEntryKind`]: a newer server may write kinds unknown here.
    pub entry_counts: BTreeMap<i32, u64>,
}

impl Totals {
    /// Number of entries of a kind.
    #[must_use]
    pub fn entry_count(&self, kind: v1::LedgerEntryKind) -> u64 {
        let count = self.entry_counts.get(&kind.into());
        count.copied().unwrap_or_default()
    }
}

/// Where units are. Always: `available + held + sold = initial + restocked`, and none is negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stock {
    /// Units at the start.
    pub initial: i64,
    /// Units added since.
    pub restocked: i64,
    /// Units available.
    pub available: i64,
    /// Units held.
    pub held: i64,
    /// Units sold.
    pub sold: i64,
}

/// Where a ledger is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {fault}")]
#[non_exhaustive]
pub struct LedgerError {
    /// Position where a right record was expected, from 1.
    pub seq: u64,
    /// What is wrong with the record found there.
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is not the next one.
    #[error("a record is missing or repeated")]
    Seq,
    /// A part is missing, has the wrong length or is not in its one valid form.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// It does not follow the record before it.
    #[error("previous hash is not the hash of the record before")]
    Chain,
    /// Its content was changed.
    #[error("hash does not match the content")]
    Hash,
    /// It is older than the record before it.
    #[error("time runs backwards")]
    Time,
    /// A decoded field says something else than the hashed bytes.
    #[error("decoded {0} differ from the hashed bytes")]
    Decoded(&'static str),
    /// An entry moves units in a way that its kind can't, or there are not enough of.
    #[error("entry {index}: {why}")]
    Entry {
        /// Index of the entry in the record, from 0.
        index: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// The counts it tells are not those that the entries add up to.
    #[error("counts do not follow from the entries")]
    Counts,
    /// The totals it tells are not those that the entries add up to.
    #[error("totals do not follow from the entries")]
    Totals,
}

/// Checks all records of the drop's ledger, oldest first.
///
/// # Errors
/// The first record that is wrong.
pub fn verify_chain<'a>(
    drop_id: Uuid,
    records: impl IntoIterator<Item = &'a v1::LedgerRecord>,
) -> Result<Totals, LedgerError> {
    let mut verifier = Verifier::new(drop_id);
    for record in records {
        verifier.push(record)?;
    }
    Ok(verifier.totals())
}

/// Checks a ledger record by record, so that it need not fit into memory.
#[derive(Debug, Clone)]
pub struct Verifier {
    ledger_id: Uuid,
    seq: u64,
    head_hash: Hash,
    recorded_at_us: i64,
    recount: Recount,
}

impl Verifier {
    /// Starts before the first record of the drop's ledger.
    #[must_use]
    pub fn new(drop_id: Uuid) -> Self {
        Self {
            ledger_id: drop_id,
            seq: 0,
            head_hash: [0; 32],
            recorded_at_us: i64::MIN,
            recount: Recount::default(),
        }
    }

    /// Checks the next record.
    ///
    /// # Errors
    /// If it is wrong. What follows can't be checked then; start again.
    pub fn push(&mut self, record: &v1::LedgerRecord) -> Result<(), LedgerError> {
        let seq = self.seq.saturating_add(1);
        self.check(seq, record)
            .map_err(|fault| LedgerError { seq, fault })
    }

    /// What the records so far add up to.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            record_count: self.seq,
            head_hash: self.head_hash,
            stock: self.recount.sum(),
            items: self.recount.items.clone(),
            entry_counts: self.recount.entry_counts.clone(),
        }
    }

    fn check(&mut self, seq: u64, record: &v1::LedgerRecord) -> Result<(), Fault> {
        if u64::try_from(record.seq) != Ok(seq) {
            return Err(Fault::Seq);
        }
        let hash = self.check_hash(seq, record)?;
        if record.recorded_at_us < self.recorded_at_us {
            return Err(Fault::Time);
        }
        if record.entries.is_empty() {
            return Err(Fault::Malformed("list of entries"));
        }
        let mut touched = Vec::new();
        for (index, entry) in record.entries.iter().enumerate() {
            let public = read_entry(entry)?;
            let first = seq == 1 && index == 0;
            if (public.kind() == EntryKind::TermsFrozen) != first {
                let why = "terms are frozen by the first entry and no other";
                return Err(Fault::Entry { index, why });
            }
            touched.extend(
                self.recount
                    .apply(&public)
                    .map_err(|why| Fault::Entry { index, why })?,
            );
        }
        touched.sort_unstable();
        touched.dedup();
        self.check_counts(record, &touched)?;
        self.seq = seq;
        self.head_hash = hash;
        self.recorded_at_us = record.recorded_at_us;
        Ok(())
    }

    fn check_hash(&self, seq: u64, record: &v1::LedgerRecord) -> Result<Hash, Fault> {
        let header = self.header(seq, record)?;
        let prev_hash = hash::hash(&record.prev_hash).ok_or(Fault::Malformed("previous hash"))?;
        if prev_hash != self.head_hash {
            return Err(Fault::Chain);
        }
        let leaves = record.entries.iter().map(|entry| {
            let private_hash =
                hash::hash(&entry.private_hash).ok_or(Fault::Malformed("private hash"))?;
            hash::leaf(&entry.public, &private_hash).ok_or(Fault::Malformed("public part"))
        });
        let leaves: Vec<Hash> = leaves.collect::<Result<_, _>>()?;
        let counts_hash = hash::counts_hash(&record.counts);
        let hash = hash::record_hash(&prev_hash, &header.to_bytes(), &leaves, &counts_hash);
        if record.hash == hash.as_slice() {
            Ok(hash)
        } else {
            Err(Fault::Hash)
        }
    }

    fn header(&self, seq: u64, record: &v1::LedgerRecord) -> Result<Header, Fault> {
        let id = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok();
        let format = u16::try_from(record.format).ok();
        Ok(Header {
            ledger_id: self.ledger_id,
            seq,
            format: format
                .filter(|format| *format == hash::FORMAT)
                .ok_or(Fault::Malformed("format"))?,
            fold_version: u16::try_from(record.fold_version)
                .map_err(|_| Fault::Malformed("fold version"))?,
            writer_id: id(&record.writer_id).ok_or(Fault::Malformed("writer id"))?,
            batch_id: id(&record.batch_id).ok_or(Fault::Malformed("batch id"))?,
            recorded_at_us: record.recorded_at_us,
            available: record.available,
            held: record.held,
            sold: record.sold,
            entry_count: u32::try_from(record.entries.len())
                .map_err(|_| Fault::Malformed("list of entries"))?,
        })
    }

    fn check_counts(&self, record: &v1::LedgerRecord, touched: &[Uuid]) -> Result<(), Fault> {
        let expected = self.recount.counts(touched);
        if record.counts != expected.encode_to_vec() {
            return Err(Fault::Counts);
        }
        let decoded =
            expected
                .items
                .iter()
                .zip(touched)
                .map(|(count, item_id)| v1::LedgerItemCount {
                    item_id: item_id.to_string(),
                    available: count.available,
                    held: count.held,
                    sold: count.sold,
                });
        if !decoded.eq(record.item_counts.iter().cloned()) {
            return Err(Fault::Decoded("item counts"));
        }
        let sum = self.recount.sum();
        if (record.available, record.held, record.sold) != (sum.available, sum.held, sum.sold) {
            return Err(Fault::Totals);
        }
        Ok(())
    }
}

/// Decodes an entry's public part and compares it with the decoded fields beside it.
fn read_entry(entry: &v1::LedgerEntry) -> Result<stored::EntryPublic, Fault> {
    let public = stored::EntryPublic::decode(entry.public.clone())
        .map_err(|_| Fault::Malformed("public part"))?;
    // A kind that neither the server nor this code knows comes undecoded.
    let unknown = EntryKind::try_from(public.kind).is_err() && entry.kind == 0;
    if entry.kind != public.kind && !unknown {
        return Err(Fault::Decoded("kinds"));
    }
    let moves = public.moves.iter().map(|change| v1::LedgerMove {
        item_id: Uuid::from_slice(&change.item_id)
            .map(|id| id.to_string())
            .unwrap_or_default(),
        available_delta: change.available,
        held_delta: change.held,
        sold_delta: change.sold,
    });
    if !moves.eq(entry.moves.iter().cloned()) {
        return Err(Fault::Decoded("moves"));
    }
    Ok(public)
}

#[cfg(test)]
mod tests;
