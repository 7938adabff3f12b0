//! Ledger records as anyone may see them: all of the public halves, of the private ones the hashes.

use livedrop_proto::{
    internal::v1::{Counts, EntryPublic},
    v1,
};
use prost::Message as _;

use super::page_token::{self, LedgerPage};
use crate::{
    auth::Keys,
    domain::ItemId,
    ledger::record::{self, Salts},
    service::{Error, ledger_records::RecordsPage},
    store::LedgerRecord,
};

/// A page of records, with the token of the next.
pub(super) fn page(
    keys: &Keys,
    asked: &LedgerPage,
    page: &RecordsPage,
) -> Result<v1::ListLedgerRecordsResponse, Error> {
    let Some(secret) = &page.secret else {
        return Ok(v1::ListLedgerRecordsResponse::default());
    };
    let salts = Salts::new(secret);
    let show = |stored| {
        record(stored, &salts).map_err(|cause| {
            let LedgerRecord { seq, ledger_id, .. } = stored;
            Error::Internal(format!("record {seq} of {ledger_id}: {cause}"))
        })
    };
    let next_page_token = match page.records.last() {
        Some(last) if !page.is_last => page_token::ledger_token(keys, asked.drop_id, last.seq),
        Some(_) | None => String::new(),
    };
    Ok(v1::ListLedgerRecordsResponse {
        records: page.records.iter().map(show).collect::<Result<_, _>>()?,
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
