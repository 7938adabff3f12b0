//! Request ids of calls that no ledger holds: the first call with an id decides what the id stands for.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Context, Error, Result};
use crate::{
    domain::reason::Reason,
    store::{
        Put,
        requests::{RequestKey, RequestRow},
    },
};

/// A request's content in short: two requests have the same fingerprint if and only if they have the same fields.
/// Secrets are left out, for a fingerprint can be tried out.
#[derive(Debug, Clone)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Of a call of `method`. The fields are added in an order of the method's choice; lists begin with their length.
    #[must_use]
    pub fn new(method: &str) -> Self {
        Self(Sha256::new()).text(method)
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        // The length keeps (`ab`, `c`) and (`a`, `bc`) apart.
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: i64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// The fingerprint.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// What a request id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The entity that the call makes, or has made.
    pub entity_id: Uuid,
    /// The id was claimed before: the entity may exist already, or half of it.
    pub is_replay: bool,
}

/// Claims a request id for the entity that `make_id` names, or finds for which it was claimed. The caller then puts the entity's
/// rows if they are absent, replay or not, so that a crash between leaves nothing half done.
///
/// # Errors
/// `REQUEST_ID_REUSED` if the id was claimed with another fingerprint; `Unavailable` if the store gives no answer.
pub async fn claim(
    ctx: &Context,
    key: RequestKey,
    fingerprint: [u8; 32],
    make_id: impl FnOnce() -> Uuid + Send,
) -> Result<Claimed> {
    let row = RequestRow {
        fingerprint,
        entity_id: make_id(),
    };
    match ctx.store.claim_request(&key, &row).await? {
        Put::Done => Ok(Claimed {
            entity_id: row.entity_id,
            is_replay: false,
        }),
        Put::Exists(first) if first.fingerprint == fingerprint => Ok(Claimed {
            entity_id: first.entity_id,
            is_replay: true,
        }),
        Put::Exists(_) => Err(Error::Refused {
            reason: Reason::RequestIdReused,
            message: "this request id was used with other content".into(),
            metadata: vec![("requestId", key.request_id.to_string())],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_fields_apart() {
        let of = |fields: &[&str]| {
            fields
                .iter()
                .fold(Fingerprint::new("M"), |print, field| print.text(field))
                .finish()
        };
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab", ""]), of(&["ab"]));
        assert_ne!(of(&[]), Fingerprint::new("N").finish());
        assert_ne!(
            Fingerprint::new("M").number(1).finish(),
            Fingerprint::new("M").number(2).finish()
        );
    }
}
