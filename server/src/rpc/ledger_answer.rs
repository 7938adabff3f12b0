//! Ledger records as anyone may see them: all of the public halves, of the private ones the hashes.

use livedrop_proto::{
    internal::v1::{Counts, EntryPublic},
    v1,
};
use prost::Message as _;

use super::page_token::{self, LedgerPage};
use crate::{
    auth::Keys,
    domain::{ItemId, drop::LedgerSecret},
    ledger::record::{self, Salts},
    service::Error,
    store::LedgerRecord,
};

/// What a page may hold in bodies: gRPC clients commonly take 4 MiB, and a decoded record is about twice its body.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// A page of records; shorter than asked for if they are large.
pub(super) fn page(
    keys: &Keys,
    page: &LedgerPage,
    records: &[LedgerRecord],
    secret: Option<&LedgerSecret>,
) -> Result<v1::ListLedgerRecordsResponse, Error> {
    let Some(secret) = secret else {
        return Ok(v1::ListLedgerRecordsResponse::default());
    };
    let salts = Salts::new(secret);
    let mut shown = Vec::with_capacity(records.len());
    let mut bytes = 0;
    for stored in records {
        bytes += stored.body.len();
        if bytes > PAGE_BYTES_MAX && !shown.is_empty() {
            break;
        }
        shown.push(self::record(stored, &salts).map_err(|cause| {
            Error::Internal(format!(
                "record {} of {}: {cause}",
                stored.seq, stored.ledger_id
            ))
        })?);
    }
    let is_last = shown.len() == records.len() && records.len() < page.size;
    let next_page_token = match shown.last() {
        Some(last) if !is_last => {
            page_token::ledger_token(keys, page.drop_id, last.seq.unsigned_abs())
        }
        Some(_) | None => String::new(),
    };
    Ok(v1::ListLedgerRecordsResponse {
        records: shown,
        next_page_token,
    })
}

fn record(stored: &LedgerRecord, salts: &Salts) -> Result<v1::LedgerRecord, String> {
    let body = record::read_body(stored).map_err(|error| error.to_string())?;
    let counts = Counts::decode(body.counts.clone()).map_err(|error| error.to_string())?;
    let mut entries = Vec::with_capacity(body.encoded.len());
    for (index, entry) in (0..).zip(&body.encoded) {
        let private_hash = record::private_hash(&salts.of(stored.seq, index), &entry.private);
        let public =
            EntryPublic::decode(entry.public.clone()).map_err(|error| error.to_string())?;
        let moves = public.moves.iter().map(|change| v1::LedgerMove {
            item_id: item_id(&change.item_id),
            available_delta: change.available,
            held_delta: change.held,
            sold_delta: change.sold,
        });
        entries.push(v1::LedgerEntry {
            public: entry.public.clone(),
            private_hash: private_hash.to_vec().into(),
            // Both enums have the same numbers.
            kind: public.kind,
            moves: moves.collect(),
        });
    }
    let count = |count: livedrop_proto::internal::v1::ItemCount| v1::LedgerItemCount {
        item_id: item_id(&count.item_id),
        available: count.available,
        held: count.held,
        sold: count.sold,
    };
    Ok(v1::LedgerRecord {
        seq: i64::try_from(stored.seq).unwrap_or(i64::MAX),
        format: i32::from(stored.format),
        fold_version: i32::from(stored.fold_version),
        writer_id: stored.writer_id.as_bytes().to_vec().into(),
        batch_id: stored.batch_id.as_bytes().to_vec().into(),
        recorded_at_us: stored.recorded_at.micros(),
        available: stored.available,
        held: stored.held,
        sold: stored.sold,
        prev_hash: stored.prev_hash.to_vec().into(),
        hash: stored.hash.to_vec().into(),
        entries,
        counts: body.counts,
        item_counts: counts.items.into_iter().map(count).collect(),
    })
}

fn item_id(bytes: &[u8]) -> String {
    ItemId::from_slice(bytes)
        .map(|id| id.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use livedrop_proto::internal::v1::EntryKind;

    #[test]
    fn public_and_stored_kinds_have_the_same_numbers() {
        for number in 0..=20 {
            let (stored, public) = (
                EntryKind::try_from(number),
                v1::LedgerEntryKind::try_from(number),
            );
            let (stored, public) = (
                stored.map(|kind| kind.as_str_name()),
                public.map(|kind| kind.as_str_name()),
            );
            assert_eq!(
                stored.ok().map(|name| format!("LEDGER_{name}")),
                public.ok().map(str::to_owned)
            );
        }
    }
}
