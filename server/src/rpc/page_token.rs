//! Page tokens: where the next page starts, with a MAC over method and filter, so that a forged or foreign one is refused.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use livedrop_proto::v1;
use subtle::ConstantTimeEq as _;

use super::fields;
use crate::{
    auth::Keys,
    domain::DropId,
    service::{Error, violations::Violations},
};

const VERSION: u8 = 1;
const MAC_BYTES: usize = 16;
/// Version, the last `seq` shown, MAC.
const TOKEN_BYTES: usize = 1 + 8 + MAC_BYTES;
const PAGE_SIZE_DEFAULT: usize = 50;
const PAGE_SIZE_MAX: i32 = 200;

/// A page of a ledger's records.
#[derive(Debug)]
pub(super) struct LedgerPage {
    /// Whose ledger.
    pub(super) drop_id: DropId,
    /// The first record wanted.
    pub(super) seq: u64,
    /// Most records wanted.
    pub(super) size: usize,
}

/// Reads `ListLedgerRecords`.
pub(super) fn ledger_page(
    keys: &Keys,
    request: &v1::ListLedgerRecordsRequest,
) -> Result<LedgerPage, Error> {
    let mut found = Violations::default();
    let drop_id: Option<DropId> = found.check("drop_id", fields::id(&request.drop_id));
    let size = found.check("page_size", page_size(request.page_size));
    let seq = match drop_id {
        Some(drop_id) => found.check("page_token", next_seq(keys, drop_id, &request.page_token)),
        None => None,
    };
    let page = (|| {
        Some(LedgerPage {
            drop_id: drop_id?,
            seq: seq?,
            size: size?,
        })
    })();
    page.ok_or_else(|| found.into())
}

fn page_size(size: i32) -> Result<usize, String> {
    match size {
        0 => Ok(PAGE_SIZE_DEFAULT),
        size => {
            usize::try_from(size.min(PAGE_SIZE_MAX)).map_err(|_| "must not be negative".to_owned())
        }
    }
}

/// The token that goes on after record `seq`.
pub(super) fn ledger_token(keys: &Keys, drop_id: DropId, seq: u64) -> String {
    let mut token = Vec::with_capacity(TOKEN_BYTES);
    token.push(VERSION);
    token.extend_from_slice(&seq.to_be_bytes());
    token.extend_from_slice(&mac(keys, drop_id, seq));
    BASE64_URL_SAFE_NO_PAD.encode(token)
}

fn next_seq(keys: &Keys, drop_id: DropId, token: &str) -> Result<u64, &'static str> {
    const FORGED: &str = "must be a next_page_token of the same request";
    if token.is_empty() {
        return Ok(1);
    }
    if token.len() > TOKEN_BYTES * 2 {
        return Err(FORGED);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| FORGED)?;
    let bytes: [u8; TOKEN_BYTES] = bytes.try_into().map_err(|_| FORGED)?;
    let [VERSION, rest @ ..] = bytes else {
        return Err(FORGED);
    };
    let (seq, sent) = rest.split_at(8);
    let seq = u64::from_be_bytes(seq.try_into().map_err(|_| FORGED)?);
    if bool::from(mac(keys, drop_id, seq).ct_eq(sent)) {
        Ok(seq.saturating_add(1))
    } else {
        Err(FORGED)
    }
}

fn mac(keys: &Keys, drop_id: DropId, seq: u64) -> [u8; MAC_BYTES] {
    let mut message = drop_id.as_bytes().to_vec();
    message.extend_from_slice(&seq.to_be_bytes());
    let full = keys.mac("page ListLedgerRecords", &message);
    let mut short = [0; MAC_BYTES];
    short.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    short
}
