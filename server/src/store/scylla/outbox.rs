//! Intents (`outbox`) and announcements (`announced`).

use async_trait::async_trait;
use scylla::statement::prepared::PreparedStatement;

use super::{
    ScyllaStore,
    db::Db,
    list::List,
    row::{self, FromRow, Row, unreadable_column, values},
};
use crate::store::{
    OutboxStore, PageRequest, Result,
    outbox::{Entity, EntityKind, Intent, IntentKey},
};

#[derive(Debug)]
pub(super) struct Statements {
    put: PreparedStatement,
    remove: PreparedStatement,
    list: List,
    get_announced: PreparedStatement,
    put_announced: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(db: &Db) -> Result<Self> {
        Ok(Self {
            put: db
                .plain("INSERT INTO outbox (shard, hour, created_at, op_id, kind, entity_id) VALUES (?, ?, ?, ?, ?, ?)")
                .await?,
            remove: db
                .plain("DELETE FROM outbox WHERE shard = ? AND hour = ? AND created_at = ? AND op_id = ?")
                .await?,
            list: List::prepare(
                db,
                "outbox",
                &["shard", "hour"],
                &["created_at", "op_id"],
                &["kind", "entity_id"],
            )
            .await?,
            get_announced: db
                .plain("SELECT version FROM announced WHERE kind = ? AND entity_id = ?")
                .await?,
            put_announced: db
                .plain("INSERT INTO announced (kind, entity_id, version) VALUES (?, ?, ?) USING TIMESTAMP ?")
                .await?,
        })
    }
}

/// Before the creator's id, in the kind of an edge.
const FOLLOW_EDGE: &str = "FOLLOW_EDGE ";

pub(super) fn kind_text(kind: EntityKind) -> String {
    match kind {
        EntityKind::Account | EntityKind::Creator | EntityKind::Drop | EntityKind::Product => {
            row::name_of(&kind)
        }
        EntityKind::FollowEdge(creator_id) => format!("{FOLLOW_EDGE}{creator_id}"),
    }
}

/// Back from [`kind_text`], in the column `kind`.
pub(super) fn kind(row: &Row<'_>) -> Result<EntityKind> {
    let text: &str = row.get("kind")?;
    match text.strip_prefix(FOLLOW_EDGE) {
        Some(creator_id) => creator_id
            .parse()
            .map(EntityKind::FollowEdge)
            .map_err(|error| unreadable_column("kind", error)),
        None => row.named("kind"),
    }
}

impl FromRow for Intent {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            entity: Entity {
                kind: kind(row)?,
                id: row.get("entity_id")?,
            },
            op_id: row.get("op_id")?,
            created_at: row.time("created_at")?,
        })
    }
}

#[async_trait]
impl OutboxStore for ScyllaStore {
    async fn put_intent(&self, intent: &Intent) -> Result<()> {
        let values = values![
            i32::from(intent.entity.shard()),
            intent.created_at.hour(),
            intent.created_at.micros(),
            intent.op_id,
            kind_text(intent.entity.kind),
            intent.entity.id,
        ];
        self.db.run(&self.outbox.put, values).await
    }

    async fn remove_intent(&self, intent: &Intent) -> Result<()> {
        let values = values![
            i32::from(intent.entity.shard()),
            intent.created_at.hour(),
            intent.created_at.micros(),
            intent.op_id,
        ];
        self.db.run(&self.outbox.remove, values).await
    }

    async fn list_intents(
        &self,
        shard: u8,
        hour: i64,
        page: PageRequest<IntentKey>,
    ) -> Result<Vec<Intent>> {
        let page = page.map(|it| values![it.created_at.micros(), it.op_id]);
        self.db
            .list(&self.outbox.list, values![i32::from(shard), hour], page)
            .await
    }

    async fn get_announced(&self, entity: Entity) -> Result<i64> {
        let values = values![kind_text(entity.kind), entity.id];
        let rows = self.db.rows(&self.outbox.get_announced, &values).await?;
        Ok(row::first(&rows, |row| row.get("version"))?.unwrap_or(0))
    }

    async fn put_announced(&self, entity: Entity, version: i64) -> Result<()> {
        let values = values![kind_text(entity.kind), entity.id, version, version];
        self.db.run(&self.outbox.put_announced, values).await
    }
}
