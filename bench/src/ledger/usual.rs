//! What people usually build on the same database: a counter row, changed by compare-and-set, one lightweight transaction per order. Nothing
//! but the counter is kept here: an order row, a limit or a request id would cost such a design further statements.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context as _;
use scylla::{
    client::{execution_profile::ExecutionProfile, session::Session},
    errors::{DbError, ExecutionError, RequestAttemptError},
    policies::retry::FallthroughRetryPolicy,
    statement::{Consistency, SerialConsistency, prepared::PreparedStatement},
    value::Row,
};
use tokio::{task::JoinSet, time::Instant};
use uuid::Uuid;

use super::turn::{Orders, Turn, Window};

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS usual_stock (drop_id uuid PRIMARY KEY, available bigint)";
const PUT: &str = "INSERT INTO usual_stock (drop_id, available) VALUES (?, ?) IF NOT EXISTS";
const READ: &str = "SELECT available FROM usual_stock WHERE drop_id = ?";
const TAKE: &str = "UPDATE usual_stock SET available = ? WHERE drop_id = ? IF available = ?";
/// More than any turn can sell.
const STOCK: i64 = 1_000_000_000;
/// As the server's own.
const WITHIN: Duration = Duration::from_millis(4_500);

/// The counter's statements.
#[derive(Clone)]
pub(super) struct Usual {
    session: Arc<Session>,
    put: PreparedStatement,
    read: PreparedStatement,
    take: PreparedStatement,
}

impl fmt::Debug for Usual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Usual(..)")
    }
}

/// What became of one compare-and-set.
enum Taken {
    Yes,
    /// Somebody was faster.
    No,
    /// Nobody can say.
    Unknown,
}

impl Usual {
    /// Makes the table in the session's keyspace.
    pub(super) async fn prepare(session: Arc<Session>) -> anyhow::Result<Self> {
        session.query_unpaged(TABLE, ()).await?;
        session.await_schema_agreement().await?;
        // The same consistency and the same deadlines as the server's own statements.
        let profile = ExecutionProfile::builder()
            .consistency(Consistency::LocalQuorum)
            .serial_consistency(Some(SerialConsistency::LocalSerial))
            .request_timeout(Some(WITHIN))
            .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
            .build()
            .into_handle();
        let prepare = async |cql: &str| {
            let mut statement = session.prepare(cql).await?;
            statement.set_execution_profile_handle(Some(profile.clone()));
            anyhow::Ok(statement)
        };
        let (put, read, take) = (
            prepare(PUT).await?,
            prepare(READ).await?,
            prepare(TAKE).await?,
        );
        Ok(Self {
            session,
            put,
            read,
            take,
        })
    }

    /// One writer that knows the count, since it alone changes it.
    pub(super) async fn one_after_the_other(&self, window: Window) -> anyhow::Result<Turn> {
        let drop_id = self.new_drop().await?;
        let mut orders = Orders::default();
        let mut available = STOCK;
        while !window.is_over() {
            let begun = Instant::now();
            match self.take(drop_id, available).await? {
                Taken::Yes => {
                    available -= 1;
                    orders.answered(begun, Instant::now(), &window);
                }
                Taken::No => {
                    orders.lost_races += 1;
                    available = self.read(drop_id).await?;
                }
                Taken::Unknown => {
                    orders.unknown += 1;
                    available = self.read(drop_id).await?;
                }
            }
        }
        self.finish(drop_id, orders, window).await
    }

    /// Many writers; each reads, takes one, and reads again when another was faster.
    pub(super) async fn at_once(&self, writers: u32, window: Window) -> anyhow::Result<Turn> {
        let drop_id = self.new_drop().await?;
        let mut all = JoinSet::new();
        for _ in 0..writers {
            let usual = self.clone();
            all.spawn(async move { usual.contend(drop_id, window).await });
        }
        let all = all.join_all().await.into_iter();
        let orders = Orders::join(all.collect::<anyhow::Result<Vec<_>>>()?);
        self.finish(drop_id, orders, window).await
    }

    async fn contend(&self, drop_id: Uuid, window: Window) -> anyhow::Result<Orders> {
        let mut orders = Orders::default();
        while !window.is_over() {
            let begun = Instant::now();
            // Given up unfinished when the window is over.
            while !window.is_over() {
                let available = self.read(drop_id).await?;
                match self.take(drop_id, available).await? {
                    Taken::Yes => {
                        orders.answered(begun, Instant::now(), &window);
                        break;
                    }
                    Taken::No => orders.lost_races += 1,
                    Taken::Unknown => orders.unknown += 1,
                }
            }
        }
        Ok(orders)
    }

    async fn new_drop(&self) -> anyhow::Result<Uuid> {
        let drop_id = Uuid::now_v7();
        let put = self.session.execute_unpaged(&self.put, (drop_id, STOCK));
        put.await?;
        Ok(drop_id)
    }

    async fn read(&self, drop_id: Uuid) -> anyhow::Result<i64> {
        loop {
            let read = self.session.execute_unpaged(&self.read, (drop_id,)).await;
            match read {
                Ok(found) => return Ok(found.into_rows_result()?.single_row::<(i64,)>()?.0),
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn take(&self, drop_id: Uuid, available: i64) -> anyhow::Result<Taken> {
        let values = (available - 1, drop_id, available);
        let answer = match self.session.execute_unpaged(&self.take, values).await {
            Ok(answer) => answer.into_rows_result()?,
            Err(error) if is_timeout(&error) => return Ok(Taken::Unknown),
            Err(error) => return Err(error.into()),
        };
        let (column, _) = answer
            .column_specs()
            .get_by_name("[applied]")
            .context("no [applied]")?;
        let row: Row = answer.single_row()?;
        let applied = row.columns.get(column).cloned().flatten();
        Ok(match applied.and_then(|value| value.as_boolean()) {
            Some(true) => Taken::Yes,
            Some(false) | None => Taken::No,
        })
    }

    /// The counter must say what the writers say.
    async fn finish(&self, drop_id: Uuid, orders: Orders, window: Window) -> anyhow::Result<Turn> {
        let taken = u64::try_from(STOCK - self.read(drop_id).await?)?;
        let possible = orders.answered..=orders.answered + orders.unknown;
        anyhow::ensure!(
            possible.contains(&taken),
            "{} orders were answered, the counter says {taken}",
            orders.answered
        );
        Ok(Turn {
            span: window.span(),
            orders,
            engine: None,
        })
    }
}

/// Whether the statement may have been done.
fn is_timeout(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::RequestTimeout(_)
            | ExecutionError::LastAttemptError(RequestAttemptError::DbError(
                DbError::WriteTimeout { .. } | DbError::ReadTimeout { .. },
                _
            ))
    )
}
