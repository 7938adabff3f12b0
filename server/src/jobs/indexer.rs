//! Keeps a process' search index at what the rows say: looks at the list of changes, reads what changed, and writes it into the index. An index
//! that is new, was left behind for too long, or is to be made anew, is filled from all rows first.

mod fill;
mod generation;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashSet},
    convert::Infallible,
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use self::generation::{JOB_ID, make_anew};
use crate::{
    domain::{AccountId, DropId, ProductId, Timestamp},
    env::SharedEnv,
    search::{Change, Document, Progress, SearchError, SearchHandle, SharedIndex},
    store::{
        Order, PageRequest, SharedStore, StoreError,
        outbox::{Entity, EntityKind},
        search::{CHANGE_TTL, SearchChange, SearchChangeKey},
    },
};

/// A change is found within a second: one look, one commit.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How far each look goes back behind the last: for changes that were noted on a slow way.
const LOOK_BACK: Duration = Duration::from_secs(5);
/// How far back, or ahead, a change may be noted at all: clocks of servers, and writes that hang.
const LOOK_FAR_BACK: Duration = Duration::from_secs(60);
/// One look in so many goes far back.
const FAR_EVERY: u32 = 40;
/// Changes read and written at a time.
const PAGE: usize = 500;
/// Rows read at once.
const ROWS_AT_ONCE: usize = 16;
/// An index that was left for longer has missed changes that are no longer listed.
const LEFT_BEHIND_AFTER: Duration = CHANGE_TTL.saturating_sub(Duration::from_secs(3_600));
/// How often it is noted how far the index is when nothing changes.
const NOTE_EVERY: Duration = Duration::from_secs(600);
/// After a failure.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Why the index is not at what the rows say.
#[derive(Debug, thiserror::Error)]
enum Behind {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// Keeps the index until `stop`; what can't be done now is tried again.
pub async fn run(
    env: SharedEnv,
    store: SharedStore,
    search: SearchHandle,
    stop: CancellationToken,
) {
    let Some(index) = search.index().cloned() else {
        return;
    };
    loop {
        let indexer = Indexer {
            env: env.clone(),
            store: store.clone(),
            index: index.clone(),
        };
        match stop.run_until_cancelled(indexer.keep(&search)).await {
            None => return,
            Some(Ok(never)) => match never {},
            Some(Err(error)) => tracing::warn!(%error, "search does not follow; tried again"),
        }
        stop.run_until_cancelled(env.sleep(AGAIN_AFTER)).await;
    }
}

struct Indexer {
    env: SharedEnv,
    store: SharedStore,
    index: SharedIndex,
}

/// Where the indexer is.
struct Follower {
    progress: Progress,
    /// When the index was last told.
    noted_at: Timestamp,
    /// Changes that are done, as far back as looks go.
    done: HashSet<SearchChange>,
}

impl Indexer {
    async fn keep(&self, search: &SearchHandle) -> Result<Infallible, Behind> {
        let mut follower = self.begin(search).await?;
        let mut looks = 0;
        loop {
            self.env.sleep(LOOK_EVERY).await;
            looks = (looks + 1) % FAR_EVERY;
            let back = if looks == 0 { LOOK_FAR_BACK } else { LOOK_BACK };
            self.look(&mut follower, back).await?;
        }
    }

    /// Brings the index to where it can be searched.
    async fn begin(&self, search: &SearchHandle) -> Result<Follower, Behind> {
        let now = self.env.now();
        let generation = generation::of(&self.env, &self.store).await?;
        let progress =
            self.index.progress().await?.filter(|it| {
                it.generation == generation && now.since(it.read_to) < LEFT_BEHIND_AFTER
            });
        let progress = match progress {
            Some(progress) => progress,
            None => {
                search.set_whole(false);
                self.fill(generation).await?
            }
        };
        let mut follower = Follower {
            progress,
            noted_at: now,
            done: HashSet::new(),
        };
        self.look(&mut follower, LOOK_FAR_BACK).await?;
        search.set_whole(true);
        Ok(follower)
    }

    /// Does what was noted since the last look, and up to `back` before it.
    async fn look(&self, it: &mut Follower, back: Duration) -> Result<(), Behind> {
        let (now, from) = (self.env.now(), it.progress.read_to - back);
        for hour in from.hour()..=(now + LOOK_FAR_BACK).hour() {
            let mut after = (hour == from.hour()).then_some(SearchChangeKey {
                noted_at: from,
                id: Uuid::nil(),
            });
            loop {
                let page = PageRequest {
                    after,
                    limit: PAGE,
                    order: Order::Ascending,
                };
                let noted = self.store.list_search_changes(hour, page).await?;
                let Some(last) = noted.last() else {
                    break;
                };
                after = Some(last.key());
                let read_to = it.progress.read_to.max(last.noted_at.min(now));
                self.follow(it, &noted, read_to).await?;
                if noted.len() < PAGE {
                    break;
                }
            }
        }
        it.progress.read_to = it.progress.read_to.max(now);
        it.done
            .retain(|done| now.since(done.noted_at) < LOOK_FAR_BACK * 2);
        if now.since(it.noted_at) >= NOTE_EVERY {
            self.index.write(Vec::new(), Some(it.progress)).await?;
            it.noted_at = now;
        }
        Ok(())
    }

    async fn follow(
        &self,
        it: &mut Follower,
        noted: &[SearchChange],
        read_to: Timestamp,
    ) -> Result<(), Behind> {
        let new: Vec<_> = noted
            .iter()
            .filter(|change| !it.done.contains(change))
            .collect();
        let entities: BTreeSet<Entity> = new.iter().map(|change| change.entity).collect();
        let read = stream::iter(entities).map(|entity| self.change(entity));
        let changes: Vec<_> = read.buffered(ROWS_AT_ONCE).try_collect().await?;
        it.progress.read_to = read_to;
        if !changes.is_empty() {
            self.index.write(changes, Some(it.progress)).await?;
            it.noted_at = self.env.now();
        }
        it.done.extend(new);
        Ok(())
    }

    /// What the index has to do so that it says what the rows say.
    async fn change(&self, entity: Entity) -> Result<Change, StoreError> {
        let (store, id) = (&self.store, entity.id);
        let found = match entity.kind {
            EntityKind::Product => {
                let product = store.get_product(ProductId::new(id)).await?;
                product.map(|product| Document::of_product(&product))
            }
            EntityKind::Drop => {
                let drop_id = DropId::new(id);
                // The status first: one that is newer than the row is better than the other way round.
                let status = store.get_drop_status(drop_id).await?;
                let drop = store.get_drop(drop_id).await?;
                drop.map(|drop| Document::of_drop(&drop, status.as_ref()))
            }
            EntityKind::Account | EntityKind::Creator | EntityKind::FollowEdge(_) => {
                return Ok(Change::RemoveAllOf(AccountId::new(id)));
            }
        };
        Ok(match found {
            Some(found) if self.is_here(found.creator_id).await? => Change::Put(Box::new(found)),
            Some(_) | None => Change::Remove(id),
        })
    }

    /// Whether the creator has not gone.
    async fn is_here(&self, creator_id: AccountId) -> Result<bool, StoreError> {
        let creator = self.store.get_creator(creator_id).await?;
        Ok(creator.is_some_and(|creator| !creator.is_deleted()))
    }
}
