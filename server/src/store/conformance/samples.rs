//! Rows to store: every field set, every id new.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    domain::{
        AccountId, DropId, ItemId, Timestamp,
        drop::{Drop, Item, LedgerSecret},
    },
    store::{
        accounts::{Account, Claim, Creator},
        ledger::LedgerRecord,
        sessions::Session,
    },
};

/// 2026-11-21T10:00:00Z.
pub(in crate::store) const NOW: Timestamp = Timestamp::from_micros(1_795_255_200_000_000);

pub(in crate::store) fn id() -> Uuid {
    Uuid::new_v4()
}

/// An id of a shard: its last byte says which.
pub(in crate::store) fn id_in_shard(shard: u8) -> Uuid {
    let mut bytes = *id().as_bytes();
    bytes[15] = bytes[15] / 16 * 16 + shard;
    Uuid::from_bytes(bytes)
}

pub(in crate::store) fn record(ledger_id: DropId, seq: u64) -> LedgerRecord {
    let number = i64::try_from(seq).unwrap();
    LedgerRecord {
        ledger_id,
        seq,
        format: 1,
        fold_version: 2,
        writer_id: id(),
        batch_id: id(),
        recorded_at: NOW + Duration::from_micros(seq),
        available: 1_000 - number,
        held: number,
        sold: 3,
        prev_hash: [5; 32],
        hash: [6; 32],
        body: Bytes::from(format!("body of {seq}")),
    }
}

pub(in crate::store) fn drop() -> Drop {
    Drop {
        drop_id: DropId::new(id()),
        creator_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        title: "Ein Titel \u{1F680} \"quoted\"".to_owned(),
        description: "two\nlines".to_owned(),
        currency: "EUR".parse().unwrap(),
        items: vec![Item {
            item_id: ItemId::new(id()),
            title: "size M".to_owned(),
            stock: i64::MAX,
            unit_price_minor: 12_99,
            limit_per_buyer: i32::MAX,
        }],
        limit_per_buyer: 2,
        opens_at: NOW,
        ends_at: NOW + Duration::from_secs(3_600),
        hold: Duration::from_secs(300),
        low_stock_threshold: 10,
        created_at: NOW - Duration::from_micros(1),
        changed_at: NOW,
        cancelled: false,
        secret: Some(LedgerSecret([255; 32])),
    }
}

pub(in crate::store) fn account() -> Account {
    Account {
        account_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        email: "Someone@example.com".to_owned(),
        display_name: "Someone".to_owned(),
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
        created_at: NOW,
    }
}

pub(in crate::store) fn creator() -> Creator {
    Creator {
        creator_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        handle: "someone".to_owned(),
        display_name: "Someone".to_owned(),
        bio: String::new(),
        created_at: NOW,
    }
}

pub(in crate::store) fn session() -> Session {
    Session {
        session_id: id(),
        account_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        generation: 1,
        salt: [9; 32],
        rotated_at: NOW,
        expires_at: NOW + Duration::from_secs(86_400),
        is_ended: false,
    }
}

pub(in crate::store) fn claim() -> Claim {
    Claim {
        version: 1,
        claim_id: id(),
        owner_id: AccountId::new(id()),
        claimed_at: NOW,
    }
}
