//! Sessions (`refresh_tokens`).

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    lwt::{self, Table},
    row::{FromRow, Row, Value, values},
};
use crate::{
    domain::AccountId,
    store::{Cas, Put, Result, SessionStore, sessions::Session},
};

pub(super) const REFRESH_TOKENS: Table = Table {
    name: "refresh_tokens",
    key: &["session_id"],
    columns: &[
        "account_id",
        "version",
        "op_id",
        "generation",
        "salt",
        "rotated_at",
        "expires_at",
        "is_ended",
    ],
    using: "",
};

pub(super) async fn prepare(db: &Db) -> Result<lwt::Statements> {
    lwt::Statements::prepare(db, REFRESH_TOKENS).await
}

fn columns(it: &Session) -> Vec<Value> {
    values![
        it.account_id.uuid(),
        it.version,
        it.op_id,
        it.generation,
        it.salt,
        it.rotated_at.micros(),
        it.expires_at.micros(),
        it.is_ended,
    ]
}

impl FromRow for Session {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            session_id: row.get("session_id")?,
            account_id: row.id("account_id", AccountId::new)?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            generation: row.get("generation")?,
            salt: row.bytes("salt")?,
            rotated_at: row.time("rotated_at")?,
            expires_at: row.time("expires_at")?,
            is_ended: row.get("is_ended")?,
        })
    }
}

#[async_trait]
impl SessionStore for ScyllaStore {
    async fn insert_session(&self, session: &Session) -> Result<Put<Session>> {
        let key = values![session.session_id];
        self.db
            .put_if_absent(&self.sessions, key, columns(session), session)
            .await
    }

    async fn get_session(&self, session_id: Uuid) -> Result<Option<Session>> {
        self.db.get(&self.sessions, values![session_id]).await
    }

    async fn update_session(&self, session: &Session) -> Result<Cas<Session>> {
        let key = values![session.session_id];
        self.db
            .replace(&self.sessions, key, columns(session), session)
            .await
    }
}
