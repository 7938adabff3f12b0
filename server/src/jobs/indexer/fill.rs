//! Filling an index from all rows. What changes meanwhile is noted, and followed afterwards.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Behind, Indexer};
use crate::{
    domain::AccountId,
    search::{Change, Document, Progress},
    store::{
        StoreError,
        truth::{TruthRow, TruthTable},
    },
};

/// Rows read and written at a time: a commit each.
const PAGE: usize = 500;
/// Creators of which it is remembered whether they are there.
const CREATORS_MAX: usize = 10_000;

impl Indexer {
    /// Makes the index anew.
    pub(super) async fn fill(&self, generation: Uuid) -> Result<Progress, Behind> {
        let progress = Progress {
            generation,
            read_to: self.env.now(),
        };
        tracing::info!("the search index is being made");
        self.index.clear().await?;
        let (mut creators, mut documents) = (HashMap::new(), 0);
        for table in [TruthTable::Products, TruthTable::Drops] {
            let mut after = None;
            loop {
                let page = self.store.scan_truth(table, after.as_ref(), PAGE).await?;
                let mut changes = Vec::with_capacity(page.rows.len());
                for row in page.rows {
                    if let Some(document) = self.document(row).await?
                        && self.is_known(&mut creators, document.creator_id).await?
                    {
                        changes.push(Change::Put(Box::new(document)));
                    }
                }
                documents += changes.len();
                self.index.write(changes, None).await?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        self.index.write(Vec::new(), Some(progress)).await?;
        tracing::info!(documents, "the search index is whole");
        Ok(progress)
    }

    async fn document(&self, row: TruthRow) -> Result<Option<Document>, StoreError> {
        if let TruthRow::Products(product) = row {
            return Ok(Some(Document::of_product(&product)));
        }
        let TruthRow::Drops(drop) = row else {
            return Ok(None);
        };
        let status = self.store.get_drop_status(drop.drop_id).await?;
        Ok(Some(Document::of_drop(&drop, status.as_ref())))
    }

    async fn is_known(
        &self,
        creators: &mut HashMap<AccountId, bool>,
        creator_id: AccountId,
    ) -> Result<bool, StoreError> {
        if let Some(is_here) = creators.get(&creator_id) {
            return Ok(*is_here);
        }
        let is_here = self.is_here(creator_id).await?;
        if creators.len() >= CREATORS_MAX {
            creators.clear();
        }
        creators.insert(creator_id, is_here);
        Ok(is_here)
    }
}
