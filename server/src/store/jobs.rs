//! Storage of the progress of jobs that go on over restarts (`jobs`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cas, Result};

/// How far a job has come. Changed by compare-and-set on `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Names it, such as `relay/7`.
    pub job_id: String,
    /// Counts the row's changes, from 1.
    pub version: i64,
    /// The change that made this version.
    pub op_id: Uuid,
    /// The job's own mark of progress.
    pub cursor: i64,
}

/// Jobs: one row each, changed by compare-and-set on `version`.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Reads a job (linearizable).
    async fn get_job(&self, job_id: &str) -> Result<Option<Job>>;

    /// Replaces a job's row if its version is `job.version - 1`; version 1 puts a new row. A row whose `op_id` is ours counts as done.
    async fn update_job(&self, job: &Job) -> Result<Cas<Job>>;
}
