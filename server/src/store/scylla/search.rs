//! What search has to look at again (`search_changes`).

use async_trait::async_trait;
use scylla::statement::prepared::PreparedStatement;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    outbox::{kind, kind_text},
    row::{FromRow, Row, values},
};
use crate::store::{
    PageRequest, Result,
    outbox::Entity,
    search::{SearchChange, SearchChangeKey, SearchChangeStore},
};

#[derive(Debug)]
pub(super) struct Statements {
    put: PreparedStatement,
    list: List,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        let put = "INSERT INTO search_changes (hour, noted_at, entity_id, kind) VALUES (?, ?, ?, ?) USING TTL 86400";
        let clustering = ["noted_at", "entity_id"];
        Ok(Self {
            put: db.plain(put).await?,
            list: List::prepare(db, "search_changes", &["hour"], &clustering, &["kind"]).await?,
        })
    }
}

impl FromRow for SearchChange {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            noted_at: row.time("noted_at")?,
            entity: Entity {
                kind: kind(row)?,
                id: row.get("entity_id")?,
            },
        })
    }
}

#[async_trait]
impl SearchChangeStore for ScyllaStore {
    async fn put_search_change(&self, change: &SearchChange) -> Result<()> {
        let values = values![
            change.noted_at.hour(),
            change.noted_at.micros(),
            change.entity.id,
            kind_text(change.entity.kind),
        ];
        self.db.run(&self.search.put, values).await
    }

    async fn list_search_changes(
        &self,
        hour: i64,
        page: PageRequest<SearchChangeKey>,
    ) -> Result<Vec<SearchChange>> {
        let page = page.map(|it| values![it.noted_at.micros(), it.id]);
        self.db.list(&self.search.list, values![hour], page).await
    }
}
