//! All drops of a store, for tools that check every ledger.

use serde::{Deserialize, Serialize};

use crate::{
    domain::DropId,
    store::{DropStore, Result},
};

/// Drops of one page: a row has up to a hundred items.
const PAGE: usize = 100;

/// Some drops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropPage {
    /// Which.
    pub drop_ids: Vec<DropId>,
    /// Where to go on; `None` at the end.
    pub next: Option<DropId>,
}

/// The page after the drop that the last one ended with.
///
/// # Errors
/// If the store can't be read.
pub async fn page(store: &dyn DropStore, after: Option<DropId>) -> Result<DropPage> {
    let drops = store.scan_drops(after, PAGE).await?;
    let drop_ids: Vec<_> = drops.iter().map(|drop| drop.drop_id).collect();
    let next = drop_ids.last().copied();
    let next = next.filter(|_| drop_ids.len() == PAGE);
    Ok(DropPage { drop_ids, next })
}
