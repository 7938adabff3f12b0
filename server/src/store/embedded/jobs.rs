//! Jobs: partition = the job's id.

use async_trait::async_trait;

use super::{EmbeddedStore, rows::JOBS};
use crate::store::{Cas, JobStore, Put, Result, jobs::Job};

#[async_trait]
impl JobStore for EmbeddedStore {
    async fn get_job(&self, job_id: &str) -> Result<Option<Job>> {
        self.get_row(JOBS, job_id.as_bytes())
    }

    async fn update_job(&self, job: &Job) -> Result<Cas<Job>> {
        let key = job.job_id.as_bytes();
        if job.version != 1 {
            return self.replace_row(JOBS, key, job).await;
        }
        Ok(match self.insert_row(JOBS, key, job).await? {
            Put::Exists(existing) if existing.op_id != job.op_id => Cas::Stale(Some(existing)),
            Put::Done | Put::Exists(_) => Cas::Done,
        })
    }
}
