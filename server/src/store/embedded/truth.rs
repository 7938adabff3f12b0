//! The truth row by row. A position is the key of the last row that was read.

use async_trait::async_trait;

use super::{
    EmbeddedStore, audit, follows, key, ledger, outbox, payments, projections, requests,
    rows::{
        ACCOUNT_EMAILS, ACCOUNTS, ANNOUNCED, AUDIT_LOG, CREATOR_HANDLES, CREATORS, DROP_LEDGER,
        DROPS, FOLLOW_BUCKETS, FOLLOW_EDGES, Failure, JOBS, LEDGER_CHECKPOINTS, OPEN_LEDGERS,
        OUTBOX, PAYMENT_ATTEMPTS, PAYMENT_EVENTS, PRODUCTS, REFRESH_TOKENS, REQUEST_IDS, RowTable,
    },
    versioned::{decode, encode},
};
use crate::{
    domain::{DropId, Timestamp},
    store::{
        Order, Put, Result, TruthStore,
        truth::{Position, TruthPage, TruthRow, TruthTable},
    },
};

const fn stored_in(table: TruthTable) -> RowTable {
    match table {
        TruthTable::DropLedger => DROP_LEDGER,
        TruthTable::OpenLedgers => OPEN_LEDGERS,
        TruthTable::LedgerCheckpoints => LEDGER_CHECKPOINTS,
        TruthTable::Accounts => ACCOUNTS,
        TruthTable::Creators => CREATORS,
        TruthTable::AccountEmails => ACCOUNT_EMAILS,
        TruthTable::CreatorHandles => CREATOR_HANDLES,
        TruthTable::RefreshTokens => REFRESH_TOKENS,
        TruthTable::RequestIds => REQUEST_IDS,
        TruthTable::Drops => DROPS,
        TruthTable::Products => PRODUCTS,
        TruthTable::FollowEdges => FOLLOW_EDGES,
        TruthTable::FollowBuckets => FOLLOW_BUCKETS,
        TruthTable::PaymentAttempts => PAYMENT_ATTEMPTS,
        TruthTable::PaymentEvents => PAYMENT_EVENTS,
        TruthTable::Outbox => OUTBOX,
        TruthTable::Announced => ANNOUNCED,
        TruthTable::Jobs => JOBS,
        TruthTable::AuditLog => AUDIT_LOG,
    }
}

/// Key and row as they are stored. Request ids are put by [`EmbeddedStore::put_request`]: their row has its end in it.
fn encode_row(row: &TruthRow) -> Result<(Vec<u8>, Vec<u8>)> {
    Ok(match row {
        TruthRow::DropLedger(record) => {
            let mut row = ledger::encode_header(record);
            row.extend_from_slice(&record.body);
            (ledger::record_key(record.ledger_id, record.seq), row)
        }
        TruthRow::OpenLedgers(open) => (ledger::open_key(*open), Vec::new()),
        TruthRow::LedgerCheckpoints {
            ledger_id,
            consumer,
            checkpoint,
        } => (
            projections::checkpoint_key(*ledger_id, consumer),
            projections::encode_checkpoint(checkpoint),
        ),
        TruthRow::Accounts(account) => (account.account_id.as_bytes().to_vec(), encode(account)?),
        TruthRow::Creators(creator) => (creator.creator_id.as_bytes().to_vec(), encode(creator)?),
        TruthRow::AccountEmails { email, claim } => (email.as_bytes().to_vec(), encode(claim)?),
        TruthRow::CreatorHandles { handle, claim } => (handle.as_bytes().to_vec(), encode(claim)?),
        TruthRow::RefreshTokens(session) => {
            (session.session_id.as_bytes().to_vec(), encode(session)?)
        }
        TruthRow::RequestIds {
            caller_id,
            method,
            request_id,
            ..
        } => (
            requests::request_key(*caller_id, method, *request_id),
            Vec::new(),
        ),
        TruthRow::Drops(drop) => (drop.drop_id.as_bytes().to_vec(), encode(drop)?),
        TruthRow::Products(product) => (product.product_id.as_bytes().to_vec(), encode(product)?),
        TruthRow::FollowEdges(edge) => (
            follows::edge_key(edge.follower_id, edge.creator_id),
            encode(edge)?,
        ),
        TruthRow::FollowBuckets(bucket) => (follows::bucket_key(bucket), encode(bucket)?),
        TruthRow::PaymentAttempts {
            order_id,
            attempt,
            names,
        } => (payments::attempt_key(*order_id, *attempt), encode(names)?),
        TruthRow::PaymentEvents {
            provider,
            event_id,
            settled_at,
        } => (
            payments::event_key(provider, event_id),
            key::ordered_i64(settled_at.micros()).to_vec(),
        ),
        TruthRow::Outbox(intent) => (
            outbox::intent_key(intent),
            outbox::encode_entity(intent.entity),
        ),
        TruthRow::Announced { entity, version } => (
            outbox::encode_entity(*entity),
            key::ordered_i64(*version).to_vec(),
        ),
        TruthRow::Jobs(job) => (job.job_id.as_bytes().to_vec(), encode(job)?),
        TruthRow::AuditLog(entry) => (audit::entry_key(entry), encode(entry)?),
    })
}

/// A row as stored; `None` for a request id that has expired by `now`.
fn decode_row(
    table: TruthTable,
    mut key: &[u8],
    row: &[u8],
    now: Timestamp,
) -> std::result::Result<Option<TruthRow>, Failure> {
    Ok(Some(match table {
        TruthTable::DropLedger => {
            let ledger_id = DropId::new(key::take_id(&mut key)?);
            let seq = u64::from_be_bytes(key::take(&mut key)?);
            TruthRow::DropLedger(ledger::decode_record(ledger_id, seq, row)?)
        }
        TruthTable::OpenLedgers => TruthRow::OpenLedgers(ledger::decode_open(key)?),
        TruthTable::LedgerCheckpoints => {
            let (ledger_id, consumer, checkpoint) = projections::decode_checkpoint(key, row)?;
            TruthRow::LedgerCheckpoints {
                ledger_id,
                consumer,
                checkpoint,
            }
        }
        TruthTable::Accounts => TruthRow::Accounts(decode(row)?),
        TruthTable::Creators => TruthRow::Creators(decode(row)?),
        TruthTable::AccountEmails => TruthRow::AccountEmails {
            email: key::text(key)?,
            claim: decode(row)?,
        },
        TruthTable::CreatorHandles => TruthRow::CreatorHandles {
            handle: key::text(key)?,
            claim: decode(row)?,
        },
        TruthTable::RefreshTokens => TruthRow::RefreshTokens(decode(row)?),
        TruthTable::RequestIds => {
            let (caller_id, method, request_id) = requests::decode_key(key)?;
            let Some(claim) = requests::decode_live(row, now)? else {
                return Ok(None);
            };
            TruthRow::RequestIds {
                caller_id,
                method,
                request_id,
                claim,
            }
        }
        TruthTable::Drops => TruthRow::Drops(decode(row)?),
        TruthTable::Products => TruthRow::Products(decode(row)?),
        TruthTable::FollowEdges => TruthRow::FollowEdges(decode(row)?),
        TruthTable::FollowBuckets => TruthRow::FollowBuckets(decode(row)?),
        TruthTable::PaymentAttempts => {
            let (order_id, attempt) = payments::decode_attempt_key(key)?;
            TruthRow::PaymentAttempts {
                order_id,
                attempt,
                names: decode(row)?,
            }
        }
        TruthTable::PaymentEvents => {
            let (provider, event_id) = payments::decode_event_key(key)?;
            TruthRow::PaymentEvents {
                provider,
                event_id,
                settled_at: payments::decode_event(row)?,
            }
        }
        TruthTable::Outbox => TruthRow::Outbox(outbox::decode_intent(key, row)?),
        TruthTable::Announced => TruthRow::Announced {
            entity: outbox::decode_entity(key)?,
            version: outbox::decode_version(row)?,
        },
        TruthTable::Jobs => TruthRow::Jobs(decode(row)?),
        TruthTable::AuditLog => TruthRow::AuditLog(decode(row)?),
    }))
}

#[async_trait]
impl TruthStore for EmbeddedStore {
    async fn scan_truth(
        &self,
        table: TruthTable,
        after: Option<&Position>,
        limit: usize,
    ) -> Result<TruthPage> {
        let (order, now) = (Order::Ascending, self.env.now());
        let range = key::range(&[], after.map(|after| &after.0[..]), order);
        let page = self
            .scan(move |snapshot| {
                snapshot.page(stored_in(table), range, order, limit, |key, row| {
                    Ok(Some((key.to_vec(), decode_row(table, key, row, now)?)))
                })
            })
            .await?;
        let next = page.last().map(|(key, _)| Position(key.clone()));
        let rows = page.into_iter().filter_map(|(_, row)| row).collect();
        Ok(TruthPage { rows, next })
    }

    async fn put_truth(&self, row: &TruthRow) -> Result<Put<Box<TruthRow>>> {
        let ((key, bytes), table, wanted) = (encode_row(row)?, row.table(), row.clone());
        if let TruthRow::RequestIds {
            caller_id,
            method,
            request_id,
            claim,
        } = wanted
        {
            return Ok(match self.put_request(key, &claim).await? {
                Put::Exists(found) if found != claim => {
                    Put::Exists(Box::new(TruthRow::RequestIds {
                        caller_id,
                        method,
                        request_id,
                        claim: found,
                    }))
                }
                Put::Done | Put::Exists(_) => Put::Done,
            });
        }
        let now = self.env.now();
        self.write(move |rows| {
            let existing = rows.put_if_absent(stored_in(table), &key, &[&bytes])?;
            let existing = match existing {
                Some(existing) => decode_row(table, &key, &existing, now)?,
                None => None,
            };
            Ok(match existing {
                Some(existing) if existing != wanted => Put::Exists(Box::new(existing)),
                Some(_) | None => Put::Done,
            })
        })
        .await
    }
}
