//! Sessions (`refresh_tokens`) and accounts whose access tokens are no longer good (`ended_accounts`).

use async_trait::async_trait;
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    lwt::{self, Table},
    row::{FromRow, Row, Value, values},
};
use crate::{
    domain::{AccountId, Timestamp},
    store::{
        Cas, PageRequest, Put, Result, SessionStore,
        sessions::{ENDED_TTL, Session},
    },
};

/// The statement must say the TTL as a number.
const ENDED_TTL_SECONDS: u64 = 7_200;
const _: () = assert!(ENDED_TTL_SECONDS == ENDED_TTL.as_secs());

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

#[derive(Debug)]
pub(super) struct Statements {
    sessions: lwt::Statements,
    put_ended: PreparedStatement,
    ended: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let put_ended =
            "INSERT INTO ended_accounts (hour, account_id) VALUES (?, ?) USING TTL 7200";
        Ok(Self {
            sessions: lwt::Statements::prepare(db, REFRESH_TOKENS).await?,
            put_ended: db.plain(put_ended).await?,
            ended: List::prepare(db, "ended_accounts", &["hour"], &["account_id"], &[]).await?,
        })
    }
}

/// A row of `ended_accounts`.
struct Ended(AccountId);

impl FromRow for Ended {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self(row.id("account_id", AccountId::new)?))
    }
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
            .put_if_absent(&self.sessions.sessions, key, columns(session), session)
            .await
    }

    async fn get_session(&self, session_id: Uuid) -> Result<Option<Session>> {
        self.db
            .get(&self.sessions.sessions, values![session_id])
            .await
    }

    async fn update_session(&self, session: &Session) -> Result<Cas<Session>> {
        let key = values![session.session_id];
        self.db
            .replace(&self.sessions.sessions, key, columns(session), session)
            .await
    }

    async fn put_ended_account(&self, account_id: AccountId, at: Timestamp) -> Result<()> {
        let values = values![at.hour(), account_id.uuid()];
        self.db.run(&self.sessions.put_ended, values).await
    }

    async fn list_ended_accounts(
        &self,
        hour: i64,
        page: PageRequest<AccountId>,
    ) -> Result<Vec<AccountId>> {
        let page = page.map(|id| values![id.uuid()]);
        let found: Vec<Ended> = self
            .db
            .list(&self.sessions.ended, values![hour], page)
            .await?;
        Ok(found.into_iter().map(|Ended(id)| id).collect())
    }
}
