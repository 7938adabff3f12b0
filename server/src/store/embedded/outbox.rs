//! Intents (partition = shard, hour; clustering = `created_at`, operation) and announcements (partition = entity).

use async_trait::async_trait;

use super::{
    EmbeddedStore, key,
    rows::{ANNOUNCED, Failure, OUTBOX},
};
use crate::{
    domain::AccountId,
    store::{
        OutboxStore, PageRequest, Result,
        outbox::{Entity, EntityKind, Intent, IntentKey},
    },
};

/// The kind, then the id; then the other id, of an edge.
pub(super) fn encode_entity(entity: Entity) -> Vec<u8> {
    let (kind, other): (u8, &[u8]) = match &entity.kind {
        EntityKind::Account => (1, &[]),
        EntityKind::Creator => (2, &[]),
        EntityKind::Drop => (3, &[]),
        EntityKind::Product => (5, &[]),
        EntityKind::FollowEdge(creator_id) => (4, creator_id.as_bytes()),
    };
    [&[kind], &entity.id.as_bytes()[..], other].concat()
}

pub(super) fn decode_entity(mut bytes: &[u8]) -> std::result::Result<Entity, Failure> {
    let [kind] = key::take(&mut bytes)?;
    let id = key::take_id(&mut bytes)?;
    let kind = match kind {
        1 => EntityKind::Account,
        2 => EntityKind::Creator,
        3 => EntityKind::Drop,
        4 => EntityKind::FollowEdge(AccountId::new(key::take_id(&mut bytes)?)),
        5 => EntityKind::Product,
        unknown => {
            let what = format!("a stored entity is of the unknown kind {unknown}");
            return Err(Failure::Row(what));
        }
    };
    Ok(Entity { kind, id })
}

fn partition(shard: u8, hour: i64) -> Vec<u8> {
    [&[shard][..], &key::ordered_i64(hour)].concat()
}

fn clustering(key: &IntentKey) -> [u8; 24] {
    key::time_and_id(key.created_at, key.op_id.as_bytes())
}

pub(super) fn intent_key(intent: &Intent) -> Vec<u8> {
    let partition = partition(intent.entity.shard(), intent.created_at.hour());
    [&partition[..], &clustering(&intent.key())].concat()
}

pub(super) fn decode_intent(mut key: &[u8], row: &[u8]) -> std::result::Result<Intent, Failure> {
    let _partition: [u8; 9] = key::take(&mut key)?;
    Ok(Intent {
        entity: decode_entity(row)?,
        created_at: key::take_time(&mut key)?,
        op_id: key::take_id(&mut key)?,
    })
}

pub(super) fn decode_version(mut row: &[u8]) -> std::result::Result<i64, Failure> {
    Ok(key::from_ordered_i64(key::take(&mut row)?))
}

#[async_trait]
impl OutboxStore for EmbeddedStore {
    async fn put_intent(&self, intent: &Intent) -> Result<()> {
        let (key, row) = (intent_key(intent), encode_entity(intent.entity));
        self.write(move |rows| rows.put_if_absent(OUTBOX, &key, &[&row]).map(drop))
            .await
    }

    async fn remove_intent(&self, intent: &Intent) -> Result<()> {
        let key = intent_key(intent);
        self.write(move |rows| rows.delete(OUTBOX, &key)).await
    }

    async fn list_intents(
        &self,
        shard: u8,
        hour: i64,
        page: PageRequest<IntentKey>,
    ) -> Result<Vec<Intent>> {
        let after = page.after.as_ref().map(clustering);
        let after = after.as_ref().map(|it| &it[..]);
        let range = key::range(&partition(shard, hour), after, page.order);
        self.scan(move |snapshot| {
            snapshot.page(OUTBOX, range, page.order, page.limit, |key, row| {
                decode_intent(key, row).map(Some)
            })
        })
        .await
    }

    async fn get_announced(&self, entity: Entity) -> Result<i64> {
        let key = encode_entity(entity);
        let version = self.read(|snapshot| snapshot.get(ANNOUNCED, &key, decode_version))?;
        Ok(version.unwrap_or(0))
    }

    async fn put_announced(&self, entity: Entity, version: i64) -> Result<()> {
        let (key, version) = (encode_entity(entity), key::ordered_i64(version));
        // The version is the row's time: the newest is the greatest.
        self.write(move |rows| rows.put_newest(ANNOUNCED, &key, &version, &[]))
            .await
    }
}
