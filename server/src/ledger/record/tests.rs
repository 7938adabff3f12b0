//! A stored record can't be changed, left out or put elsewhere without the fold seeing it.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Author, FOLD_VERSION, Salts, build, counts_hash, fold, header, read_body, record_hash,
};
use crate::{
    domain::{Timestamp, drop::LedgerSecret},
    ledger::{
        Command, StockState, Terms, codec,
        testing::{
            EPOCH, cancel_drop, cancel_order, drop_id, order_id, place, place_again, restock, terms,
        },
    },
    store::LedgerRecord,
};

const SECRET: LedgerSecret = LedgerSecret([7; 32]);

/// Makes the next record and commits it.
fn next(
    state: &mut StockState,
    terms: &Terms,
    now: Timestamp,
    commands: &[Command],
) -> LedgerRecord {
    let start = state.next_position(now);
    let (mut at, mut entries) = (start, Vec::new());
    state.begin();
    state.freeze(terms, &SECRET, &mut at, &mut entries).unwrap();
    state.advance(&mut at, 99, &mut entries).unwrap();
    for command in commands {
        state.execute(command, &mut at, &mut entries).unwrap();
    }
    let author = Author {
        writer_id: Uuid::from_u128(0xaaaa << 100 | 3),
        batch_id: Uuid::from_u128(0xbbbb << 100 | u128::from(start.seq)),
    };
    let encoded = entries.iter().map(codec::encode).collect();
    let record = build(
        state,
        &Salts::new(&SECRET),
        author,
        start,
        &entries,
        encoded,
    );
    state.commit(record.hash, record.recorded_at);
    record
}

/// A ledger with most kinds of entries.
fn ledger() -> Vec<LedgerRecord> {
    let mut terms = terms(&[(3, 500, 2), (4, 0, 0)], EPOCH);
    terms.low_stock_threshold = 1;
    let mut state = StockState::new(drop_id(1));
    let later = |seconds| EPOCH + Duration::from_secs(seconds);
    let mut step = |now, commands: &[Command]| next(&mut state, &terms, now, commands);
    vec![
        step(EPOCH, &[]),
        step(later(1), &[place(1, 1, &[(0, 2)]), place(2, 2, &[(1, 4)])]),
        step(
            later(2),
            &[place(3, 3, &[(0, 1)]), place_again(4, 4, 4, &[(0, 1)], 1)],
        ),
        step(later(3), &[restock(9, 0, 7), cancel_order(1, order_id(1))]),
        step(later(60), &[place(1, 5, &[(0, 1)])]),
        step(later(61), &[cancel_drop(10)]),
        step(later(62), &[]),
    ]
}

fn folded(records: &[LedgerRecord]) -> StockState {
    let mut state = StockState::new(drop_id(1));
    for record in records {
        fold(&mut state, record).unwrap();
    }
    state
}

fn refuses(state: &mut StockState, record: &LedgerRecord, why: &str) {
    let before = format!("{state:?}");
    assert!(fold(state, record).is_err(), "{why}");
    assert_eq!(
        format!("{state:?}"),
        before,
        "{why}: the state is left as it was"
    );
}

#[test]
fn a_changed_bit_anywhere_is_seen() {
    let records = ledger();
    for at in 0..records.len() {
        let mut state = folded(&records[..at]);
        let sound = &records[at];
        for byte in 0..sound.body.len() {
            for flip in [1, 0x80, 0xff] {
                let mut body = sound.body.to_vec();
                body[byte] ^= flip;
                let damaged = LedgerRecord {
                    body: body.into(),
                    ..sound.clone()
                };
                refuses(
                    &mut state,
                    &damaged,
                    &format!("record {at}, body byte {byte}"),
                );
            }
        }
        for bit in 0..256 {
            let mut damaged = sound.clone();
            damaged.hash[bit / 8] ^= 1 << (bit % 8);
            refuses(&mut state, &damaged, "hash");
            let mut damaged = sound.clone();
            damaged.prev_hash[bit / 8] ^= 1 << (bit % 8);
            refuses(&mut state, &damaged, "prev_hash");
        }
        for bit in 0..128 {
            let flip = |id: Uuid| Uuid::from_u128(id.as_u128() ^ 1 << bit);
            let mut damaged = sound.clone();
            damaged.writer_id = flip(damaged.writer_id);
            refuses(&mut state, &damaged, "writer_id");
            let mut damaged = sound.clone();
            damaged.batch_id = flip(damaged.batch_id);
            refuses(&mut state, &damaged, "batch_id");
            let mut damaged = sound.clone();
            damaged.ledger_id = crate::domain::DropId::new(flip(damaged.ledger_id.uuid()));
            refuses(&mut state, &damaged, "ledger_id");
        }
        for bit in 0..64 {
            let mut damaged = sound.clone();
            damaged.seq ^= 1 << bit;
            refuses(&mut state, &damaged, "seq");
            let numbers: [fn(&mut LedgerRecord, i64); 4] = [
                |it, flip| it.available ^= flip,
                |it, flip| it.held ^= flip,
                |it, flip| it.sold ^= flip,
                |it, flip| it.recorded_at = Timestamp::from_micros(it.recorded_at.micros() ^ flip),
            ];
            for change in numbers {
                let mut damaged = sound.clone();
                change(&mut damaged, 1 << bit);
                refuses(&mut state, &damaged, "a number");
            }
        }
        for bit in 0..16 {
            let mut damaged = sound.clone();
            damaged.format ^= 1 << bit;
            refuses(&mut state, &damaged, "format");
            let mut damaged = sound.clone();
            damaged.fold_version ^= 1 << bit;
            refuses(&mut state, &damaged, "fold_version");
        }
        fold(&mut state, sound).unwrap();
    }
}

#[test]
fn a_record_elsewhere_is_seen() {
    let records = ledger();
    for at in 0..records.len() {
        let mut state = folded(&records[..at]);
        for (other, record) in records.iter().enumerate() {
            if other != at {
                refuses(&mut state, record, "another record");
            }
        }
    }
}

/// Gives the record the hash that its content has now: what a buggy or newer writer would store.
fn rehashed(mut record: LedgerRecord) -> LedgerRecord {
    let body = read_body(&LedgerRecord {
        fold_version: FOLD_VERSION,
        ..record.clone()
    })
    .unwrap();
    let leaves = super::leaves(&Salts::new(&SECRET), record.seq, &body.encoded);
    let count = u32::try_from(body.encoded.len()).unwrap();
    let header = header(&record, count);
    record.hash = record_hash(
        &record.prev_hash,
        &header,
        &leaves,
        &counts_hash(&body.counts),
    );
    record
}

/// Not the hash alone protects the counts: a sound hash over wrong counts is refused as well.
#[test]
fn wrong_counts_and_newer_folds_are_refused_under_a_sound_hash() {
    let records = ledger();
    for at in 0..records.len() {
        let mut state = folded(&records[..at]);
        let sound = &records[at];
        assert_eq!(rehashed(sound.clone()), *sound);
        let changes: [fn(&mut LedgerRecord); 5] = [
            |it| it.available += 1,
            |it| it.held += 1,
            |it| it.sold -= 1,
            |it| it.fold_version += 1,
            |it| it.recorded_at = EPOCH - Duration::from_secs(1),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            if (at, n) == (0, 4) {
                continue; // the first record may have any time that its entries allow
            }
            let mut damaged = sound.clone();
            change(&mut damaged);
            refuses(
                &mut state,
                &rehashed(damaged),
                &format!("record {at}, change {n}"),
            );
        }
        let without_counts = {
            use livedrop_proto::internal::v1::RecordBody;
            use prost::Message as _;
            let mut body = RecordBody::decode(sound.body.clone()).unwrap();
            (!body.counts.is_empty()).then(|| {
                body.counts.clear();
                body.encode_to_vec()
            })
        };
        if let Some(body) = without_counts {
            let damaged = LedgerRecord {
                body: body.into(),
                ..sound.clone()
            };
            refuses(&mut state, &rehashed(damaged), "counts left out");
        }
    }
}

#[test]
fn a_record_without_entries_is_refused() {
    let records = ledger();
    let mut state = folded(&records);
    let last = records.last().unwrap();
    let mut empty = LedgerRecord {
        seq: last.seq + 1,
        prev_hash: last.hash,
        body: bytes::Bytes::new(),
        ..last.clone()
    };
    let counts = counts_hash(&[]);
    empty.hash = record_hash(&empty.prev_hash, &header(&empty, 0), &[], &counts);
    refuses(&mut state, &empty, "no entries");
}
