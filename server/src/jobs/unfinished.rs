//! Work on a whole store that leaves it unfit for a server until it is done: noted in the store before it begins, so that none starts then.

use crate::{
    env::SharedEnv,
    store::{Cas, JobStore, Result, SharedStore, jobs::Job},
};

const BEGUN: i64 = 1;
const FINISHED: i64 = 0;

/// What is done to a store as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// All derived rows are made anew.
    Rebuild,
    /// The truth is put in from a file.
    Import,
}

impl Work {
    /// Names its row of `jobs`. That row is about this one store, and stays when the truth is moved.
    pub(super) const fn job_id(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Import => "import",
        }
    }

    /// Notes that it begins; false if somebody else is at it.
    pub(super) async fn begin(self, env: &SharedEnv, store: &SharedStore) -> Result<bool> {
        self.note(env, store, BEGUN).await
    }

    /// Notes that it is done; false if somebody else was at it.
    pub(super) async fn finish(self, env: &SharedEnv, store: &SharedStore) -> Result<bool> {
        self.note(env, store, FINISHED).await
    }

    /// Whether it was begun and has not come to its end.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_unfinished(self, store: &dyn JobStore) -> Result<bool> {
        let job = store.get_job(self.job_id()).await?;
        Ok(job.is_some_and(|job| job.cursor == BEGUN))
    }

    async fn note(self, env: &SharedEnv, store: &SharedStore, cursor: i64) -> Result<bool> {
        let before = store.get_job(self.job_id()).await?;
        let job = Job {
            job_id: self.job_id().to_owned(),
            version: before.map_or(0, |job| job.version) + 1,
            op_id: env.uuid(),
            cursor,
        };
        Ok(store.update_job(&job).await? == Cas::Done)
    }
}
