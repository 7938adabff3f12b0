//! Receipts built by code that shares nothing with the check, then damaged.

use livedrop_proto::{internal::v1 as stored, v1};
use proptest::prelude::*;
use prost::Message;
use sha2::{Digest, Sha256};

use super::{ReceiptError, verify};

fn sha(parts: &[&[u8]]) -> Vec<u8> {
    Sha256::digest(parts.concat()).to_vec()
}

fn held() -> (Vec<u8>, Vec<u8>) {
    let moves = vec![stored::Move {
        item_id: vec![7; 16].into(),
        available: -2,
        held: 2,
        sold: 0,
    }];
    let public = stored::EntryPublic {
        kind: stored::EntryKind::Held.into(),
        moves,
        terms: None,
    };
    let held = stored::Held {
        order_id: vec![8; 16].into(),
        buyer_id: vec![9; 16].into(),
        lines: Vec::new(),
        expires_at_us: 5,
        total_minor: 6,
    };
    let private = stored::EntryPrivate {
        call: None,
        detail: Some(stored::entry_private::Detail::Held(held)),
    };
    (public.encode_to_vec(), private.encode_to_vec())
}

fn receipt_of(public: Vec<u8>, private: Vec<u8>) -> v1::Receipt {
    let salt = [5_u8; 32];
    let length = u32::try_from(public.len()).unwrap().to_be_bytes();
    let private_hash = sha(&[&[2], &salt, &private]);
    let leaf = sha(&[&[0], &length, &public, &private_hash]);
    let leaves = [vec![1; 32], leaf, vec![3; 32]];
    let mut header = vec![1; 16];
    header.extend(42_u64.to_be_bytes());
    header.extend([0, 1, 0, 1]);
    header.extend([2; 16]);
    header.extend([3; 16]);
    for number in [1_700_000_000_000_000_i64, 8, 2, 0] {
        header.extend(number.to_be_bytes());
    }
    header.extend(3_u32.to_be_bytes());
    let counts_hash = sha(&[&[3], b"counts"]);
    let prev_hash = vec![4; 32];
    let hash = sha(&[&[1], &prev_hash, &header, &leaves.concat(), &counts_hash]);
    v1::Receipt {
        header: header.into(),
        prev_hash: prev_hash.into(),
        hash: hash.into(),
        counts_hash: counts_hash.into(),
        public: public.into(),
        private: private.into(),
        salt: salt.to_vec().into(),
        index: 1,
        leaves: leaves.into_iter().map(Into::into).collect(),
    }
}

fn receipt() -> v1::Receipt {
    let (public, private) = held();
    receipt_of(public, private)
}

/// All bytes fields, so that a test can damage each.
fn fields(receipt: &mut v1::Receipt) -> Vec<&mut prost::bytes::Bytes> {
    let mut fields = vec![
        &mut receipt.header,
        &mut receipt.prev_hash,
        &mut receipt.hash,
        &mut receipt.counts_hash,
        &mut receipt.public,
        &mut receipt.private,
        &mut receipt.salt,
    ];
    fields.extend(&mut receipt.leaves);
    fields
}

#[test]
fn a_receipt_tells_what_it_proves() {
    let proof = verify(&receipt()).unwrap();
    assert_eq!((proof.seq, proof.kind), (42, v1::LedgerEntryKind::Held));
    assert_eq!(proof.recorded_at_us, 1_700_000_000_000_000);
    assert_eq!(proof.ledger_id.as_bytes(), &[1; 16]);
    assert_eq!(proof.order_id.as_bytes(), &[8; 16]);
    assert_eq!(proof.buyer_id.unwrap().as_bytes(), &[9; 16]);
    assert_eq!((proof.moves[0].available, proof.moves[0].held), (-2, 2));
    let mut record = v1::LedgerRecord {
        seq: 42,
        hash: receipt().hash,
        ..Default::default()
    };
    assert!(proof.is_in(&record));
    record.seq = 43;
    assert!(!proof.is_in(&record));
}

#[test]
fn another_index_fails() {
    for index in [-1, 0, 2, 3, i32::MAX, i32::MIN] {
        let changed = v1::Receipt { index, ..receipt() };
        assert!(verify(&changed).is_err(), "{index}");
    }
}

#[test]
fn bytes_moved_between_neighbours_fail() {
    let mut moved = receipt();
    let private = moved.private.split_off(1);
    moved.salt = [&moved.salt[..], &moved.private[..]].concat().into();
    moved.private = private;
    assert_eq!(verify(&moved), Err(ReceiptError::Malformed("salt")));

    let mut moved = receipt();
    let joined = [&moved.header[..], &moved.leaves[0][..]].concat();
    moved.header = joined.into();
    moved.leaves.remove(0);
    moved.index = 0;
    assert_eq!(verify(&moved), Err(ReceiptError::Malformed("header")));
}

#[test]
fn a_leaf_more_or_less_fails() {
    let mut longer = receipt();
    longer.leaves.push(vec![0; 32].into());
    assert!(verify(&longer).is_err());
    let mut shorter = receipt();
    shorter.leaves.pop();
    assert!(verify(&shorter).is_err());
}

#[test]
fn an_entry_without_an_order_is_no_purchase() {
    let public = stored::EntryPublic {
        kind: stored::EntryKind::SoldOut.into(),
        ..Default::default()
    };
    let receipt = receipt_of(public.encode_to_vec(), Vec::new());
    assert_eq!(verify(&receipt), Err(ReceiptError::NotPurchase));
}

#[test]
fn every_single_byte_counts() {
    let field_count = fields(&mut receipt()).len();
    for field in 0..field_count {
        for at in 0..fields(&mut receipt())[field].len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = receipt();
                let target = &mut fields(&mut changed)[field];
                let mut bytes = target.to_vec();
                bytes[at] ^= flip;
                **target = bytes.into();
                assert!(verify(&changed).is_err(), "field {field}, byte {at}");
            }
        }
    }
}

proptest! {
    #[test]
    fn random_damage_never_verifies(field in 0_usize..10, at in any::<prop::sample::Index>(), edit in 0_u8..3, byte in any::<u8>()) {
        let mut changed = receipt();
        let target = &mut fields(&mut changed)[field];
        let mut bytes = target.to_vec();
        let at = at.index(bytes.len());
        match edit {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => { bytes.remove(at); }
        }
        prop_assume!(bytes != target.as_ref());
        **target = bytes.into();
        prop_assert!(verify(&changed).is_err());
    }
}
