//! Rows to store: every field set, every id new.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    domain::{
        AccountId, DropId, ItemId, OrderId, ProductId, Timestamp, VariantId,
        drop::{Drop, Item, LedgerSecret},
        image::{IMAGE_BYTES_MAX, IMAGE_SIDE_MAX, Image, ImageType},
        order::OrderState,
        product::{Attribute, ItemProduct, Product, ProductStatus, Variant},
    },
    store::{
        accounts::{Account, Claim, Creator},
        audit::AuditEntry,
        follows::{FollowBucket, FollowEdge, FollowList, FollowState},
        jobs::Job,
        ledger::LedgerRecord,
        orders::{LedgerPlace, OrderKey, OrderRef, OrderRow, OrderRowLine},
        outbox::{Entity, EntityKind, Intent},
        payments::AttemptRow,
        projections::{DropState, DropStatus, ItemStock},
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

pub(crate) fn drop() -> Drop {
    let item = |product| Item {
        item_id: ItemId::new(id()),
        title: "size M".to_owned(),
        stock: i64::MAX,
        unit_price_minor: 12_99,
        limit_per_buyer: i32::MAX,
        product,
    };
    let product = ItemProduct {
        product_id: ProductId::new(id()),
        variant_id: VariantId::new(id()),
    };
    Drop {
        drop_id: DropId::new(id()),
        creator_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        title: "Ein Titel \u{1F680} \"quoted\"".to_owned(),
        description: "two\nlines".to_owned(),
        currency: "EUR".parse().unwrap(),
        items: vec![item(None), item(Some(product))],
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

pub(crate) fn image(content_type: ImageType) -> Image {
    Image {
        image_id: content_type.declare(id()),
        content_type,
        width: IMAGE_SIDE_MAX,
        height: 1,
        size_bytes: IMAGE_BYTES_MAX,
    }
}

pub(crate) fn product() -> Product {
    let attribute = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let variant = |title: &str, price_minor| Variant {
        variant_id: VariantId::new(id()),
        title: title.to_owned(),
        sku: "A-1".to_owned(),
        options: vec![attribute("size", title), attribute("colour", "black")],
        price_minor,
    };
    Product {
        product_id: ProductId::new(id()),
        creator_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        title: "Ein Hemd \u{1F455} \"quoted\"".to_owned(),
        description: "two\nlines".to_owned(),
        status: ProductStatus::Active,
        tags: vec!["shirt".to_owned(), "\u{fc}ber".to_owned()],
        attributes: vec![attribute("material", "cotton")],
        currency: "EUR".parse().unwrap(),
        price_minor: 19_99,
        variants: vec![variant("M", None), variant("L", Some(21_99))],
        images: vec![image(ImageType::Webp), image(ImageType::Png)],
        created_at: NOW - Duration::from_micros(1),
        updated_at: NOW,
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

pub(crate) fn creator() -> Creator {
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

pub(in crate::store) fn order_row() -> OrderRow {
    let line = |quantity| OrderRowLine {
        item_id: ItemId::new(id()),
        quantity,
        unit_price_minor: i64::MAX,
    };
    OrderRow {
        order_id: OrderId::new(id()),
        drop_id: DropId::new(id()),
        buyer_id: AccountId::new(id()),
        creator_id: AccountId::new(id()),
        lines: vec![line(1), line(i32::MAX)],
        currency: "JPY".parse().unwrap(),
        total_minor: 1_299,
        state: OrderState::ActionRequired,
        hold_expires_at: NOW + Duration::from_secs(300),
        created_at: NOW,
        updated_at: NOW + Duration::from_micros(1),
        updated: LedgerPlace {
            seq: 3_000,
            index: 2,
        },
        proof: LedgerPlace { seq: 1, index: 0 },
        attempts: 2,
        action_url: Some("https://example.com/?a=\"b\"".to_owned()),
        payment_error: Some("CARD_DECLINED".to_owned()),
    }
}

/// Where an order is listed.
pub(in crate::store) fn order_ref(row: &OrderRow) -> OrderRef {
    OrderRef {
        key: OrderKey {
            created_at: row.created_at,
            order_id: row.order_id,
        },
        buyer_id: row.buyer_id,
        drop_id: row.drop_id,
        segment: row.updated.seq / 1_024,
    }
}

pub(crate) fn drop_status() -> DropStatus {
    DropStatus {
        drop_id: DropId::new(id()),
        seq: 9,
        recorded_at: NOW,
        state: DropState::Live,
        is_sealed: false,
        is_sold_out: true,
        items: vec![ItemStock {
            item_id: ItemId::new(id()),
            initial: i64::MAX,
            restocked: 1,
            available: 2,
            held: 3,
            sold: 4,
        }],
    }
}

pub(crate) fn follow_edge() -> FollowEdge {
    FollowEdge {
        follower_id: AccountId::new(id()),
        creator_id: AccountId::new(id()),
        version: 1,
        op_id: id(),
        state: FollowState::Following,
        followed_at: NOW,
        followers_bucket: 7,
        following_bucket: 0,
    }
}

pub(in crate::store) fn follow_bucket() -> FollowBucket {
    FollowBucket {
        list: FollowList::followers_of(AccountId::new(id())),
        number: 1,
        version: 1,
        op_id: id(),
        active_from: NOW,
        marks: 1,
    }
}

pub(in crate::store) fn attempt() -> AttemptRow {
    AttemptRow {
        provider: "stripe".to_owned(),
        reference: format!("pi_{}", id().simple()),
        noted_at: NOW,
    }
}

pub(in crate::store) fn intent() -> Intent {
    Intent {
        entity: Entity {
            kind: EntityKind::Creator,
            id: id(),
        },
        op_id: id(),
        created_at: NOW,
    }
}

pub(in crate::store) fn job() -> Job {
    Job {
        job_id: format!("relay/{}", id()),
        version: 1,
        op_id: id(),
        cursor: -1,
    }
}

pub(in crate::store) fn audit_entry() -> AuditEntry {
    AuditEntry {
        subject: id(),
        at: NOW,
        id: id(),
        actor: "root".to_owned(),
        action: "order.settle".to_owned(),
        detail: "two\nlines".to_owned(),
    }
}

/// The start of an hour that nobody else is likely to use.
pub(super) fn some_hour() -> Timestamp {
    let number = u32::try_from(id().as_u128() % 900_000_000).unwrap();
    Timestamp::from_micros(0) + Duration::from_secs(3_600) * number
}
