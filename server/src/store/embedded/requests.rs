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
    domain::Timestamp,
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
fn request_key(key: &RequestKey) -> Vec<u8> {
    // A flag tells "nobody" from an account, whatever its id.
    let caller = key.caller_id.map_or([0; 16], |caller| *caller.as_bytes());
    [
        &[u8::from(key.caller_id.is_some())],
        &caller[..],
        key.request_id.as_bytes(),
        key.method.as_bytes(),
    ]
    .concat()
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
        let now = self.env.now();
        let expires_at = now + REQUEST_TTL;
        let key = request_key(key);
        let row = encode(&StoredRequest {
            expires_at,
            row: row.clone(),
        })?;
        self.write(move |rows| {
            if let Some(existing) = rows.get(REQUEST_IDS, &key)? {
                let existing: StoredRequest = decode(&existing)?;
                if existing.expires_at > now {
                    return Ok(Put::Exists(existing.row));
                }
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

    async fn get_request(&self, key: &RequestKey) -> Result<Option<RequestRow>> {
        let (now, key) = (self.env.now(), request_key(key));
        self.read(|snapshot| {
            let stored = snapshot.get(REQUEST_IDS, &key, decode::<StoredRequest>)?;
            Ok(stored.filter(|it| it.expires_at > now).map(|it| it.row))
        })
    }
}
