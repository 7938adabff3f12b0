//! What goes over the admin socket.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use uuid::Uuid;

use crate::{
    app::drop_list::DropPage,
    domain::{DropId, OrderId, Timestamp},
    service::operator::{OrderSheet, SettleOrder, Settled},
    store::LedgerRecord,
};

/// The longest question.
pub(super) const CALL_BYTES_MAX: u64 = 4 * 1024;

/// The longest answer: a page of the largest records in base64, three times over.
pub(super) const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Call {
    /// Records of a ledger in order, from `seq` on.
    ReadFrom {
        ledger_id: DropId,
        seq: u64,
        limit: usize,
    },
    /// The drops there are, in the order of opening.
    ListDrops { after: Option<DropId> },
    /// An order, with all that is known of its payments.
    ShowOrder { drop_id: DropId, order_id: OrderId },
    /// Settle an attempt to pay by hand.
    SettleOrder(SettleOrder),
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Records(Vec<LedgerRow>),
    Drops(DropPage),
    Order(Box<OrderSheet>),
    Settled(Box<Settled>),
    Failed(String),
}

/// A record whose bytes are text: the body base64, hashes hexadecimal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LedgerRow(#[serde(with = "LedgerRecordFields")] pub(super) LedgerRecord);

#[derive(Serialize, Deserialize)]
#[serde(remote = "LedgerRecord")]
struct LedgerRecordFields {
    ledger_id: DropId,
    seq: u64,
    format: u16,
    fold_version: u16,
    writer_id: Uuid,
    batch_id: Uuid,
    recorded_at: Timestamp,
    available: i64,
    held: i64,
    sold: i64,
    #[serde(serialize_with = "hash_to_hex", deserialize_with = "hash_from_hex")]
    prev_hash: [u8; 32],
    #[serde(serialize_with = "hash_to_hex", deserialize_with = "hash_from_hex")]
    hash: [u8; 32],
    #[serde(
        serialize_with = "body_to_base64",
        deserialize_with = "body_from_base64"
    )]
    body: Bytes,
}

fn hash_to_hex<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(hash))
}

fn hash_from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let mut hash = [0; 32];
    hex::decode_to_slice(String::deserialize(deserializer)?, &mut hash)
        .map_err(D::Error::custom)?;
    Ok(hash)
}

fn body_to_base64<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}

fn body_from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    STANDARD
        .decode(String::deserialize(deserializer)?)
        .map(Bytes::from)
        .map_err(D::Error::custom)
}

/// A message and its end.
pub(super) fn to_line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The next line; `None` where the other side has hung up. An error if it is longer than `bytes_max` or cut off.
pub(super) async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin + Send),
    bytes_max: u64,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.take(bytes_max).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message was cut off or is too long",
        )),
    }
}
