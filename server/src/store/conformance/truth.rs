//! The truth row by row: scanned as it was written, and put as if it had been written.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{
    ledgers::append,
    pages::first_100,
    samples::{
        NOW, account, attempt, audit_entry, claim, creator, drop, follow_bucket, follow_edge, id,
        intent, job, product, record, session,
    },
};
use crate::{
    domain::{AccountId, DropId, OrderId, ProcessId, RequestId, Timestamp},
    store::{
        Append, Cas, OpenLedger, Put, SharedStore, StoreError,
        follows::{FollowBucket, FollowEdge, FollowList, FollowState},
        jobs::Job,
        outbox::{Entity, EntityKind},
        payments::AttemptRow,
        projections::Checkpoint,
        requests::{RequestKey, RequestRow},
        truth::{Position, TruthRow, TruthTable},
    },
};

const METHOD: &str = "ScheduleDrop";

/// Three rows of a table, some of them of one partition.
pub(crate) fn three(table: TruthTable) -> [TruthRow; 3] {
    let (ledger_id, order_id) = (DropId::new(id()), OrderId::new(id()));
    let follower_id = AccountId::new(id());
    [1, 2, 3].map(|number: u8| match table {
        TruthTable::DropLedger => TruthRow::DropLedger(record(ledger_id, number.into())),
        TruthTable::OpenLedgers => TruthRow::OpenLedgers(OpenLedger {
            ledger_id,
            process_id: ProcessId::new(id()),
        }),
        TruthTable::LedgerCheckpoints => TruthRow::LedgerCheckpoints {
            ledger_id,
            consumer: format!("consumer {number}"),
            checkpoint: Checkpoint {
                seq: number.into(),
                hash: [number; 32],
            },
        },
        TruthTable::Accounts => TruthRow::Accounts(account()),
        TruthTable::Creators => TruthRow::Creators(creator()),
        TruthTable::AccountEmails => TruthRow::AccountEmails {
            email: format!("{}/\u{e9}@example.com", id()),
            claim: claim(),
        },
        TruthTable::CreatorHandles => TruthRow::CreatorHandles {
            handle: id().to_string(),
            claim: claim(),
        },
        TruthTable::RefreshTokens => TruthRow::RefreshTokens(session()),
        TruthTable::RequestIds => TruthRow::RequestIds {
            caller_id: (number > 1).then(|| AccountId::new(id())),
            method: METHOD.to_owned(),
            request_id: RequestId::new(id()),
            claim: RequestRow {
                fingerprint: [number; 32],
                entity_id: id(),
            },
        },
        TruthTable::Drops => {
            let mut drop = drop();
            drop.secret = drop.secret.filter(|_| number > 1);
            TruthRow::Drops(drop)
        }
        TruthTable::Products => TruthRow::Products(product()),
        TruthTable::FollowEdges => TruthRow::FollowEdges(FollowEdge {
            follower_id,
            ..follow_edge()
        }),
        TruthTable::FollowBuckets => TruthRow::FollowBuckets(FollowBucket {
            list: FollowList::followers_of(follower_id),
            number: number.into(),
            ..follow_bucket()
        }),
        TruthTable::PaymentAttempts => TruthRow::PaymentAttempts {
            order_id,
            attempt: number.into(),
            names: attempt(),
        },
        TruthTable::PaymentEvents => TruthRow::PaymentEvents {
            provider: "stripe".to_owned(),
            event_id: format!("evt_{}", id().simple()),
            settled_at: NOW,
        },
        TruthTable::Outbox => TruthRow::Outbox(intent()),
        TruthTable::Announced => TruthRow::Announced {
            entity: Entity {
                kind: [EntityKind::Product, EntityKind::Creator, EntityKind::Drop]
                    [usize::from(number) - 1],
                id: id(),
            },
            version: number.into(),
        },
        TruthTable::Jobs => TruthRow::Jobs(job()),
        TruthTable::AuditLog => TruthRow::AuditLog(audit_entry()),
    })
}

/// Another row of the same key; `None` where the key is all there is.
pub(crate) fn other(row: &TruthRow) -> Option<TruthRow> {
    let mut other = row.clone();
    match &mut other {
        TruthRow::DropLedger(record) => record.batch_id = id(),
        TruthRow::OpenLedgers(_) => return None,
        TruthRow::LedgerCheckpoints { checkpoint, .. } => checkpoint.seq += 1,
        TruthRow::Accounts(account) => account.password_hash.push('x'),
        TruthRow::Creators(creator) => creator.bio.push('x'),
        TruthRow::AccountEmails { claim, .. } | TruthRow::CreatorHandles { claim, .. } => {
            claim.owner_id = AccountId::new(id());
        }
        TruthRow::RefreshTokens(session) => session.is_ended = true,
        TruthRow::RequestIds { claim, .. } => claim.fingerprint[31] ^= 1,
        TruthRow::Drops(drop) => drop.items[0].stock -= 1,
        TruthRow::Products(product) => product.variants[1].price_minor = None,
        TruthRow::FollowEdges(edge) => edge.state = FollowState::Unfollowed,
        TruthRow::FollowBuckets(bucket) => bucket.marks += 1,
        TruthRow::PaymentAttempts { names, .. } => names.reference.push('x'),
        TruthRow::PaymentEvents { settled_at, .. } => *settled_at = Timestamp::from_micros(1),
        // Its key in the table says nothing of the kind.
        TruthRow::Outbox(intent) => {
            intent.entity.kind = EntityKind::FollowEdge(AccountId::new(id()));
        }
        TruthRow::Announced { version, .. } => *version += 1,
        TruthRow::Jobs(job) => job.cursor += 1,
        TruthRow::AuditLog(entry) => entry.detail.push('x'),
    }
    Some(other)
}

/// Writes a row as the product does.
async fn write(store: &SharedStore, row: &TruthRow) {
    match row.clone() {
        TruthRow::DropLedger(record) => {
            assert_eq!(append(store, &record).await, Append::Appended);
        }
        TruthRow::OpenLedgers(open) => store.mark_open(open).await.unwrap(),
        TruthRow::LedgerCheckpoints {
            ledger_id,
            consumer,
            checkpoint,
        } => {
            let put = store.put_checkpoint(ledger_id, &consumer, checkpoint);
            put.await.unwrap();
        }
        TruthRow::Accounts(it) => assert_eq!(store.insert_account(&it).await.unwrap(), Put::Done),
        TruthRow::Creators(it) => assert_eq!(store.insert_creator(&it).await.unwrap(), Put::Done),
        TruthRow::AccountEmails { email, claim } => {
            assert_eq!(store.claim_email(&email, &claim).await.unwrap(), Put::Done);
        }
        TruthRow::CreatorHandles { handle, claim } => {
            let put = store.claim_handle(&handle, &claim).await;
            assert_eq!(put.unwrap(), Put::Done);
        }
        TruthRow::RefreshTokens(it) => {
            assert_eq!(store.insert_session(&it).await.unwrap(), Put::Done);
        }
        TruthRow::RequestIds {
            caller_id,
            request_id,
            claim,
            ..
        } => {
            let key = key(caller_id, request_id);
            let put = store.claim_request(&key, &claim).await;
            assert_eq!(put.unwrap(), Put::Done);
        }
        TruthRow::Drops(it) => assert_eq!(store.insert_drop(&it).await.unwrap(), Put::Done),
        TruthRow::Products(it) => assert_eq!(store.insert_product(&it).await.unwrap(), Put::Done),
        TruthRow::FollowEdges(it) => {
            assert_eq!(store.update_follow(&it).await.unwrap(), Cas::Done);
        }
        TruthRow::FollowBuckets(it) => {
            assert_eq!(store.update_follow_bucket(&it).await.unwrap(), Cas::Done);
        }
        TruthRow::PaymentAttempts {
            order_id,
            attempt,
            names,
        } => {
            let put = store.put_attempt(order_id, attempt, &names).await;
            assert_eq!(put.unwrap(), Put::Done);
        }
        TruthRow::PaymentEvents {
            provider,
            event_id,
            settled_at,
        } => {
            let put = store.put_payment_event(&provider, &event_id, settled_at);
            assert_eq!(put.await.unwrap(), Put::Done);
        }
        TruthRow::Outbox(it) => store.put_intent(&it).await.unwrap(),
        TruthRow::Announced { entity, version } => {
            store.put_announced(entity, version).await.unwrap();
        }
        TruthRow::Jobs(it) => assert_eq!(store.update_job(&it).await.unwrap(), Cas::Done),
        TruthRow::AuditLog(it) => store.put_audit(&it).await.unwrap(),
    }
}

fn key(caller_id: Option<AccountId>, request_id: RequestId) -> RequestKey {
    RequestKey {
        caller_id,
        method: METHOD,
        request_id,
    }
}

/// Reads a row of the same key as the product does, goes on from it, and tells whether it was equal.
async fn is_found_and_gone_on_from(store: &SharedStore, row: &TruthRow) -> bool {
    match row.clone() {
        TruthRow::DropLedger(first) => {
            let found = store.read_from(first.ledger_id, first.seq, 1).await;
            let again = append(store, &record(first.ledger_id, first.seq)).await;
            matches!(again, Append::Conflict(found) if *found == first) && found.unwrap() == [first]
        }
        TruthRow::OpenLedgers(open) => {
            let after = Some(OpenLedger {
                process_id: ProcessId::new(Uuid::nil()),
                ..open
            });
            let is_listed = async || {
                let listed = store.list_open(open.ledger_id.shard(), after, 3).await;
                listed.unwrap().contains(&open)
            };
            let was_listed = is_listed().await;
            store.unmark_open(open).await.unwrap();
            was_listed && !is_listed().await
        }
        TruthRow::LedgerCheckpoints {
            ledger_id,
            consumer,
            checkpoint,
        } => {
            let next = Checkpoint {
                seq: 1_000,
                ..checkpoint
            };
            let found = store.get_checkpoints(ledger_id).await.unwrap();
            let put = store.put_checkpoint(ledger_id, &consumer, next);
            put.await.unwrap();
            let later = store.get_checkpoints(ledger_id).await.unwrap();
            found.contains(&(consumer.clone(), checkpoint)) && later.contains(&(consumer, next))
        }
        TruthRow::Accounts(account) => {
            let found = store.get_account(account.account_id).await.unwrap();
            let mut next = account.clone();
            (next.version, next.op_id) = (account.version + 1, id());
            assert_eq!(store.update_account(&next).await.unwrap(), Cas::Done);
            found == Some(account)
        }
        TruthRow::Creators(creator) => {
            store.get_creator(creator.creator_id).await.unwrap() == Some(creator)
        }
        TruthRow::AccountEmails { email, claim } => {
            let found = store.get_email_claim(&email).await.unwrap();
            let mut next = claim.clone();
            (next.version, next.claim_id) = (claim.version + 1, id());
            let taken = store.take_over_email(&email, &next).await;
            assert_eq!(taken.unwrap(), Cas::Done);
            found == Some(claim)
        }
        TruthRow::CreatorHandles { handle, claim } => {
            let late = store.claim_handle(&handle, &super::samples::claim()).await;
            late.unwrap() == Put::Exists(claim)
        }
        TruthRow::RefreshTokens(session) => {
            let found = store.get_session(session.session_id).await.unwrap();
            let mut next = session.clone();
            (next.version, next.op_id) = (session.version + 1, id());
            assert_eq!(store.update_session(&next).await.unwrap(), Cas::Done);
            found == Some(session)
        }
        TruthRow::RequestIds {
            caller_id,
            request_id,
            claim,
            ..
        } => {
            let key = key(caller_id, request_id);
            let late = RequestRow {
                entity_id: id(),
                ..claim.clone()
            };
            let late = store.claim_request(&key, &late).await.unwrap();
            late == Put::Exists(claim.clone())
                && store.get_request(&key).await.unwrap() == Some(claim)
        }
        TruthRow::Drops(drop) => {
            let found = store.get_drop(drop.drop_id).await.unwrap();
            let mut next = drop.clone();
            (next.version, next.op_id) = (drop.version + 1, id());
            assert_eq!(store.update_drop(&next).await.unwrap(), Cas::Done);
            found == Some(drop)
        }
        TruthRow::Products(product) => {
            let found = store.get_product(product.product_id).await.unwrap();
            let mut next = product.clone();
            (next.version, next.op_id) = (product.version + 1, id());
            assert_eq!(store.update_product(&next).await.unwrap(), Cas::Done);
            found == Some(product)
        }
        TruthRow::FollowEdges(edge) => {
            let found = store.get_follow(edge.follower_id, edge.creator_id).await;
            let next = FollowEdge {
                version: edge.version + 1,
                op_id: id(),
                ..edge.clone()
            };
            assert_eq!(store.update_follow(&next).await.unwrap(), Cas::Done);
            found.unwrap() == Some(edge)
        }
        TruthRow::FollowBuckets(bucket) => {
            let found = store.list_follow_buckets(bucket.list).await.unwrap();
            let next = FollowBucket {
                version: bucket.version + 1,
                op_id: id(),
                ..bucket.clone()
            };
            assert_eq!(store.update_follow_bucket(&next).await.unwrap(), Cas::Done);
            found.contains(&bucket)
        }
        TruthRow::PaymentAttempts {
            order_id,
            attempt,
            names,
        } => {
            let late = AttemptRow {
                noted_at: Timestamp::from_micros(1),
                ..names.clone()
            };
            let late = store.put_attempt(order_id, attempt, &late).await.unwrap();
            late == Put::Exists(names)
        }
        TruthRow::PaymentEvents {
            provider,
            event_id,
            settled_at,
        } => {
            let later = Timestamp::from_micros(1);
            let late = store.put_payment_event(&provider, &event_id, later).await;
            late.unwrap() == Put::Exists(settled_at)
        }
        TruthRow::Outbox(intent) => {
            let (shard, hour) = (intent.entity.shard(), intent.created_at.hour());
            let page = || crate::store::PageRequest {
                limit: 10_000,
                ..first_100()
            };
            let found = store.list_intents(shard, hour, page()).await.unwrap();
            store.remove_intent(&intent).await.unwrap();
            let later = store.list_intents(shard, hour, page()).await.unwrap();
            found.contains(&intent) && !later.contains(&intent)
        }
        TruthRow::Announced { entity, version } => {
            let found = store.get_announced(entity).await.unwrap();
            for later in [version - 1, version + 1] {
                store.put_announced(entity, later).await.unwrap();
            }
            found == version && store.get_announced(entity).await.unwrap() == version + 1
        }
        TruthRow::Jobs(job) => {
            let found = store.get_job(&job.job_id).await.unwrap();
            let next = Job {
                version: job.version + 1,
                op_id: id(),
                ..job.clone()
            };
            assert_eq!(store.update_job(&next).await.unwrap(), Cas::Done);
            found == Some(job)
        }
        TruthRow::AuditLog(entry) => store.list_audit(entry.subject).await.unwrap() == [entry],
    }
}

/// Puts as an import does: while the outcome is unknown, the same row again.
async fn put(store: &SharedStore, row: &TruthRow) -> Put<Box<TruthRow>> {
    for _ in 0..20 {
        match store.put_truth(row).await {
            Err(StoreError::Indeterminate(_)) => {}
            outcome => return outcome.unwrap(),
        }
    }
    panic!("the outcome stays unknown");
}

/// All rows of a table by key, each seen once.
async fn scan(store: &SharedStore, table: TruthTable, limit: usize) -> BTreeMap<String, TruthRow> {
    let (mut all, mut after): (BTreeMap<_, _>, Option<Position>) = (BTreeMap::new(), None);
    loop {
        let page = store.scan_truth(table, after.as_ref(), limit);
        let page = page.await.unwrap();
        assert!(page.rows.len() <= limit, "{table:?}");
        for row in page.rows {
            assert_eq!(row.table(), table);
            let (key, again) = (row.key(), all.insert(row.key(), row));
            assert_eq!(again, None, "{table:?} {key} came twice");
        }
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Whatever the product writes is in a scan of its table: as it was written, once, with pages of any size.
pub async fn a_scan_has_every_row_once(store: &SharedStore) {
    for table in TruthTable::ALL {
        // So many that no part of a scan is without any.
        let rows: Vec<_> = (0..20).flat_map(|_| three(table)).collect();
        let writes = rows.iter().map(|row| write(store, row));
        futures::future::join_all(writes).await;
        for limit in [2, 1_000] {
            let found = scan(store, table, limit).await;
            for row in &rows {
                assert_eq!(found.get(&row.key()), Some(row), "{table:?}, limit {limit}");
            }
        }
    }
}

/// A row is put once; an equal one is as good, another one is told what is there, and changes nothing.
pub async fn the_truth_is_put_if_absent(store: &SharedStore) {
    for table in TruthTable::ALL {
        let rows = three(table);
        for row in rows.iter().chain(&rows) {
            assert_eq!(put(store, row).await, Put::Done, "{table:?}");
        }
        for row in &rows {
            let Some(other) = other(row) else { continue };
            assert_eq!(row.key(), other.key());
            let late = put(store, &other).await;
            assert_eq!(late, Put::Exists(Box::new(row.clone())), "{table:?}");
        }
        let found = scan(store, table, 1_000).await;
        for row in &rows {
            assert_eq!(found.get(&row.key()), Some(row), "{table:?}");
        }
    }
}

/// What was put is read, found in the way and gone on from as if the product had written it; and what the product wrote is as good as put.
pub async fn what_was_put_is_as_if_written(store: &SharedStore) {
    for table in TruthTable::ALL {
        let rows = three(table);
        for row in &rows {
            assert_eq!(put(store, row).await, Put::Done);
        }
        for row in &rows {
            assert!(is_found_and_gone_on_from(store, row).await, "{table:?}");
        }
        for row in &three(table) {
            write(store, row).await;
            assert_eq!(put(store, row).await, Put::Done, "{table:?}");
            assert!(is_found_and_gone_on_from(store, row).await, "{table:?}");
        }
    }
}

/// Many who put the same rows at the same time all succeed.
pub async fn racing_puts_of_equal_rows_all_succeed(store: &SharedStore) {
    for table in [
        TruthTable::DropLedger,
        TruthTable::Accounts,
        TruthTable::RequestIds,
    ] {
        let [row, ..] = three(table);
        let racers = (0..8).map(|_| {
            let (store, row) = (store.clone(), row.clone());
            tokio::spawn(async move { put(&store, &row).await })
        });
        for outcome in futures::future::join_all(racers).await {
            assert_eq!(outcome.unwrap(), Put::Done, "{table:?}");
        }
    }
}
