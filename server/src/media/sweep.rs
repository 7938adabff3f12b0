//! Deletes what was sent and no product has taken.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{Error as StoreError, path::Path};
use tokio_util::sync::CancellationToken;

use super::{Media, MediaError, UPLOADS_KEPT, key::UPLOADS};

/// How often. A walk over a bucket is one request per 1,000 uploads of the last day.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

impl Media {
    /// Sweeps until `stop`. Several processes may do so on one bucket.
    pub async fn run(self, stop: CancellationToken) {
        while let Some(swept) = stop.run_until_cancelled(self.sweep()).await {
            match swept {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "uploads that no product took are deleted"),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "left uploads can't be deleted");
                }
            }
            stop.run_until_cancelled(self.env.sleep(SWEEP_EVERY)).await;
        }
    }

    /// Deletes uploads that are too old, one after the other as they are found, and tells how many.
    ///
    /// # Errors
    /// If the storage fails; what was deleted stays so.
    pub async fn sweep(&self) -> Result<usize, MediaError> {
        let before = (self.env.now() - UPLOADS_KEPT).micros();
        let all = self.objects.list(Some(&Path::from(UPLOADS)));
        let old = all.try_filter_map(move |found| {
            let is_old = found.last_modified.timestamp_micros() < before;
            std::future::ready(Ok(is_old.then_some(found.location)))
        });
        let mut deleted = self.objects.delete_stream(old.boxed());
        let mut count = 0;
        while let Some(deleted) = deleted.next().await {
            match deleted {
                Ok(_) => count += 1,
                // Another process was faster.
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }
}
