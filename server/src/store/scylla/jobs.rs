//! Progress of jobs (`jobs`).

use async_trait::async_trait;

use super::{
    ScyllaStore,
    db::Db,
    lwt::{self, Table},
    row::{FromRow, Row, Value, values},
};
use crate::store::{Cas, JobStore, Put, Result, jobs::Job};

pub(super) const JOBS: Table = Table {
    name: "jobs",
    key: &["job_id"],
    columns: &["version", "op_id", "cursor"],
    using: "",
};

pub(super) async fn prepare(db: &Db) -> Result<lwt::Statements> {
    lwt::Statements::prepare(db, JOBS).await
}

fn values_of(job: &Job) -> (Vec<Value>, Vec<Value>) {
    (
        values![job.job_id.clone()],
        values![job.version, job.op_id, job.cursor],
    )
}

impl FromRow for Job {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            job_id: row.get("job_id")?,
            version: row.get("version")?,
            op_id: row.get("op_id")?,
            cursor: row.get("cursor")?,
        })
    }
}

#[async_trait]
impl JobStore for ScyllaStore {
    async fn get_job(&self, job_id: &str) -> Result<Option<Job>> {
        self.db.get(&self.jobs, values![job_id.to_owned()]).await
    }

    async fn update_job(&self, job: &Job) -> Result<Cas<Job>> {
        if job.version != 1 {
            let (key, columns) = values_of(job);
            return self.db.replace(&self.jobs, key, columns, job).await;
        }
        Ok(match self.put_job(job).await? {
            Put::Done => Cas::Done,
            Put::Exists(found) if found.op_id == job.op_id => Cas::Done,
            Put::Exists(found) => Cas::Stale(Some(found)),
        })
    }
}

impl ScyllaStore {
    /// Puts a job's row if there is none, whatever its version.
    pub(super) async fn put_job(&self, job: &Job) -> Result<Put<Job>> {
        let (key, columns) = values_of(job);
        self.db.put_if_absent(&self.jobs, key, columns, job).await
    }
}
