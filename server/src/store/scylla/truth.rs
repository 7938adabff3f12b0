//! The truth row by row. A table is scanned by ranges of tokens, each in pages: a page then walks over few of the tombstones that `outbox`
//! and `open_ledgers` leave.
//!
//! Pages are read at LOCAL_QUORUM: what was answered is on a quorum. An LWT whose process died between proposal and commit, and was never
//! answered, may be missing; so it may be after any crash.

use std::collections::BTreeMap;

use async_trait::async_trait;
use scylla::{
    response::{PagingState, query_result::QueryRowsResult},
    statement::prepared::PreparedStatement,
};
use uuid::Uuid;

use super::{
    ScyllaStore,
    accounts::{ACCOUNT_EMAILS, ACCOUNTS, CREATOR_HANDLES, CREATORS},
    db::Db,
    drops::DROPS,
    follows::{FOLLOW_BUCKETS, FOLLOW_EDGES},
    jobs::JOBS,
    ledger::DROP_LEDGER,
    lwt::Table,
    outbox,
    payments::{PAYMENT_ATTEMPTS, PAYMENT_EVENTS},
    products::PRODUCTS,
    requests::{self, REQUEST_IDS},
    row::{self, FromRow, Row, Value, values},
    sessions::REFRESH_TOKENS,
};
use crate::{
    domain::{AccountId, DropId, OrderId, RequestId},
    store::{
        AccountStore as _, Append, AuditStore as _, DropStore as _, LedgerStore as _,
        OutboxStore as _, PaymentStore as _, ProductStore as _, ProjectionStore as _, Put, Result,
        SessionStore as _, StoreError, TruthStore,
        outbox::Entity,
        truth::{Position, TruthPage, TruthRow, TruthTable},
    },
};

/// Ranges of tokens that a scan goes through.
const RANGES: u8 = 64;
/// Rows read at once: drops may have 100 items each.
const PAGE_MAX: usize = 250;
/// Records or products read at once: some MiB of the largest.
const RECORDS_MAX: usize = 64;
/// Tries of an append whose outcome is unknown; another one, of the same bytes, tells what became of the first.
const APPENDS_MAX: u32 = 3;

const OPEN_LEDGERS: Table = Table {
    name: "open_ledgers",
    key: &["shard", "ledger_id", "process_id"],
    columns: &[],
    using: "",
};
const LEDGER_CHECKPOINTS: Table = Table {
    name: "ledger_checkpoints",
    key: &["ledger_id", "consumer"],
    columns: &["seq", "hash"],
    using: "",
};
const OUTBOX: Table = Table {
    name: "outbox",
    key: &["shard", "hour", "created_at", "op_id"],
    columns: &["kind", "entity_id"],
    using: "",
};
const ANNOUNCED: Table = Table {
    name: "announced",
    key: &["kind", "entity_id"],
    columns: &["version"],
    using: "",
};
const AUDIT_LOG: Table = Table {
    name: "audit_log",
    key: &["subject", "at", "id"],
    columns: &["actor", "action", "detail"],
    using: "",
};

/// A table, and how many columns of its key make the partition.
const fn layout(table: TruthTable) -> (Table, usize) {
    match table {
        TruthTable::DropLedger => (DROP_LEDGER, 2),
        TruthTable::OpenLedgers => (OPEN_LEDGERS, 1),
        TruthTable::LedgerCheckpoints => (LEDGER_CHECKPOINTS, 1),
        TruthTable::Accounts => (ACCOUNTS, 1),
        TruthTable::Creators => (CREATORS, 1),
        TruthTable::AccountEmails => (ACCOUNT_EMAILS, 1),
        TruthTable::CreatorHandles => (CREATOR_HANDLES, 1),
        TruthTable::RefreshTokens => (REFRESH_TOKENS, 1),
        TruthTable::RequestIds => (REQUEST_IDS, 3),
        TruthTable::Drops => (DROPS, 1),
        TruthTable::Products => (PRODUCTS, 1),
        TruthTable::FollowEdges => (FOLLOW_EDGES, 2),
        TruthTable::FollowBuckets => (FOLLOW_BUCKETS, 2),
        TruthTable::PaymentAttempts => (PAYMENT_ATTEMPTS, 1),
        TruthTable::PaymentEvents => (PAYMENT_EVENTS, 2),
        TruthTable::Outbox => (OUTBOX, 2),
        TruthTable::Announced => (ANNOUNCED, 2),
        TruthTable::Jobs => (JOBS, 1),
        TruthTable::AuditLog => (AUDIT_LOG, 1),
    }
}

/// Only tools need them: prepared at the first use.
#[derive(Debug)]
pub(super) struct Statements {
    scans: BTreeMap<TruthTable, PreparedStatement>,
    /// Rows of plainly written tables by their key; `put_if_absent` finds the others.
    open: PreparedStatement,
    intent: PreparedStatement,
    entry: PreparedStatement,
}

impl Statements {
    async fn prepare(db: &Db) -> Result<Self> {
        let mut scans = BTreeMap::new();
        for table in TruthTable::ALL {
            let (Table { name, key, .. }, partition) = layout(table);
            let columns = layout(table).0.all().join(", ");
            let token = key.get(..partition).unwrap_or(key).join(", ");
            let scan = format!(
                "SELECT {columns} FROM {name} WHERE token({token}) > ? AND token({token}) <= ?"
            );
            scans.insert(table, db.plain(&scan).await?);
        }
        Ok(Self {
            scans,
            open: db.plain(&OPEN_LEDGERS.select()).await?,
            intent: db.plain(&OUTBOX.select()).await?,
            entry: db.plain(&AUDIT_LOG.select()).await?,
        })
    }
}

/// Tokens after the first and up to the second. The least number is no token.
fn tokens(range: u8) -> (i64, i64) {
    let edge = |number: u8| {
        let width = (1_i128 << 64) / i128::from(RANGES);
        let edge = i128::from(i64::MIN) + width * i128::from(number);
        i64::try_from(edge).unwrap_or(i64::MAX)
    };
    (edge(range), edge(range.saturating_add(1)))
}

/// The range, then where the database was in it.
fn encode(range: u8, state: Option<&PagingState>) -> Position {
    let state = state.and_then(PagingState::as_bytes_slice);
    let state = state.map_or(&[][..], |bytes| &bytes[..]);
    Position([&[range], state].concat())
}

fn decode(position: Option<&Position>) -> (u8, PagingState) {
    match position.and_then(|it| it.0.split_first()) {
        None => (0, PagingState::start()),
        Some((range, [])) => (*range, PagingState::start()),
        Some((range, state)) => (*range, PagingState::new_from_raw_bytes(state)),
    }
}

fn read_row(table: TruthTable, row: &Row<'_>) -> Result<TruthRow> {
    Ok(match table {
        TruthTable::DropLedger => TruthRow::DropLedger(FromRow::from_row(row)?),
        TruthTable::OpenLedgers => TruthRow::OpenLedgers(FromRow::from_row(row)?),
        TruthTable::LedgerCheckpoints => {
            let (consumer, checkpoint) = FromRow::from_row(row)?;
            TruthRow::LedgerCheckpoints {
                ledger_id: row.id("ledger_id", DropId::new)?,
                consumer,
                checkpoint,
            }
        }
        TruthTable::Accounts => TruthRow::Accounts(FromRow::from_row(row)?),
        TruthTable::Creators => TruthRow::Creators(FromRow::from_row(row)?),
        TruthTable::AccountEmails => TruthRow::AccountEmails {
            email: row.get("email")?,
            claim: FromRow::from_row(row)?,
        },
        TruthTable::CreatorHandles => TruthRow::CreatorHandles {
            handle: row.get("handle")?,
            claim: FromRow::from_row(row)?,
        },
        TruthTable::RefreshTokens => TruthRow::RefreshTokens(FromRow::from_row(row)?),
        TruthTable::RequestIds => {
            let caller_id: Uuid = row.get("caller_id")?;
            TruthRow::RequestIds {
                caller_id: (!caller_id.is_nil()).then(|| AccountId::new(caller_id)),
                method: row.get("method")?,
                request_id: row.id("request_id", RequestId::new)?,
                claim: FromRow::from_row(row)?,
            }
        }
        TruthTable::Drops => TruthRow::Drops(FromRow::from_row(row)?),
        TruthTable::Products => TruthRow::Products(FromRow::from_row(row)?),
        TruthTable::FollowEdges => TruthRow::FollowEdges(FromRow::from_row(row)?),
        TruthTable::FollowBuckets => TruthRow::FollowBuckets(FromRow::from_row(row)?),
        TruthTable::PaymentAttempts => TruthRow::PaymentAttempts {
            order_id: row.id("order_id", OrderId::new)?,
            attempt: row.get("attempt")?,
            names: FromRow::from_row(row)?,
        },
        TruthTable::PaymentEvents => TruthRow::PaymentEvents {
            provider: row.get("provider")?,
            event_id: row.get("event_id")?,
            settled_at: row.time("settled_at")?,
        },
        TruthTable::Outbox => TruthRow::Outbox(FromRow::from_row(row)?),
        TruthTable::Announced => TruthRow::Announced {
            entity: Entity {
                kind: outbox::kind(row)?,
                id: row.get("entity_id")?,
            },
            version: row.get("version")?,
        },
        TruthTable::Jobs => TruthRow::Jobs(FromRow::from_row(row)?),
        TruthTable::AuditLog => TruthRow::AuditLog(FromRow::from_row(row)?),
    })
}

/// What a put-if-absent found in the way, as a row again, unless it is equal.
fn outcome<T: PartialEq>(
    put: Put<T>,
    ours: &T,
    as_row: impl FnOnce(T) -> TruthRow,
) -> Put<Box<TruthRow>> {
    match put {
        Put::Exists(found) if found != *ours => Put::Exists(Box::new(as_row(found))),
        Put::Done | Put::Exists(_) => Put::Done,
    }
}

impl ScyllaStore {
    async fn truth(&self) -> Result<&Statements> {
        self.truth
            .get_or_try_init(|| Statements::prepare(&self.db))
            .await
    }

    /// What is there of a plainly written table, if anything.
    async fn find_plain(&self, row: &TruthRow) -> Result<Option<TruthRow>> {
        let truth = self.truth().await?;
        let find = async |statement, key: Vec<Value>| -> Result<Option<TruthRow>> {
            let rows: QueryRowsResult = self.db.rows(statement, &key).await?;
            row::first(&rows, |found| read_row(row.table(), found))
        };
        match row {
            TruthRow::OpenLedgers(open) => {
                let shard = i32::from(open.ledger_id.shard());
                let key = values![shard, open.ledger_id.uuid(), open.process_id.uuid()];
                find(&truth.open, key).await
            }
            TruthRow::Outbox(intent) => {
                let (shard, at) = (i32::from(intent.entity.shard()), intent.created_at);
                let key = values![shard, at.hour(), at.micros(), intent.op_id];
                find(&truth.intent, key).await
            }
            TruthRow::AuditLog(entry) => {
                let key = values![entry.subject, entry.at.micros(), entry.id];
                find(&truth.entry, key).await
            }
            TruthRow::LedgerCheckpoints {
                ledger_id,
                consumer,
                ..
            } => {
                let all = self.get_checkpoints(*ledger_id).await?;
                let found = all.into_iter().find(|(name, _)| name == consumer);
                Ok(
                    found.map(|(consumer, checkpoint)| TruthRow::LedgerCheckpoints {
                        ledger_id: *ledger_id,
                        consumer,
                        checkpoint,
                    }),
                )
            }
            TruthRow::Announced { entity, .. } => {
                let entity = *entity;
                let version = self.get_announced(entity).await?;
                Ok((version != 0).then_some(TruthRow::Announced { entity, version }))
            }
            TruthRow::DropLedger(_)
            | TruthRow::Accounts(_)
            | TruthRow::Creators(_)
            | TruthRow::AccountEmails { .. }
            | TruthRow::CreatorHandles { .. }
            | TruthRow::RefreshTokens(_)
            | TruthRow::RequestIds { .. }
            | TruthRow::Drops(_)
            | TruthRow::Products(_)
            | TruthRow::FollowEdges(_)
            | TruthRow::FollowBuckets(_)
            | TruthRow::PaymentAttempts { .. }
            | TruthRow::PaymentEvents { .. }
            | TruthRow::Jobs(_) => Ok(None),
        }
    }
}

#[async_trait]
impl TruthStore for ScyllaStore {
    async fn scan_truth(
        &self,
        table: TruthTable,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<TruthPage> {
        let (range, state) = decode(after);
        let (start, end) = tokens(range);
        let is_large = matches!(table, TruthTable::DropLedger | TruthTable::Products);
        let most = if is_large { RECORDS_MAX } else { PAGE_MAX };
        let Some(scan) = self.truth().await?.scans.get(&table) else {
            let what = format!("{} can't be scanned", table.name());
            return Err(StoreError::Determinate(what));
        };
        let values = values![start, end];
        let (rows, state) = self
            .db
            .page_at(scan, &values, limit.clamp(1, most), state)
            .await?;
        let next = match state {
            Some(state) => Some(encode(range, Some(&state))),
            None if range + 1 < RANGES => Some(encode(range + 1, None)),
            None => None,
        };
        let rows = row::all(&rows, |row| read_row(table, row))?;
        Ok(TruthPage { rows, next })
    }

    async fn put_truth(&self, row: &TruthRow) -> Result<Put<Box<TruthRow>>> {
        if let Some(found) = self.find_plain(row).await? {
            return Ok(outcome(Put::Exists(found), row, |found| found));
        }
        Ok(match row {
            TruthRow::OpenLedgers(open) => {
                self.mark_open(*open).await?;
                Put::Done
            }
            TruthRow::LedgerCheckpoints {
                ledger_id,
                consumer,
                checkpoint,
            } => {
                let put = self.put_checkpoint(*ledger_id, consumer, *checkpoint);
                put.await?;
                Put::Done
            }
            TruthRow::Outbox(intent) => {
                self.put_intent(intent).await?;
                Put::Done
            }
            TruthRow::Announced { entity, version } => {
                self.put_announced(*entity, *version).await?;
                Put::Done
            }
            TruthRow::AuditLog(entry) => {
                self.put_audit(entry).await?;
                Put::Done
            }
            TruthRow::DropLedger(record) => {
                let mut appended = self.append(record).await;
                for _ in 1..APPENDS_MAX {
                    if matches!(appended, Err(StoreError::Indeterminate(_))) {
                        appended = self.append(record).await;
                    }
                }
                let put = match appended? {
                    Append::Appended => Put::Done,
                    Append::Conflict(found) => Put::Exists(*found),
                };
                outcome(put, record, TruthRow::DropLedger)
            }
            TruthRow::Accounts(account) => {
                let put = self.insert_account(account).await?;
                outcome(put, account, TruthRow::Accounts)
            }
            TruthRow::Creators(creator) => {
                let put = self.insert_creator(creator).await?;
                outcome(put, creator, TruthRow::Creators)
            }
            TruthRow::AccountEmails { email, claim } => {
                let put = self.claim_email(email, claim).await?;
                let email = email.clone();
                outcome(put, claim, |claim| TruthRow::AccountEmails { email, claim })
            }
            TruthRow::CreatorHandles { handle, claim } => {
                let put = self.claim_handle(handle, claim).await?;
                let handle = handle.clone();
                outcome(put, claim, |claim| TruthRow::CreatorHandles {
                    handle,
                    claim,
                })
            }
            TruthRow::RefreshTokens(session) => {
                let put = self.insert_session(session).await?;
                outcome(put, session, TruthRow::RefreshTokens)
            }
            TruthRow::RequestIds {
                caller_id,
                method,
                request_id,
                claim,
            } => {
                let (caller_id, request_id) = (*caller_id, *request_id);
                let key = requests::key_values(caller_id, method, request_id);
                let put = self.put_request(key, claim).await?;
                let method = method.clone();
                outcome(put, claim, |claim| TruthRow::RequestIds {
                    caller_id,
                    method,
                    request_id,
                    claim,
                })
            }
            TruthRow::Drops(drop) => {
                let put = self.insert_drop(drop).await?;
                outcome(put, drop, TruthRow::Drops)
            }
            TruthRow::Products(product) => {
                let put = self.insert_product(product).await?;
                outcome(put, product, TruthRow::Products)
            }
            TruthRow::FollowEdges(edge) => {
                let put = self.put_edge(edge).await?;
                outcome(put, edge, TruthRow::FollowEdges)
            }
            TruthRow::FollowBuckets(bucket) => {
                let put = self.put_bucket(bucket).await?;
                outcome(put, bucket, TruthRow::FollowBuckets)
            }
            TruthRow::PaymentAttempts {
                order_id,
                attempt,
                names,
            } => {
                let (order_id, attempt) = (*order_id, *attempt);
                let put = self.put_attempt(order_id, attempt, names).await?;
                outcome(put, names, |names| TruthRow::PaymentAttempts {
                    order_id,
                    attempt,
                    names,
                })
            }
            TruthRow::PaymentEvents {
                provider,
                event_id,
                settled_at,
            } => {
                let put = self.put_payment_event(provider, event_id, *settled_at);
                let (put, provider, event_id) = (put.await?, provider.clone(), event_id.clone());
                outcome(put, settled_at, |settled_at| TruthRow::PaymentEvents {
                    provider,
                    event_id,
                    settled_at,
                })
            }
            TruthRow::Jobs(job) => outcome(self.put_job(job).await?, job, TruthRow::Jobs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_no_token_out() {
        let mut edge = i64::MIN;
        for range in 0..RANGES {
            let (start, end) = tokens(range);
            assert_eq!(start, edge);
            assert!(end > start);
            edge = end;
        }
        assert_eq!(edge, i64::MAX);
    }

    #[test]
    fn a_position_says_where_it_is() {
        let state = PagingState::new_from_raw_bytes(&[1, 2, 3][..]);
        for (position, range, bytes) in [
            (None, 0, None),
            (Some(encode(7, None)), 7, None),
            (Some(encode(63, Some(&state))), 63, Some(&[1, 2, 3][..])),
        ] {
            let (found, state) = decode(position.as_ref());
            let found_bytes = state.as_bytes_slice().map(|bytes| &bytes[..]);
            assert_eq!((found, found_bytes), (range, bytes));
        }
    }
}
