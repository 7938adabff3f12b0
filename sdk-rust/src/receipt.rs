//! Checks a receipt offline: that a ledger's record contains the order it names.
//!
//! A receipt that verifies is complete and unchanged. That its record is the ledger's own shows the third step of the contract: the
//! public ledger has the same hash at the same position, see [`VerifiedReceipt::is_in`].

use livedrop_proto::{
    internal::v1::{self as stored, entry_private::Detail},
    v1,
};
use prost::Message;
use uuid::Uuid;

use crate::hash::{self, Header};

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedReceipt {
    /// The ledger, which is the drop's id too.
    pub ledger_id: Uuid,
    /// Position of the record in the ledger, from 1.
    pub seq: u64,
    /// Ledger time of the record, in microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at_us: i64,
    /// What happened: `Held`, `Sold` or `SoldLate`.
    pub kind: v1::LedgerEntryKind,
    /// The order.
    pub order_id: Uuid,
    /// The buyer's account; of a hold only, a sale does not repeat it.
    pub buyer_id: Option<Uuid>,
    /// Units moved, by item.
    pub moves: Vec<Move>,
    /// Hash of the record.
    pub record_hash: [u8; 32],
}

/// Units of one item that an entry moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Move {
    /// The item.
    pub item_id: Uuid,
    /// Change of the units available.
    pub available: i64,
    /// Change of the units held.
    pub held: i64,
    /// Change of the units sold.
    pub sold: i64,
}

/// What is wrong with a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// A part is missing or has the wrong length.
    #[error("receipt's {0} is malformed")]
    Malformed(&'static str),
    /// The record is of a format that this version can't read.
    #[error("record has format {0}, which this version does not know")]
    Format(u16),
    /// The entry is not at its place in the record.
    #[error("the entry is not what the record has at its index")]
    Leaf,
    /// The parts do not make the record's hash.
    #[error("the record's hash does not match its content")]
    Hash,
    /// The entry does not hold or sell an order's units.
    #[error("the entry is not a purchase")]
    NotPurchase,
}

impl VerifiedReceipt {
    /// True if `record`, read from the public ledger of the same drop, is the record that the receipt proves.
    #[must_use]
    pub fn is_in(&self, record: &v1::LedgerRecord) -> bool {
        u64::try_from(record.seq) == Ok(self.seq) && record.hash == self.record_hash.as_slice()
    }
}

/// Recomputes a receipt.
///
/// # Errors
/// If one byte of it is not as the server wrote it, or the entry is not a purchase.
pub fn verify(receipt: &v1::Receipt) -> Result<VerifiedReceipt, ReceiptError> {
    let header = Header::parse(&receipt.header).ok_or(ReceiptError::Malformed("header"))?;
    if header.format != hash::FORMAT {
        return Err(ReceiptError::Format(header.format));
    }
    let record_hash = check_hashes(receipt, &header)?;
    let public = stored::EntryPublic::decode(receipt.public.clone())
        .map_err(|_| ReceiptError::Malformed("public part"))?;
    let private = stored::EntryPrivate::decode(receipt.private.clone())
        .map_err(|_| ReceiptError::Malformed("private part"))?;
    let (kind, order_id, buyer_id) = match (public.kind(), private.detail) {
        (stored::EntryKind::Held, Some(Detail::Held(held))) => (
            v1::LedgerEntryKind::Held,
            held.order_id,
            Some(id(&held.buyer_id, "buyer id")?),
        ),
        (stored::EntryKind::Sold, Some(Detail::Sold(sold))) => {
            (v1::LedgerEntryKind::Sold, sold.order_id, None)
        }
        (stored::EntryKind::SoldLate, Some(Detail::SoldLate(sold))) => {
            (v1::LedgerEntryKind::SoldLate, sold.order_id, None)
        }
        _ => return Err(ReceiptError::NotPurchase),
    };
    Ok(VerifiedReceipt {
        ledger_id: header.ledger_id,
        seq: header.seq,
        recorded_at_us: header.recorded_at_us,
        kind,
        order_id: id(&order_id, "order id")?,
        buyer_id,
        moves: public
            .moves
            .iter()
            .map(read_move)
            .collect::<Result<_, _>>()?,
        record_hash,
    })
}

/// Returns the record's hash if the entry is at its index and all parts make the hash.
fn check_hashes(receipt: &v1::Receipt, header: &Header) -> Result<hash::Hash, ReceiptError> {
    let read = |bytes: &[u8], part| hash::hash(bytes).ok_or(ReceiptError::Malformed(part));
    let salt = read(&receipt.salt, "salt")?;
    let prev_hash = read(&receipt.prev_hash, "previous hash")?;
    let counts_hash = read(&receipt.counts_hash, "counts hash")?;
    let record_hash = read(&receipt.hash, "hash")?;
    let leaves = receipt.leaves.iter().map(|leaf| read(leaf, "leaf"));
    let leaves: Vec<_> = leaves.collect::<Result<_, _>>()?;
    if u32::try_from(leaves.len()) != Ok(header.entry_count) {
        return Err(ReceiptError::Malformed("number of leaves"));
    }
    let private_hash = hash::private_hash(&salt, &receipt.private);
    let leaf =
        hash::leaf(&receipt.public, &private_hash).ok_or(ReceiptError::Malformed("public part"))?;
    let index = usize::try_from(receipt.index).map_err(|_| ReceiptError::Malformed("index"))?;
    if leaves.get(index) != Some(&leaf) {
        return Err(ReceiptError::Leaf);
    }
    if hash::record_hash(&prev_hash, &receipt.header, &leaves, &counts_hash) != record_hash {
        return Err(ReceiptError::Hash);
    }
    Ok(record_hash)
}

fn read_move(change: &stored::Move) -> Result<Move, ReceiptError> {
    Ok(Move {
        item_id: id(&change.item_id, "item id")?,
        available: change.available,
        held: change.held,
        sold: change.sold,
    })
}

fn id(bytes: &[u8], part: &'static str) -> Result<Uuid, ReceiptError> {
    Uuid::from_slice(bytes).map_err(|_| ReceiptError::Malformed(part))
}

#[cfg(test)]
mod tests;
