//! The connection, and the two ways in which statements are run on it: as LWT, and as everything else.

use std::{fmt, ops::ControlFlow, sync::Arc, time::Duration};

use futures::{TryStreamExt as _, stream};
use metrics::counter;
use scylla::{
    client::{
        execution_profile::{ExecutionProfile, ExecutionProfileHandle},
        session::Session,
    },
    cluster::Node,
    policies::{
        load_balancing::DefaultPolicy,
        retry::{DefaultRetryPolicy, FallthroughRetryPolicy},
        speculative_execution::SimpleSpeculativeExecutionPolicy,
    },
    response::{PagingState, query_result::QueryRowsResult},
    statement::{
        Consistency, SerialConsistency,
        batch::{Batch, BatchType},
        prepared::PreparedStatement,
    },
};

use super::{outcome, row::Value};
use crate::store::Result;

/// An append that took longer is sent again: the same bytes to the same slot.
pub(super) const APPEND_WITHIN: Duration = Duration::from_secs(2);
/// Longer than the database works on an LWT (1 s of contention, 2 s of writing), so that most outcomes are known.
const LWT_WITHIN: Duration = Duration::from_millis(4_500);
const READ_WITHIN: Duration = Duration::from_secs(5);
/// A node that has not answered a read or a plain write by then may be stopped: another one is asked too.
const ASK_ANOTHER_AFTER: Duration = Duration::from_millis(500);

/// Rows of different partitions written at once, by one call.
const AT_ONCE: usize = 32;

/// A session with its execution profiles.
pub(super) struct Db {
    session: Arc<Session>,
    datacenter: String,
    keyspace: String,
    lwt: ExecutionProfileHandle,
    plain: ExecutionProfileHandle,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db").finish_non_exhaustive()
    }
}

impl Db {
    /// `datacenter` is the home datacenter.
    pub(super) fn new(session: Arc<Session>, datacenter: &str, keyspace: &str) -> Self {
        // No rack preference: it would break the fixed order of replicas that keeps LWTs from colliding.
        let balancing = DefaultPolicy::builder()
            .prefer_datacenter(datacenter.to_owned())
            .token_aware(true)
            .build();
        let builder = || {
            ExecutionProfile::builder()
                .consistency(Consistency::LocalQuorum)
                .serial_consistency(Some(SerialConsistency::LocalSerial))
                .load_balancing_policy(Arc::clone(&balancing))
        };
        let lwt = builder()
            .request_timeout(Some(LWT_WITHIN))
            .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
            .speculative_execution_policy(None);
        let plain = builder()
            .request_timeout(Some(READ_WITHIN))
            .retry_policy(Arc::new(DefaultRetryPolicy::new()))
            .speculative_execution_policy(Some(Arc::new(SimpleSpeculativeExecutionPolicy {
                max_retry_count: 1,
                retry_interval: ASK_ANOTHER_AFTER,
            })));
        Self {
            session,
            datacenter: datacenter.to_owned(),
            keyspace: keyspace.to_owned(),
            lwt: lwt.build().into_handle_with_label("lwt".to_owned()),
            plain: plain.build().into_handle_with_label("plain".to_owned()),
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The nodes of the home datacenter.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        let state = self.session.get_cluster_state();
        let nodes = state.get_nodes_info().iter();
        nodes
            .filter(|node| node.datacenter.as_ref() == Some(&self.datacenter))
            .cloned()
            .collect()
    }

    /// Prepares a conditional statement: never repeated by the driver, never idempotent.
    pub(super) async fn lwt(&self, cql: &str) -> Result<PreparedStatement> {
        let mut statement = self.prepare(cql).await?;
        statement.set_execution_profile_handle(Some(self.lwt.clone()));
        statement.set_is_idempotent(false);
        Ok(statement)
    }

    /// Prepares a plain write or a read, which may be repeated: writes are upserts.
    pub(super) async fn plain(&self, cql: &str) -> Result<PreparedStatement> {
        let mut statement = self.prepare(cql).await?;
        statement.set_execution_profile_handle(Some(self.plain.clone()));
        statement.set_is_idempotent(true);
        Ok(statement)
    }

    /// Prepares a linearizable read of what LWTs write.
    pub(super) async fn serial(&self, cql: &str) -> Result<PreparedStatement> {
        let mut statement = self.plain(cql).await?;
        statement.set_consistency(Consistency::LocalSerial);
        Ok(statement)
    }

    async fn prepare(&self, cql: &str) -> Result<PreparedStatement> {
        let cql = self.qualified(cql);
        let prepared = self.session.prepare(cql.as_str()).await;
        prepared.map_err(|error| outcome::of_prepare(&cql, &error))
    }

    /// Puts the keyspace before the table's name: a keyspace chosen for the connection would not be part of what is prepared.
    pub(super) fn qualified(&self, cql: &str) -> String {
        let words = ["INTO ", "FROM ", "UPDATE ", "TRUNCATE "];
        let place = words
            .iter()
            .find_map(|word| Some(cql.find(word)? + word.len()));
        match place.and_then(|place| cql.split_at_checked(place)) {
            Some((head, table)) if !table.starts_with("system.") => {
                format!("{head}{}.{table}", self.keyspace)
            }
            Some(_) | None => cql.to_owned(),
        }
    }

    /// Runs a statement without rows in its answer.
    pub(super) async fn run(
        &self,
        statement: &PreparedStatement,
        values: Vec<Value>,
    ) -> Result<()> {
        count(statement, 1);
        let done = self.session.execute_unpaged(statement, values).await;
        done.map(drop)
            .map_err(|error| outcome::of(statement.get_statement(), &error))
    }

    /// Runs a statement whose answer has a row or few.
    pub(super) async fn rows(
        &self,
        statement: &PreparedStatement,
        values: &[Value],
    ) -> Result<QueryRowsResult> {
        let what = statement.get_statement();
        count(statement, 1);
        let answer = self.session.execute_unpaged(statement, values).await;
        let answer = answer.map_err(|error| outcome::of(what, &error))?;
        answer
            .into_rows_result()
            .map_err(|error| outcome::unreadable(what, error))
    }

    /// The answer of a read, page by page.
    pub(super) fn pages<'a>(
        &'a self,
        statement: &PreparedStatement,
        values: &'a [Value],
        page_rows: usize,
    ) -> Pages<'a> {
        let mut statement = statement.clone();
        statement.set_page_size(i32::try_from(page_rows).unwrap_or(i32::MAX).max(1));
        Pages {
            session: self.session(),
            statement,
            values,
            next: Some(PagingState::start()),
        }
    }

    /// One page of a read, perhaps an empty one, and where it goes on.
    pub(super) async fn page_at(
        &self,
        statement: &PreparedStatement,
        values: &[Value],
        page_rows: usize,
        at: PagingState,
    ) -> Result<(QueryRowsResult, Option<PagingState>)> {
        let mut pages = self.pages(statement, values, page_rows);
        pages.next = Some(at);
        match pages.next().await? {
            Some(rows) => Ok((rows, pages.next)),
            None => Err(outcome::unreadable(
                statement.get_statement(),
                "there is no page",
            )),
        }
    }

    /// The first page of a read that is not empty: `limit` rows, or somewhat fewer, but none only if there are none.
    pub(super) async fn page(
        &self,
        statement: &PreparedStatement,
        values: &[Value],
        limit: usize,
    ) -> Result<Option<QueryRowsResult>> {
        let mut pages = self.pages(statement, values, limit);
        while let Some(rows) = pages.next().await? {
            // A page may have had nothing but tombstones.
            if rows.rows_num() > 0 {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// Upserts rows of any partitions, some at a time.
    pub(super) async fn upsert_each(
        &self,
        statement: &PreparedStatement,
        rows: Vec<Vec<Value>>,
    ) -> Result<()> {
        let writes = rows.into_iter().map(|values| self.run(statement, values));
        stream::iter(writes.map(Ok))
            .try_for_each_concurrent(AT_ONCE, |write| write)
            .await
    }

    /// Upserts rows of one partition at once: in one partition a batch is one mutation.
    pub(super) async fn upsert_together(
        &self,
        statement: &PreparedStatement,
        rows: Vec<Vec<Value>>,
    ) -> Result<()> {
        count(statement, rows.len() as u64);
        let mut batch = Batch::new(BatchType::Unlogged);
        batch.set_execution_profile_handle(Some(self.plain.clone()));
        batch.set_is_idempotent(true);
        for _ in &rows {
            batch.append_statement(statement.clone());
        }
        let done = self.session.batch(&batch, rows).await;
        done.map(drop)
            .map_err(|error| outcome::of(statement.get_statement(), &error))
    }
}

/// Counts statements, each of a batch and each page of a read. Finding the counter takes a hundredth of the time of a statement.
fn count(statement: &PreparedStatement, statements: u64) {
    let table = statement.get_table_name().unwrap_or("none").to_owned();
    counter!("livedrop_store_statements_total", "table" => table).increment(statements);
}

/// A read in progress.
pub(super) struct Pages<'a> {
    session: &'a Session,
    statement: PreparedStatement,
    values: &'a [Value],
    next: Option<PagingState>,
}

impl Pages<'_> {
    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<QueryRowsResult>> {
        let Some(state) = self.next.take() else {
            return Ok(None);
        };
        let what = self.statement.get_statement();
        count(&self.statement, 1);
        let page = self
            .session
            .execute_single_page(&self.statement, self.values, state)
            .await;
        let (page, state) = page.map_err(|error| outcome::of(what, &error))?;
        self.next = match state.into_paging_control_flow() {
            ControlFlow::Continue(state) => Some(state),
            ControlFlow::Break(()) => None,
        };
        let rows = page.into_rows_result();
        rows.map(Some)
            .map_err(|error| outcome::unreadable(what, error))
    }
}
