//! Which making of their indexes a store asks its processes for: a row of `jobs`, whose operation names it. A new one is asked for by
//! `livedrop rebuild`; and a store that takes the place of another has its own.

use uuid::Uuid;

use crate::{
    env::SharedEnv,
    store::{Cas, Result, SharedStore, StoreError, jobs::Job},
};

/// Names its row of `jobs`, which is about this one store and stays when the truth is moved.
pub(in crate::jobs) const JOB_ID: &str = "search";
/// Races that are lost in a row before it is given up: servers that start at the same time.
const TRIES: usize = 8;

/// The present one; the first who asks makes it.
pub(super) async fn of(env: &SharedEnv, store: &SharedStore) -> Result<Uuid> {
    match store.get_job(JOB_ID).await? {
        Some(job) => Ok(job.op_id),
        None => next(env, store, None).await,
    }
}

/// Has all indexes of this store made anew, each when its process starts.
pub(in crate::jobs) async fn make_anew(env: &SharedEnv, store: &SharedStore) -> Result<()> {
    let before = store.get_job(JOB_ID).await?;
    next(env, store, before).await.map(drop)
}

async fn next(env: &SharedEnv, store: &SharedStore, mut before: Option<Job>) -> Result<Uuid> {
    let is_first = before.is_none();
    for _ in 0..TRIES {
        let job = Job {
            job_id: JOB_ID.to_owned(),
            version: before.map_or(0, |job| job.version) + 1,
            op_id: env.uuid(),
            cursor: 0,
        };
        match store.update_job(&job).await? {
            Cas::Done => return Ok(job.op_id),
            Cas::Stale(Some(found)) if is_first => return Ok(found.op_id),
            Cas::Stale(found) => before = found,
        }
    }
    let what = format!("{TRIES} races for the job {JOB_ID} were lost");
    Err(StoreError::Determinate(what))
}
