//! Ledgers built by code that shares nothing with the check, then damaged.

use livedrop_proto::{
    internal::v1::{self as stored, EntryKind},
    v1,
};
use proptest::prelude::*;
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Fault, verify_chain};

const DROP: Uuid = Uuid::from_bytes([1; 16]);
const ITEMS: [[u8; 16]; 2] = [[7; 16], [8; 16]];

fn sha(parts: &[&[u8]]) -> Vec<u8> {
    Sha256::digest(parts.concat()).to_vec()
}

type Entry = (EntryKind, Vec<(usize, [i64; 3])>);

/// Writes records as a server would, without judging what they say.
#[derive(Default)]
struct Writer {
    counts: [[i64; 3]; 2],
    records: Vec<v1::LedgerRecord>,
}

impl Writer {
    fn push(&mut self, entries: &[Entry]) {
        for (item, deltas) in entries.iter().flat_map(|(_, moves)| moves) {
            for (count, delta) in self.counts[*item].iter_mut().zip(deltas) {
                *count += delta;
            }
        }
        let mut touched: Vec<usize> = entries
            .iter()
            .flat_map(|(_, moves)| moves.iter().map(|(item, _)| *item))
            .collect();
        touched.sort_unstable();
        touched.dedup();
        let counts = touched.iter().map(|item| self.count(*item)).collect();
        let item_counts = touched.iter().map(|item| v1::LedgerItemCount {
            item_id: Uuid::from_bytes(ITEMS[*item]).to_string(),
            available: self.counts[*item][0],
            held: self.counts[*item][1],
            sold: self.counts[*item][2],
        });
        let sum = |i: usize| self.counts[0][i] + self.counts[1][i];
        let mut record = v1::LedgerRecord {
            seq: i64::try_from(self.records.len()).unwrap() + 1,
            format: 1,
            fold_version: 1,
            writer_id: vec![2; 16].into(),
            batch_id: vec![3; 16].into(),
            recorded_at_us: 1_000,
            available: sum(0),
            held: sum(1),
            sold: sum(2),
            prev_hash: self
                .records
                .last()
                .map_or(vec![0; 32].into(), |record| record.hash.clone()),
            hash: Vec::new().into(),
            entries: entries.iter().map(entry).collect(),
            counts: stored::Counts { items: counts }.encode_to_vec().into(),
            item_counts: item_counts.collect(),
        };
        seal(&mut record);
        self.records.push(record);
    }

    fn count(&self, item: usize) -> stored::ItemCount {
        stored::ItemCount {
            item_id: ITEMS[item].to_vec().into(),
            available: self.counts[item][0],
            held: self.counts[item][1],
            sold: self.counts[item][2],
        }
    }
}

fn entry((kind, moves): &Entry) -> v1::LedgerEntry {
    let terms_items = moves.iter().map(|(item, deltas)| stored::TermsItem {
        item_id: ITEMS[*item].to_vec().into(),
        stock: deltas[0],
        ..Default::default()
    });
    let terms = stored::Terms {
        items: terms_items.collect(),
        ..Default::default()
    };
    let stored_moves = moves.iter().map(|(item, deltas)| stored::Move {
        item_id: ITEMS[*item].to_vec().into(),
        available: deltas[0],
        held: deltas[1],
        sold: deltas[2],
    });
    let decoded = moves.iter().map(|(item, deltas)| v1::LedgerMove {
        item_id: Uuid::from_bytes(ITEMS[*item]).to_string(),
        available_delta: deltas[0],
        held_delta: deltas[1],
        sold_delta: deltas[2],
    });
    let public = stored::EntryPublic {
        kind: (*kind).into(),
        moves: stored_moves.collect(),
        terms: (*kind == EntryKind::TermsFrozen).then_some(terms),
    };
    v1::LedgerEntry {
        public: public.encode_to_vec().into(),
        private_hash: vec![6; 32].into(),
        kind: i32::from(*kind),
        moves: decoded.collect(),
    }
}

/// Makes the record's hash fit its content, as a forger would.
fn seal(record: &mut v1::LedgerRecord) {
    let mut header = DROP.as_bytes().to_vec();
    header.extend(record.seq.to_be_bytes());
    header.extend(u16::try_from(record.format).unwrap().to_be_bytes());
    header.extend(u16::try_from(record.fold_version).unwrap().to_be_bytes());
    header.extend_from_slice(&record.writer_id);
    header.extend_from_slice(&record.batch_id);
    let numbers = [
        record.recorded_at_us,
        record.available,
        record.held,
        record.sold,
    ];
    header.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    header.extend(u32::try_from(record.entries.len()).unwrap().to_be_bytes());
    let leaf = |entry: &v1::LedgerEntry| {
        let length = u32::try_from(entry.public.len()).unwrap().to_be_bytes();
        sha(&[&[0], &length, &entry.public, &entry.private_hash])
    };
    let leaves: Vec<u8> = record.entries.iter().flat_map(leaf).collect();
    let counts = sha(&[&[3], &record.counts]);
    record.hash = sha(&[&[1], &record.prev_hash, &header, &leaves, &counts]).into();
}

/// Two items, five and three units; sold, released and restocked.
fn ledger() -> Writer {
    let mut writer = Writer::default();
    let start = vec![(0, [5, 0, 0]), (1, [3, 0, 0])];
    writer.push(&[
        (EntryKind::TermsFrozen, start),
        (EntryKind::WentLive, vec![]),
    ]);
    let both = vec![(0, [-2, 2, 0]), (1, [-1, 1, 0])];
    writer.push(&[
        (EntryKind::Held, both),
        (EntryKind::Held, vec![(0, [-1, 1, 0])]),
    ]);
    let sold = vec![(0, [0, -2, 2]), (1, [0, -1, 1])];
    writer.push(&[
        (EntryKind::Sold, sold),
        (EntryKind::Released, vec![(0, [1, -1, 0])]),
    ]);
    writer.push(&[(EntryKind::Restocked, vec![(1, [4, 0, 0])])]);
    writer.push(&[(EntryKind::Closed, vec![]), (EntryKind::Sealed, vec![])]);
    writer
}

fn fault_of(writer: &Writer) -> (u64, Fault) {
    let error = verify_chain(DROP, &writer.records).unwrap_err();
    (error.seq, error.fault)
}

#[test]
fn a_ledger_adds_up() {
    let totals = verify_chain(DROP, &ledger().records).unwrap();
    assert_eq!(totals.record_count, 5);
    let stock = totals.stock;
    assert_eq!((stock.initial, stock.restocked), (8, 4));
    assert_eq!((stock.available, stock.held, stock.sold), (9, 0, 3));
    assert_eq!(totals.items[&Uuid::from_bytes(ITEMS[1])].available, 6);
    assert_eq!(totals.entry_count(v1::LedgerEntryKind::Held), 2);
    assert_eq!(totals.entry_count(v1::LedgerEntryKind::Refused), 0);
    assert_eq!(verify_chain(DROP, []).unwrap().record_count, 0);
}

#[test]
fn another_drop_and_another_order_fail() {
    let writer = ledger();
    let error = verify_chain(Uuid::from_bytes([2; 16]), &writer.records).unwrap_err();
    assert_eq!((error.seq, error.fault), (1, Fault::Hash));
    let mut missing = ledger();
    missing.records.remove(1);
    assert_eq!(fault_of(&missing), (2, Fault::Seq));
}

#[test]
fn a_rewritten_record_breaks_the_chain_after_it() {
    let mut forged = ledger();
    forged.records[1].batch_id = vec![9; 16].into();
    assert_eq!(fault_of(&forged), (2, Fault::Hash));
    seal(&mut forged.records[1]);
    assert_eq!(fault_of(&forged), (3, Fault::Chain));
}

#[test]
fn forged_records_do_not_add_up() {
    let illegal: &[(Entry, &str)] = &[
        (
            (EntryKind::Held, vec![(0, [-10, 10, 0])]),
            "moves more units than there are",
        ),
        (
            (EntryKind::Held, vec![(0, [-1, 2, 0])]),
            "moves units in a way that its kind can't",
        ),
        (
            (EntryKind::Sold, vec![(0, [-1, 0, 1])]),
            "moves units in a way that its kind can't",
        ),
        (
            (EntryKind::Restocked, vec![(0, [-1, 0, 0])]),
            "moves units in a way that its kind can't",
        ),
        (
            (EntryKind::SoldOut, vec![(0, [1, 0, 0])]),
            "moves units in a way that its kind can't",
        ),
        ((EntryKind::Sold, vec![]), "moves nothing"),
        (
            (EntryKind::TermsFrozen, vec![(0, [1, 0, 0])]),
            "terms are frozen by the first entry and no other",
        ),
    ];
    for (entry, why) in illegal {
        let mut writer = ledger();
        writer.push(std::slice::from_ref(entry));
        let expected = Fault::Entry { index: 0, why };
        assert_eq!(fault_of(&writer), (6, expected));
    }
}

#[test]
fn forged_counts_totals_time_and_decoded_fields_fail() {
    type Damage = fn(&mut v1::LedgerRecord);
    let cases: [(Damage, Fault); 7] = [
        (|it| it.counts = vec![].into(), Fault::Counts),
        (|it| it.available += 1, Fault::Totals),
        (|it| it.recorded_at_us = 999, Fault::Time),
        (|it| it.entries[0].kind = 3, Fault::Decoded("kinds")),
        (
            |it| it.entries[0].moves[0].available_delta = 5,
            Fault::Decoded("moves"),
        ),
        (
            |it| it.item_counts[0].sold = 9,
            Fault::Decoded("item counts"),
        ),
        (|it| it.format = 2, Fault::Malformed("format")),
    ];
    for (damage, fault) in cases {
        let mut writer = ledger();
        damage(&mut writer.records[3]);
        seal(&mut writer.records[3]);
        assert_eq!(fault_of(&writer), (4, fault));
    }
}

proptest! {
    /// Whatever bit of whatever record flips on its way, the check notices.
    #[test]
    fn a_flipped_bit_is_found(at in any::<prop::sample::Index>(), which in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut writer = ledger();
        let which = which.index(writer.records.len());
        let mut bytes = writer.records[which].encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let Ok(changed) = v1::LedgerRecord::decode(&*bytes) else { return Ok(()) };
        prop_assume!(changed != writer.records[which]);
        writer.records[which] = changed;
        prop_assert!(verify_chain(DROP, &writer.records).is_err());
    }
}
