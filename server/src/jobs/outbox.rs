//! The outbox: no change of a row goes without its event, nor without the lists derived from the row, whatever dies in between.
//!
//! An **intent** is put before the row changes. When the derived rows are written, the event is out and `announced` is raised, it is
//! removed. All of that but the intent comes after the caller's answer, and what does not come is made up for by the [relay](super::relay).
//! What is announced is what the row says beyond its version announced last, never what an intent says: the loser of a race leaves one too.

mod erase;
#[cfg(test)]
mod tests;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    domain::{AccountId, DropId, ProductId, drop::Drop, product::Product},
    env::SharedEnv,
    events::{self, EventSink as _, Row, SinkError, Sinks},
    store::{
        SharedStore, Store, StoreError,
        drops::{DropTime, DropTimeKey},
        outbox::{Entity, EntityKind, Intent},
        search::SearchChange,
    },
};

/// What follows a change is left to the relay if so many others are being followed up, as when a sink is slow.
const FOLLOWED_UP_AT_ONCE: usize = 64;

/// A sink that has not answered by then is down: well beyond a slow one, well below the patience of a stopping process.
const PUBLISH_WITHIN: Duration = Duration::from_secs(5);

/// What follows a change could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// The store failed.
    #[error("the store has no answer")]
    Store(#[from] StoreError),
    /// The event is not out.
    #[error("the event is not out")]
    Sink(#[from] SinkError),
}

/// Puts intents, and finishes what follows a change. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    env: SharedEnv,
    store: SharedStore,
    sinks: Sinks,
    /// A seat for each change that is followed up right after its answer.
    seats: Arc<Semaphore>,
    closing: CancellationToken,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("sinks", &self.0.sinks)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// An outbox whose events go to `sinks`.
    #[must_use]
    pub fn new(env: SharedEnv, store: SharedStore, sinks: Sinks) -> Self {
        Self(Arc::new(Inner {
            env,
            store,
            sinks,
            seats: Arc::new(Semaphore::new(FOLLOWED_UP_AT_ONCE)),
            closing: CancellationToken::new(),
        }))
    }

    pub(super) fn env(&self) -> &SharedEnv {
        &self.0.env
    }

    pub(super) fn store(&self) -> &SharedStore {
        &self.0.store
    }

    /// Nothing is followed up from now on: the next process's relay does it.
    pub(super) fn close(&self) {
        self.0.closing.cancel();
    }

    /// Puts the intent of the change `op_id`. [`Begun::run`] then makes the change: a put-if-absent, or a compare-and-set, that gives
    /// the row this `op_id`.
    ///
    /// # Errors
    /// If the store fails: then nothing must be changed.
    pub async fn begin(&self, entity: Entity, op_id: Uuid) -> Result<Begun, StoreError> {
        let intent = Intent {
            entity,
            op_id,
            created_at: self.0.env.now(),
        };
        self.0.store.put_intent(&intent).await?;
        Ok(Begun {
            outbox: self.clone(),
            intent,
        })
    }

    /// [`Self::begin`], then [`Begun::run`].
    ///
    /// # Errors
    /// Those of `work`, or if the intent can't be put.
    pub async fn change<T>(
        &self,
        entity: Entity,
        op_id: Uuid,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.begin(entity, op_id).await?.run(work).await
    }

    /// Writes the rows derived from an entity's row, tells what the row says beyond what was told, and notes that. Answers with the
    /// change that made the row; `None` if there is no row. Any number of tasks may do the same at the same time.
    ///
    /// # Errors
    /// If a part of it has to be done again.
    pub async fn finish(&self, entity: Entity) -> Result<Option<Uuid>, Unfinished> {
        let store = &self.0.store;
        if let EntityKind::FollowEdge(creator_id) = entity.kind {
            let found = store
                .get_follow(AccountId::new(entity.id), creator_id)
                .await?;
            if let Some(edge) = &found {
                store.put_follow_rows(edge).await?;
            }
            return Ok(found.map(|edge| edge.op_id));
        }
        let (row, announced) =
            futures::future::try_join(self.row(entity), store.get_announced(entity)).await?;
        let Some(mut row) = row else {
            return Ok(None);
        };
        if let Row::Account(account) = &mut row
            && account.is_deleted()
        {
            self.erase(account).await?;
        }
        let version = row.public_version();
        if announced < version {
            let is_searched = match &row {
                Row::Account(_) => false,
                Row::Creator(creator) => creator.is_deleted(),
                Row::Drop(drop) => {
                    list_drop(&**store, drop).await?;
                    true
                }
                Row::Product(product) => {
                    list_product(&**store, product).await?;
                    true
                }
            };
            if is_searched {
                let noted_at = self.0.env.now();
                let change = SearchChange { noted_at, entity };
                store.put_search_change(&change).await?;
            }
            self.publish(&events::of_row(&row, announced)).await?;
            store.put_announced(entity, version).await?;
        }
        Ok(Some(row.op_id()))
    }

    async fn row(&self, entity: Entity) -> Result<Option<Row>, StoreError> {
        let (store, id) = (&self.0.store, entity.id);
        Ok(match entity.kind {
            EntityKind::Account => {
                let account = store.get_account(AccountId::new(id)).await?;
                account.map(Row::Account)
            }
            EntityKind::Creator => {
                let creator = store.get_creator(AccountId::new(id)).await?;
                creator.map(Row::Creator)
            }
            EntityKind::Drop => store.get_drop(DropId::new(id)).await?.map(Row::Drop),
            EntityKind::Product => {
                let product = store.get_product(ProductId::new(id)).await?;
                product.map(Row::Product)
            }
            // Nothing is told of it.
            EntityKind::FollowEdge(_) => None,
        })
    }

    async fn publish(&self, events: &[events::Event]) -> Result<(), SinkError> {
        tokio::select! {
            biased;
            published = self.0.sinks.publish(events) => published,
            () = self.0.env.sleep(PUBLISH_WITHIN) => {
                Err(SinkError(format!("no answer within {PUBLISH_WITHIN:?}")))
            }
        }
    }
}

/// Writes the lists that a drop is in. That of times was written before the row; a second time makes it certain.
pub(super) async fn list_drop(store: &dyn Store, drop: &Drop) -> Result<(), StoreError> {
    let time = DropTime {
        key: DropTimeKey {
            opens_at: drop.opens_at,
            drop_id: drop.drop_id,
        },
        ends_at: drop.ends_at,
    };
    futures::future::try_join(
        store.put_drop_time(time, drop.changed_at),
        store.put_creator_drop(drop.creator_id, drop.created_at, drop.drop_id),
    )
    .await?;
    Ok(())
}

/// Writes the list that a product is in.
pub(super) async fn list_product(store: &dyn Store, product: &Product) -> Result<(), StoreError> {
    let (created_at, product_id) = (product.created_at, product.product_id);
    store
        .put_creator_product(product.creator_id, created_at, product_id)
        .await
}

/// An intent that was put: the change may begin. If it is dropped, as when the caller goes away, the relay finishes what came of it.
#[derive(Debug)]
#[must_use]
pub struct Begun {
    outbox: Outbox,
    intent: Intent,
}

impl Begun {
    /// Makes the change. What follows it is done in the background, so that the answer waits for nothing.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn run<T>(
        self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let outcome = work.await;
        match &outcome {
            Ok(_) | Err(StoreError::Determinate(_)) => self.follow_up(),
            // The change may come yet: the intent has to stay.
            Err(StoreError::Indeterminate(_)) => {}
        }
        outcome
    }

    /// Finishes what came of the intent, and removes it. Only for an intent whose change can't come any more, or has come.
    fn follow_up(self) {
        let Self { outbox, intent } = self;
        let Ok(seat) = Arc::clone(&outbox.0.seats).try_acquire_owned() else {
            return;
        };
        let work = {
            let outbox = outbox.clone();
            async move {
                let _seat = seat;
                let done = async {
                    outbox.finish(intent.entity).await?;
                    Ok::<(), Unfinished>(outbox.0.store.remove_intent(&intent).await?)
                };
                let closing = outbox.0.closing.clone();
                if let Some(Err(error)) = closing.run_until_cancelled(done).await {
                    // The relay tells it aloud if it stays so.
                    tracing::debug!(entity = ?intent.entity, %error, "left to the relay");
                }
            }
        };
        outbox.0.env.spawn("outbox", Box::pin(work));
    }
}
