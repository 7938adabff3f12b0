//! An order row as stored: its place in the ledger as an ordered number, then a protobuf message. Each order of a rush writes one, so it is
//! made small: as JSON it takes several times the room, and splits a page every few rows.

use prost::Message;
use serde::{
    Deserialize as _,
    de::{IntoDeserializer as _, value::Error as UnknownName},
};

use super::{key, rows::Failure};
use crate::{
    domain::{AccountId, DropId, ItemId, OrderId, Timestamp, order::OrderState},
    store::orders::{LedgerPlace, OrderRow, OrderRowLine},
};

/// All of a row but its key. Numbers of fields are never used again; a field that is added is zero or absent in older rows.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    /// Of the drop, the buyer and the creator, 16 bytes each.
    #[prost(bytes = "vec", tag = "1")]
    ids: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    lines: Vec<StoredLine>,
    #[prost(string, tag = "3")]
    currency: String,
    #[prost(int64, tag = "4")]
    total_minor: i64,
    #[prost(string, tag = "5")]
    state: String,
    #[prost(int64, tag = "6")]
    hold_expires_at: i64,
    #[prost(int64, tag = "7")]
    created_at: i64,
    #[prost(int64, tag = "8")]
    updated_at: i64,
    #[prost(uint64, tag = "9")]
    updated_seq: u64,
    #[prost(uint32, tag = "10")]
    updated_index: u32,
    #[prost(uint64, tag = "11")]
    proof_seq: u64,
    #[prost(uint32, tag = "12")]
    proof_index: u32,
    #[prost(int32, tag = "13")]
    attempts: i32,
    #[prost(string, optional, tag = "14")]
    action_url: Option<String>,
    #[prost(string, optional, tag = "15")]
    payment_error: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredLine {
    #[prost(bytes = "vec", tag = "1")]
    item_id: Vec<u8>,
    #[prost(int32, tag = "2")]
    quantity: i32,
    #[prost(int64, tag = "3")]
    unit_price_minor: i64,
}

/// The place, and the row.
pub(super) fn encode(row: &OrderRow) -> ([u8; 8], Vec<u8>) {
    let ids = [
        row.drop_id.uuid(),
        row.buyer_id.uuid(),
        row.creator_id.uuid(),
    ];
    let line = |line: &OrderRowLine| StoredLine {
        item_id: line.item_id.as_bytes().to_vec(),
        quantity: line.quantity,
        unit_price_minor: line.unit_price_minor,
    };
    let stored = Stored {
        ids: ids.map(uuid::Uuid::into_bytes).concat(),
        lines: row.lines.iter().map(line).collect(),
        currency: row.currency.as_str().to_owned(),
        total_minor: row.total_minor,
        state: row.state.as_str().to_owned(),
        hold_expires_at: row.hold_expires_at.micros(),
        created_at: row.created_at.micros(),
        updated_at: row.updated_at.micros(),
        updated_seq: row.updated.seq,
        updated_index: row.updated.index,
        proof_seq: row.proof.seq,
        proof_index: row.proof.index,
        attempts: row.attempts,
        action_url: row.action_url.clone(),
        payment_error: row.payment_error.clone(),
    };
    (
        key::ordered_i64(row.updated.number()),
        stored.encode_to_vec(),
    )
}

/// Back from what [`encode`] gave.
pub(super) fn decode(order_id: OrderId, mut row: &[u8]) -> Result<OrderRow, Failure> {
    let _place: [u8; 8] = key::take(&mut row)?;
    let stored = Stored::decode(row).map_err(unreadable)?;
    let mut ids = &stored.ids[..];
    let line = |line: StoredLine| {
        Ok(OrderRowLine {
            item_id: ItemId::from_slice(&line.item_id).map_err(unreadable)?,
            quantity: line.quantity,
            unit_price_minor: line.unit_price_minor,
        })
    };
    let state = stored.state.as_str().into_deserializer();
    Ok(OrderRow {
        order_id,
        drop_id: DropId::new(key::take_id(&mut ids)?),
        buyer_id: AccountId::new(key::take_id(&mut ids)?),
        creator_id: AccountId::new(key::take_id(&mut ids)?),
        lines: stored
            .lines
            .into_iter()
            .map(line)
            .collect::<Result<_, Failure>>()?,
        currency: stored.currency.parse().map_err(unreadable)?,
        total_minor: stored.total_minor,
        state: OrderState::deserialize(state).map_err(|error: UnknownName| unreadable(error))?,
        hold_expires_at: Timestamp::from_micros(stored.hold_expires_at),
        created_at: Timestamp::from_micros(stored.created_at),
        updated_at: Timestamp::from_micros(stored.updated_at),
        updated: LedgerPlace {
            seq: stored.updated_seq,
            index: stored.updated_index,
        },
        proof: LedgerPlace {
            seq: stored.proof_seq,
            index: stored.proof_index,
        },
        attempts: stored.attempts,
        action_url: stored.action_url,
        payment_error: stored.payment_error,
    })
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::Row(format!("a stored order can't be read: {error}"))
}
