//! The storage traits of the outbox, of search, of jobs, of processes, of the audit log and of the truth as a whole, each method through
//! [`Faulty::call`].

use async_trait::async_trait;
use uuid::Uuid;

use super::{Faulty, Method, Subject};
use crate::domain::ProcessId;
use crate::store::{
    AuditStore, Cas, JobStore, OutboxStore, PageRequest, ProcessStore, Put, Result,
    SearchChangeStore, TruthStore,
    audit::AuditEntry,
    jobs::Job,
    outbox::{Entity, Intent, IntentKey},
    processes::{ClockRead, Heartbeat, ProcessSeen},
    search::{SearchChange, SearchChangeKey},
    truth::{Position, TruthPage, TruthRow, TruthTable},
};

#[async_trait]
impl<S: OutboxStore + ?Sized> OutboxStore for Faulty<S> {
    async fn put_intent(&self, intent: &Intent) -> Result<()> {
        self.call_on(
            Method::PutIntent,
            Subject::Entity(intent.entity.kind),
            || self.inner.put_intent(intent),
        )
        .await
    }

    async fn remove_intent(&self, intent: &Intent) -> Result<()> {
        self.call_on(
            Method::RemoveIntent,
            Subject::Entity(intent.entity.kind),
            || self.inner.remove_intent(intent),
        )
        .await
    }

    async fn list_intents(
        &self,
        shard: u8,
        hour: i64,
        page: PageRequest<IntentKey>,
    ) -> Result<Vec<Intent>> {
        self.call(Method::ListIntents, || {
            self.inner.list_intents(shard, hour, page.clone())
        })
        .await
    }

    async fn get_announced(&self, entity: Entity) -> Result<i64> {
        self.call(Method::GetAnnounced, || self.inner.get_announced(entity))
            .await
    }

    async fn put_announced(&self, entity: Entity, version: i64) -> Result<()> {
        self.call_on(Method::PutAnnounced, Subject::Entity(entity.kind), || {
            self.inner.put_announced(entity, version)
        })
        .await
    }
}

#[async_trait]
impl<S: SearchChangeStore + ?Sized> SearchChangeStore for Faulty<S> {
    async fn put_search_change(&self, change: &SearchChange) -> Result<()> {
        let subject = Subject::Entity(change.entity.kind);
        self.call_on(Method::PutSearchChange, subject, || {
            self.inner.put_search_change(change)
        })
        .await
    }

    async fn list_search_changes(
        &self,
        hour: i64,
        page: PageRequest<SearchChangeKey>,
    ) -> Result<Vec<SearchChange>> {
        self.call(Method::ListSearchChanges, || {
            self.inner.list_search_changes(hour, page.clone())
        })
        .await
    }
}

#[async_trait]
impl<S: JobStore + ?Sized> JobStore for Faulty<S> {
    async fn get_job(&self, job_id: &str) -> Result<Option<Job>> {
        self.call(Method::GetJob, || self.inner.get_job(job_id))
            .await
    }

    async fn update_job(&self, job: &Job) -> Result<Cas<Job>> {
        self.call(Method::UpdateJob, || self.inner.update_job(job))
            .await
    }
}

#[async_trait]
impl<S: AuditStore + ?Sized> AuditStore for Faulty<S> {
    async fn put_audit(&self, entry: &AuditEntry) -> Result<()> {
        self.call(Method::PutAudit, || self.inner.put_audit(entry))
            .await
    }

    async fn list_audit(&self, subject: Uuid) -> Result<Vec<AuditEntry>> {
        self.call(Method::ListAudit, || self.inner.list_audit(subject))
            .await
    }
}

#[async_trait]
impl<S: TruthStore + ?Sized> TruthStore for Faulty<S> {
    async fn scan_truth(
        &self,
        table: TruthTable,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<TruthPage> {
        self.call(Method::ScanTruth, || {
            self.inner.scan_truth(table, after, limit)
        })
        .await
    }

    async fn put_truth(&self, row: &TruthRow) -> Result<Put<Box<TruthRow>>> {
        self.call(Method::PutTruth, || self.inner.put_truth(row))
            .await
    }
}

#[async_trait]
impl<S: ProcessStore + ?Sized> ProcessStore for Faulty<S> {
    async fn beat(&self, heartbeat: &Heartbeat) -> Result<()> {
        self.call(Method::Beat, || self.inner.beat(heartbeat)).await
    }

    async fn list_processes(&self) -> Result<Vec<ProcessSeen>> {
        self.call(Method::ListProcesses, || self.inner.list_processes())
            .await
    }

    async fn read_clocks(&self) -> Result<Vec<ClockRead>> {
        self.call(Method::ReadClocks, || self.inner.read_clocks())
            .await
    }

    async fn leave(&self, process_id: ProcessId) -> Result<()> {
        self.call(Method::Leave, || self.inner.leave(process_id))
            .await
    }
}
