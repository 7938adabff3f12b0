//! Making all derived rows anew: the lists of drops and products from their rows, those of follows from the edges; order rows, their lists and drop
//! statuses from the ledgers, by the same consumers that follow them while they are written. Events are not told again.

#[cfg(test)]
pub(super) mod tests;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{Work, indexer, outbox};
use crate::{
    domain::{DropId, drop::Drop},
    env::SharedEnv,
    ledger::projector::{Consumers, StoredError, project_stored},
    store::{
        SharedStore, StoreError,
        follows::FollowState,
        truth::{TruthRow, TruthTable},
    },
};

/// Drops read at a time.
const PAGE: usize = 100;
/// Ledgers projected at once: their rows share commits, and this many folds fit into memory.
const AT_ONCE: usize = 8;
/// Edges read at a time.
const EDGES_PAGE: usize = 250;
/// Edges or products listed at once: all of a page share few commits.
const LISTED_AT_ONCE: usize = 64;

/// What a rebuild has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Drops listed anew.
    pub drops: u64,
    /// Ledgers projected to their end; the other drops are not frozen.
    pub ledgers: u64,
    /// Records of these.
    pub records: u64,
    /// Orders of these.
    pub orders: u64,
    /// Follows listed anew.
    pub follows: u64,
    /// Products listed anew.
    pub products: u64,
    /// Ledgers that are wrong, and how: they are projected up to there.
    pub wrong: Vec<(DropId, String)>,
}

/// Why a rebuild stopped. Derived rows are missing now: it has to be run again.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The store failed.
    #[error("the store failed; run the rebuild again, rows are missing")]
    Store(#[from] StoreError),
    /// Rows of a ledger could not be written.
    #[error("ledger {0} could not be projected; run the rebuild again, rows are missing")]
    Ledger(DropId, #[source] StoredError),
    /// Another rebuild is at work.
    #[error("another rebuild is at work")]
    Busy,
}

/// Empties all derived rows and makes them anew, telling `each` time a ledger is done. Nothing else may have the store open: it would write
/// rows that are emptied, or miss those that are not there yet.
///
/// # Errors
/// See [`RebuildError`]. Wrong ledgers are no error: the others have to be served.
pub async fn rebuild(
    env: &SharedEnv,
    store: &SharedStore,
    consumers: &Consumers,
    mut each: impl FnMut(&Rebuilt),
) -> Result<Rebuilt, RebuildError> {
    // First: a process that dies from here on leaves a store that no server starts on.
    note(Work::Rebuild.begin(env, store).await?)?;
    store.truncate_derived().await?;
    let (mut done, mut after) = (Rebuilt::default(), None);
    loop {
        let drops = store.scan_drops(after, PAGE).await?;
        let Some(last) = drops.last() else {
            break;
        };
        after = Some(last.drop_id);
        let mut projected = stream::iter(drops)
            .map(|drop| project(store, consumers, drop))
            .buffer_unordered(AT_ONCE);
        while let Some(one) = projected.next().await {
            done.add(one?);
            each(&done);
        }
    }
    list_follows(store, |edges| {
        done.follows += edges;
        each(&done);
    })
    .await?;
    list_products(store, |products| {
        done.products += products;
        each(&done);
    })
    .await?;
    indexer::make_anew(env, store).await?;
    done.wrong.sort_unstable();
    note(Work::Rebuild.finish(env, store).await?)?;
    Ok(done)
}

fn note(is_ours: bool) -> Result<(), RebuildError> {
    if is_ours {
        Ok(())
    } else {
        Err(RebuildError::Busy)
    }
}

/// Lists all edges that hold, telling how many more there are.
async fn list_follows(store: &SharedStore, mut each: impl FnMut(u64)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let table = TruthTable::FollowEdges;
        let page = store.scan_truth(table, after.as_ref(), EDGES_PAGE).await?;
        let edges = page.rows.iter().filter_map(|row| {
            let TruthRow::FollowEdges(edge) = row else {
                return None;
            };
            (edge.state == FollowState::Following).then_some(edge)
        });
        let edges: Vec<_> = edges.collect();
        let listed = edges.len() as u64;
        stream::iter(edges.into_iter().map(Ok))
            .try_for_each_concurrent(LISTED_AT_ONCE, |edge| store.put_follow_rows(edge))
            .await?;
        each(listed);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Lists all products, telling how many more there are.
async fn list_products(store: &SharedStore, mut each: impl FnMut(u64)) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let table = TruthTable::Products;
        let page = store.scan_truth(table, after.as_ref(), PAGE).await?;
        let products = page.rows.iter().filter_map(|row| {
            let TruthRow::Products(product) = row else {
                return None;
            };
            Some(product)
        });
        let products: Vec<_> = products.collect();
        let listed = products.len() as u64;
        stream::iter(products.into_iter().map(Ok))
            .try_for_each_concurrent(LISTED_AT_ONCE, |it| outbox::list_product(&**store, it))
            .await?;
        each(listed);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Lists a drop and projects its ledger.
async fn project(
    store: &SharedStore,
    consumers: &Consumers,
    drop: Drop,
) -> Result<Rebuilt, RebuildError> {
    outbox::list_drop(&**store, &drop).await?;
    let mut done = Rebuilt {
        drops: 1,
        ..Rebuilt::default()
    };
    if !drop.is_frozen() {
        return Ok(done);
    }
    match project_stored(store, drop.drop_id, consumers).await {
        // Frozen, and cut off before the first record.
        Ok(state) if state.seq() == 0 => {}
        Ok(state) => {
            done.ledgers = 1;
            done.records = state.seq();
            done.orders = state.order_count() as u64;
        }
        Err(StoredError::Wrong(error)) => done.wrong.push((drop.drop_id, error.to_string())),
        Err(error @ (StoredError::Store(_) | StoredError::Consume(_))) => {
            return Err(RebuildError::Ledger(drop.drop_id, error));
        }
    }
    Ok(done)
}

impl Rebuilt {
    fn add(&mut self, other: Self) {
        self.drops += other.drops;
        self.ledgers += other.ledgers;
        self.records += other.records;
        self.orders += other.orders;
        self.follows += other.follows;
        self.products += other.products;
        self.wrong.extend(other.wrong);
    }
}
