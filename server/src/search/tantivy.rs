//! The index as files in a directory, by tantivy. Bounded in memory: what is searched is mapped, what is written waits in one buffer.

mod by_place;
mod query;
mod schema;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use metrics::{counter, histogram};
use parking_lot::Mutex;
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, TantivyError, Term,
    collector::TopDocs,
    directory::{MmapDirectory, error::OpenDirectoryError},
    indexer::IndexWriterOptions,
};
use tempfile::TempDir;
use tokio::{sync::Semaphore, time::Instant};

use self::{by_place::ByPlace, schema::Fields};
use super::{Change, Place, Progress, Query, Result, SearchError, SearchIndex};

/// Bytes of changes that wait to be written; tantivy takes no less than 15 MB.
const WRITE_BYTES: usize = 16_000_000;
/// Searches at once; more wait. Each keeps a thread busy for milliseconds.
const SEARCHES_AT_ONCE: usize = 4;

/// An index in a directory, for one process.
pub struct TantivyIndex(Arc<Inner>);

struct Inner {
    index: Index,
    reader: IndexReader,
    writer: Mutex<IndexWriter>,
    fields: Fields,
    searches: Semaphore,
    /// Goes with the index if nobody named another directory.
    _folder: Option<TempDir>,
}

impl fmt::Debug for TantivyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TantivyIndex")
            .field(self.0.index.directory())
            .finish()
    }
}

impl From<TantivyError> for SearchError {
    fn from(error: TantivyError) -> Self {
        failed(error)
    }
}

fn failed(error: impl fmt::Display) -> SearchError {
    SearchError::Failed(error.to_string())
}

impl TantivyIndex {
    /// Opens the index in `folder`, and makes it if there is none; one of another version, or a damaged one, is replaced by an empty one. Without
    /// a folder it lives in a temporary one, and also if another process has it.
    ///
    /// # Errors
    /// If the folder can't be written.
    pub fn open(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else {
            let folder = TempDir::with_prefix("livedrop-search-").map_err(failed)?;
            let inner = Inner::open(folder.path())?;
            let inner = Inner {
                _folder: Some(folder),
                ..inner
            };
            return Ok(Self(Arc::new(inner)));
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let inner = match Inner::open(folder) {
            Ok(inner) => inner,
            Err(TantivyError::LockFailure(..)) => {
                tracing::warn!(folder = %folder.display(), "another process has this search index: one is made in a temporary directory");
                return Self::open(None);
            }
            Err(error) => {
                tracing::warn!(%error, "the search index can't be read: it is made anew");
                std::fs::remove_dir_all(folder).map_err(failed)?;
                std::fs::create_dir_all(folder).map_err(failed)?;
                Inner::open(folder)?
            }
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Does what keeps a thread busy.
    async fn busy<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(failed)?
    }
}

impl Inner {
    fn open(folder: &Path) -> std::result::Result<Self, TantivyError> {
        let fields = Fields::new();
        let directory = MmapDirectory::open(folder)
            .map_err(|error: OpenDirectoryError| TantivyError::SystemError(error.to_string()))?;
        let index = Index::open_or_create(directory, fields.schema())?;
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITE_BYTES)
            .build();
        let writer = index.writer_with_options(options)?;
        let reader = index.reader_builder();
        let reader = reader.reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self {
            index,
            reader,
            writer: Mutex::new(writer),
            fields,
            searches: Semaphore::new(SEARCHES_AT_ONCE),
            _folder: None,
        })
    }

    fn write(&self, changes: Vec<Change>, progress: Option<Progress>) -> Result<()> {
        let count = changes.len() as u64;
        let mut writer = self.writer.lock();
        let written = self.put(&writer, changes).and_then(|()| {
            let mut commit = writer.prepare_commit()?;
            if let Some(progress) = progress {
                let payload = serde_json::to_string(&progress);
                commit.set_payload(&payload.map_err(failed)?);
            }
            commit.commit()?;
            counter!("livedrop_search_changes_total").increment(count);
            Ok(self.reader.reload()?)
        });
        if written.is_err() {
            // Half of it must not go with the next commit.
            writer.rollback()?;
        }
        written
    }

    fn put(&self, writer: &IndexWriter, changes: Vec<Change>) -> Result<()> {
        let fields = &self.fields;
        let id = |id: uuid::Uuid| Term::from_field_text(fields.id, &id.to_string());
        for change in changes {
            match change {
                Change::Put(document) => {
                    writer.delete_term(id(document.id));
                    writer.add_document(fields.document(&document))?;
                }
                Change::Remove(gone) => {
                    writer.delete_term(id(gone));
                }
                Change::RemoveAllOf(creator_id) => {
                    let creator_id = creator_id.to_string();
                    writer.delete_term(Term::from_field_text(fields.creator, &creator_id));
                }
            }
        }
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        writer.delete_all_documents()?;
        writer.commit()?;
        Ok(self.reader.reload()?)
    }

    fn find(&self, query: &Query, after: Option<Place>, limit: usize) -> Result<Vec<Place>> {
        let searcher = self.reader.searcher();
        let order = TopDocs::with_limit(limit.max(1)).order_by(ByPlace { after });
        let found = searcher.search(&*self.fields.query(query), &order)?;
        Ok(found.into_iter().filter_map(|(place, _)| place).collect())
    }
}

#[async_trait]
impl SearchIndex for TantivyIndex {
    async fn progress(&self) -> Result<Option<Progress>> {
        self.busy(|inner| {
            let payload = inner.index.load_metas()?.payload;
            Ok(payload.and_then(|payload| serde_json::from_str(&payload).ok()))
        })
        .await
    }

    async fn clear(&self) -> Result<()> {
        self.busy(Inner::clear).await
    }

    async fn write(&self, changes: Vec<Change>, progress: Option<Progress>) -> Result<()> {
        self.busy(move |inner| inner.write(changes, progress)).await
    }

    async fn find(&self, query: Query, after: Option<Place>, limit: usize) -> Result<Vec<Place>> {
        let begun = Instant::now();
        let _seat = self.0.searches.acquire().await;
        let found = self
            .busy(move |inner| inner.find(&query, after, limit))
            .await;
        histogram!("livedrop_search_seconds").record(begun.elapsed());
        found
    }
}
