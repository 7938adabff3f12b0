//! Request ids of calls that no ledger holds (`request_ids`).

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    lwt::{self, Table},
    row::{FromRow, Row, Value, values},
};
use crate::{
    domain::{AccountId, RequestId},
    store::{
        Put, RequestStore, Result,
        requests::{REQUEST_TTL, RequestKey, RequestRow},
    },
};

/// `using` must say the TTL as a number.
const TTL_SECONDS: u64 = 604_800;
const _: () = assert!(TTL_SECONDS == REQUEST_TTL.as_secs());

pub(super) const REQUEST_IDS: Table = Table {
    name: "request_ids",
    key: &["caller_id", "method", "request_id"],
    columns: &["fingerprint", "entity_id"],
    using: "USING TTL 604800",
};

pub(super) async fn prepare(db: &Db) -> Result<lwt::Statements> {
    lwt::Statements::prepare(db, REQUEST_IDS).await
}

/// No account's id is zeros.
pub(super) fn key_values(
    caller_id: Option<AccountId>,
    method: &str,
    request_id: RequestId,
) -> Vec<Value> {
    let caller = caller_id.map_or(Uuid::nil(), |it| it.uuid());
    values![caller, method.to_owned(), request_id.uuid()]
}

impl FromRow for RequestRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            fingerprint: row.bytes("fingerprint")?,
            entity_id: row.get("entity_id")?,
        })
    }
}

#[async_trait]
impl RequestStore for ScyllaStore {
    async fn claim_request(&self, key: &RequestKey, row: &RequestRow) -> Result<Put<RequestRow>> {
        let key = key_values(key.caller_id, key.method, key.request_id);
        self.put_request(key, row).await
    }

    async fn get_request(&self, key: &RequestKey) -> Result<Option<RequestRow>> {
        let key = key_values(key.caller_id, key.method, key.request_id);
        self.db.get(&self.requests, key).await
    }
}

impl ScyllaStore {
    /// Puts a request id for its whole time, unless one of its key lives.
    pub(super) async fn put_request(
        &self,
        key: Vec<Value>,
        row: &RequestRow,
    ) -> Result<Put<RequestRow>> {
        let columns = values![row.fingerprint, row.entity_id];
        self.db
            .put_if_absent(&self.requests, key, columns, row)
            .await
    }
}
