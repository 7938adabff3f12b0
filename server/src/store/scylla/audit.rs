//! What operators did by hand (`audit_log`).

use async_trait::async_trait;
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    row::{FromRow, Row, values},
};
use crate::store::{
    AuditStore, Order, PageRequest, Result,
    audit::{AUDIT_LIST_MAX, AuditEntry},
};

#[derive(Debug)]
pub(super) struct Statements {
    put: PreparedStatement,
    list: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let columns = ["actor", "action", "detail"];
        Ok(Self {
            put: db
                .plain("INSERT INTO audit_log (subject, at, id, actor, action, detail) VALUES (?, ?, ?, ?, ?, ?)")
                .await?,
            list: List::prepare(db, "audit_log", &["subject"], &["at", "id"], &columns).await?,
        })
    }
}

impl FromRow for AuditEntry {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            subject: row.get("subject")?,
            at: row.time("at")?,
            id: row.get("id")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            detail: row.get("detail")?,
        })
    }
}

#[async_trait]
impl AuditStore for ScyllaStore {
    async fn put_audit(&self, entry: &AuditEntry) -> Result<()> {
        let values = values![
            entry.subject,
            entry.at.micros(),
            entry.id,
            entry.actor.clone(),
            entry.action.clone(),
            entry.detail.clone(),
        ];
        self.db.run(&self.audit.put, values).await
    }

    async fn list_audit(&self, subject: Uuid) -> Result<Vec<AuditEntry>> {
        let page = PageRequest {
            after: None,
            limit: AUDIT_LIST_MAX,
            order: Order::Ascending,
        };
        self.db.list(&self.audit.list, values![subject], page).await
    }
}
