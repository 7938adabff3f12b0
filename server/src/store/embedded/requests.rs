//! Request ids: partition = caller, request id, method. CQL forgets them by TTL; here a second table lists them by expiry, and each claim
//! takes a few dead ones away. So the work is bounded, paid by those who cause it, and needs no timer.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    EmbeddedStore, key,
    rows::{Failure, REQUEST_IDS, REQUEST_IDS_BY_EXPIRY, Rows},
    versioned::{decode, encode},
};
use crate::{
    domain::{AccountId, RequestId, Timestamp},
    store::{
        Put, RequestStore, Result,
        requests::{REQUEST_TTL, RequestKey, RequestRow},
    },
};

/// Dead rows that a claim removes: more than the one it adds, so the table shrinks to what lives.
const SWEEP_ROWS_MAX: usize = 4;

#[derive(Serialize, Deserialize)]
struct StoredRequest {
    expires_at: Timestamp,
    #[serde(flatten)]
    row: RequestRow,
}

/// The method comes last, as the only part without a fixed width.
pub(super) fn request_key(
    caller_id: Option<AccountId>,
    method: &str,
    request_id: RequestId,
) -> Vec<u8> {
    // A flag tells "nobody" from an account, whatever its id.
    let caller = caller_id.map_or([0; 16], |caller| *caller.as_bytes());
    [
        &[u8::from(caller_id.is_some())],
        &caller[..],
        request_id.as_bytes(),
        method.as_bytes(),
    ]
    .concat()
}

/// Back from [`request_key`].
pub(super) fn decode_key(
    mut key: &[u8],
) -> std::result::Result<(Option<AccountId>, String, RequestId), Failure> {
    let [has_caller] = key::take(&mut key)?;
    let caller_id = AccountId::new(key::take_id(&mut key)?);
    let request_id = RequestId::new(key::take_id(&mut key)?);
    let caller_id = (has_caller != 0).then_some(caller_id);
    Ok((caller_id, key::text(key)?, request_id))
}

/// A row that has not expired.
pub(super) fn decode_live(
    row: &[u8],
    now: Timestamp,
) -> std::result::Result<Option<RequestRow>, Failure> {
    let stored: StoredRequest = decode(row)?;
    Ok((stored.expires_at > now).then_some(stored.row))
}

fn sweep(rows: &mut Rows<'_>, now: Timestamp) -> std::result::Result<(), Failure> {
    let end = key::ordered_i64(now.micros());
    for dead in rows.keys_before(REQUEST_IDS_BY_EXPIRY, &end, SWEEP_ROWS_MAX)? {
        let mut request = dead.as_slice();
        let expires_at = key::from_ordered_i64(key::take(&mut request)?);
        // The key may have been claimed again since: then its row has a later expiry, and another entry here.
        let row = rows
            .get(REQUEST_IDS, request)?
            .map(|row| decode::<StoredRequest>(&row))
            .transpose()?;
        if row.is_some_and(|row| row.expires_at.micros() == expires_at) {
            rows.delete(REQUEST_IDS, request)?;
        }
        rows.delete(REQUEST_IDS_BY_EXPIRY, &dead)?;
    }
    Ok(())
}

#[async_trait]
impl RequestStore for EmbeddedStore {
    async fn claim_request(&self, key: &RequestKey, row: &RequestRow) -> Result<Put<RequestRow>> {
        let key = request_key(key.caller_id, key.method, key.request_id);
        self.put_request(key, row).await
    }

    async fn get_request(&self, key: &RequestKey) -> Result<Option<RequestRow>> {
        let key = request_key(key.caller_id, key.method, key.request_id);
        let now = self.env.now();
        self.read(|snapshot| {
            let row = snapshot.get(REQUEST_IDS, &key, |row| decode_live(row, now))?;
            Ok(row.flatten())
        })
    }
}

impl EmbeddedStore {
    /// Puts a request id for its whole time, unless one of its key lives.
    pub(super) async fn put_request(
        &self,
        key: Vec<u8>,
        row: &RequestRow,
    ) -> Result<Put<RequestRow>> {
        let now = self.env.now();
        let expires_at = now + REQUEST_TTL;
        let row = encode(&StoredRequest {
            expires_at,
            row: row.clone(),
        })?;
        self.write(move |rows| {
            if let Some(existing) = rows.get(REQUEST_IDS, &key)?
                && let Some(existing) = decode_live(&existing, now)?
            {
                return Ok(Put::Exists(existing));
            }
            sweep(rows, now)?;
            rows.put(REQUEST_IDS, &key, &[&row])?;
            rows.put(
                REQUEST_IDS_BY_EXPIRY,
                &[&key::ordered_i64(expires_at.micros())[..], &key].concat(),
                &[],
            )?;
            Ok(Put::Done)
        })
        .await
    }
}
