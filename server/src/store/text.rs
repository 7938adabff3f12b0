//! Rows that hold bytes, as JSON for files and tools: ids and hashes hexadecimal, bodies base64.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

use super::{projections::Checkpoint, requests::RequestRow, sessions::Session};
use crate::domain::{
    AccountId, Currency, DropId, Timestamp,
    drop::{Drop, Item, LedgerSecret},
};

/// A [`Session`], for `#[serde(with)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Session")]
pub(crate) struct SessionText {
    session_id: Uuid,
    account_id: AccountId,
    version: i64,
    op_id: Uuid,
    generation: i64,
    #[serde(with = "hex_32")]
    salt: [u8; 32],
    rotated_at: Timestamp,
    expires_at: Timestamp,
    is_ended: bool,
}

/// A [`RequestRow`], for `#[serde(with)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "RequestRow")]
pub(crate) struct RequestRowText {
    #[serde(with = "hex_32")]
    fingerprint: [u8; 32],
    entity_id: Uuid,
}

/// A [`Checkpoint`], for `#[serde(with)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Checkpoint")]
pub(crate) struct CheckpointText {
    seq: u64,
    #[serde(with = "hex_32")]
    hash: [u8; 32],
}

/// A [`Drop`], for `#[serde(with)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Drop")]
pub(crate) struct DropText {
    drop_id: DropId,
    creator_id: AccountId,
    version: i64,
    op_id: Uuid,
    title: String,
    description: String,
    currency: Currency,
    items: Vec<Item>,
    limit_per_buyer: i32,
    opens_at: Timestamp,
    ends_at: Timestamp,
    hold: Duration,
    low_stock_threshold: i64,
    created_at: Timestamp,
    changed_at: Timestamp,
    cancelled: bool,
    #[serde(with = "secret")]
    secret: Option<LedgerSecret>,
}

/// 32 bytes, for `#[serde(with)]`.
pub(crate) mod hex_32 {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        bytes: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes)
            .map_err(D::Error::custom)?;
        Ok(bytes)
    }
}

/// Any bytes, for `#[serde(with)]`.
pub(crate) mod base64_bytes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        STANDARD
            .decode(String::deserialize(deserializer)?)
            .map(Bytes::from)
            .map_err(D::Error::custom)
    }
}

mod secret {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Hex(#[serde(with = "hex_32")] [u8; 32]);

    pub(super) fn serialize<S: Serializer>(
        secret: &Option<LedgerSecret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let secret = secret.as_ref().map(|secret| Hex(secret.0));
        secret.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<LedgerSecret>, D::Error> {
        let secret = Option::<Hex>::deserialize(deserializer)?;
        Ok(secret.map(|Hex(secret)| LedgerSecret(secret)))
    }
}
