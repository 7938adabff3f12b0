//! What was answered lasts.

use super::{
    pages::first_100,
    samples::{
        NOW, account, attempt, audit_entry, claim, creator, drop, drop_status, id, intent, job,
        order_ref, order_row, product, record, session,
    },
};
use crate::{
    domain::{DropId, ProcessId, RequestId, product::Product},
    store::{
        Append, Cas, OpenLedger, Order, PageRequest, Put, SharedStore,
        audit::AuditEntry,
        drops::{DropTime, DropTimeKey},
        jobs::Job,
        orders::OrderRow,
        outbox::Intent,
        payments::AttemptRow,
        projections::{Checkpoint, DropStatus},
        requests::{RequestKey, RequestRow},
    },
};

/// What is known of orders and of what goes on behind them.
struct Rest {
    order: OrderRow,
    status: DropStatus,
    checkpoint: Checkpoint,
    attempt: AttemptRow,
    intent: Intent,
    job: Job,
    entry: AuditEntry,
    product: Product,
}

impl Rest {
    async fn put(store: &SharedStore) -> Self {
        let rest = Self {
            order: order_row(),
            status: drop_status(),
            checkpoint: Checkpoint {
                seq: 7,
                hash: [8; 32],
            },
            attempt: attempt(),
            intent: intent(),
            job: job(),
            entry: audit_entry(),
            product: product(),
        };
        let OrderRow {
            order_id,
            drop_id,
            creator_id,
            ..
        } = rest.order;
        store
            .put_orders(std::slice::from_ref(&rest.order))
            .await
            .unwrap();
        store
            .put_order_refs(&[order_ref(&rest.order)])
            .await
            .unwrap();
        store.put_drop_status(&rest.status).await.unwrap();
        let put = store.put_checkpoint(drop_id, "orders", rest.checkpoint);
        put.await.unwrap();
        let put = store.put_attempt(order_id, 1, &rest.attempt).await;
        assert_eq!(put.unwrap(), Put::Done);
        let put = store.put_payment_event("stripe", &rest.attempt.reference, NOW);
        assert_eq!(put.await.unwrap(), Put::Done);
        store.put_intent(&rest.intent).await.unwrap();
        store.put_announced(rest.intent.entity, 3).await.unwrap();
        assert_eq!(store.update_job(&rest.job).await.unwrap(), Cas::Done);
        store.put_audit(&rest.entry).await.unwrap();
        let put = store.put_creator_drop(creator_id, NOW, drop_id);
        put.await.unwrap();
        let product = store.insert_product(&rest.product).await;
        assert_eq!(product.unwrap(), Put::Done);
        let product_id = rest.product.product_id;
        let put = store.put_creator_product(creator_id, NOW, product_id);
        put.await.unwrap();
        rest
    }

    async fn check(self, store: &SharedStore) {
        let OrderRow {
            order_id,
            drop_id,
            creator_id,
            ..
        } = self.order;
        let it = order_ref(&self.order);
        assert_eq!(store.get_order(order_id).await.unwrap(), Some(self.order));
        let listed = store.list_buyer_orders(it.buyer_id, NOW.month(), first_100());
        assert_eq!(listed.await.unwrap(), [it]);
        let listed = store.list_drop_orders(drop_id, it.segment, first_100());
        assert_eq!(listed.await.unwrap(), [order_id]);
        assert_eq!(
            store.get_drop_status(self.status.drop_id).await.unwrap(),
            Some(self.status)
        );
        assert_eq!(
            store.get_checkpoints(drop_id).await.unwrap(),
            [("orders".to_owned(), self.checkpoint)]
        );
        let event = store.get_payment_event("stripe", &self.attempt.reference);
        assert_eq!(event.await.unwrap(), Some(NOW));
        assert_eq!(
            store.get_attempt(order_id, 1).await.unwrap(),
            Some(self.attempt)
        );
        let page = PageRequest {
            limit: 1_000,
            ..first_100()
        };
        let entity = self.intent.entity;
        let listed = store.list_intents(entity.shard(), NOW.hour(), page);
        assert!(listed.await.unwrap().contains(&self.intent));
        assert_eq!(store.get_announced(entity).await.unwrap(), 3);
        let found = store.get_job(&self.job.job_id).await.unwrap();
        assert_eq!(found, Some(self.job));
        let found = store.list_audit(self.entry.subject).await.unwrap();
        assert_eq!(found, [self.entry]);
        let listed = store.list_creator_drops(creator_id, first_100()).await;
        assert_eq!(listed.unwrap(), [(NOW, drop_id)]);
        let product_id = self.product.product_id;
        let listed = store.list_creator_products(creator_id, first_100());
        assert_eq!(listed.await.unwrap(), [(NOW, product_id)]);
        let found = store.get_product(product_id).await.unwrap();
        assert_eq!(found, Some(self.product));
    }
}

/// Everything written is there after `reopen`, which lets go of the store and opens it again, and can be gone on from.
pub async fn everything_survives(
    store: SharedStore,
    reopen: impl AsyncFnOnce(SharedStore) -> SharedStore,
) {
    let (account, creator, drop, session, claim) =
        (account(), creator(), drop(), session(), claim());
    let (ledger_id, name) = (DropId::new(id()), id().to_string());
    let records = [1, 2, 3].map(|seq| record(ledger_id, seq));
    let open = OpenLedger {
        ledger_id,
        process_id: ProcessId::new(id()),
    };
    let time = DropTime {
        key: DropTimeKey {
            opens_at: NOW,
            drop_id: ledger_id,
        },
        ends_at: NOW,
    };
    let request = RequestKey {
        caller_id: None,
        method: "SignUp",
        request_id: RequestId::new(id()),
    };
    let row = RequestRow {
        fingerprint: [1; 32],
        entity_id: id(),
    };

    for record in &records {
        assert_eq!(store.append(record).await.unwrap(), Append::Appended);
    }
    store.mark_open(open).await.unwrap();
    store.put_drop_time(time, NOW).await.unwrap();
    assert_eq!(store.insert_account(&account).await.unwrap(), Put::Done);
    assert_eq!(store.insert_creator(&creator).await.unwrap(), Put::Done);
    assert_eq!(store.insert_drop(&drop).await.unwrap(), Put::Done);
    assert_eq!(store.insert_session(&session).await.unwrap(), Put::Done);
    assert_eq!(store.claim_email(&name, &claim).await.unwrap(), Put::Done);
    assert_eq!(store.claim_handle(&name, &claim).await.unwrap(), Put::Done);
    assert_eq!(
        store.claim_request(&request, &row).await.unwrap(),
        Put::Done
    );

    let rest = Rest::put(&store).await;

    let store = reopen(store).await;

    rest.check(&store).await;

    assert_eq!(store.read_from(ledger_id, 1, 10).await.unwrap(), records);
    let after = Some(OpenLedger {
        ledger_id,
        process_id: ProcessId::new(uuid::Uuid::nil()),
    });
    assert_eq!(
        store.list_open(ledger_id.shard(), after, 1).await.unwrap(),
        [open]
    );
    let page = PageRequest {
        after: None,
        limit: 1_000,
        order: Order::Ascending,
    };
    assert!(
        store
            .list_drop_times(NOW.day(), ledger_id.shard(), page)
            .await
            .unwrap()
            .contains(&time)
    );
    assert_eq!(
        store
            .get_account(account.account_id)
            .await
            .unwrap()
            .as_ref(),
        Some(&account)
    );
    assert_eq!(
        store.get_creator(creator.creator_id).await.unwrap(),
        Some(creator)
    );
    assert_eq!(store.get_drop(drop.drop_id).await.unwrap(), Some(drop));
    assert_eq!(
        store.get_session(session.session_id).await.unwrap(),
        Some(session)
    );
    assert_eq!(
        store.get_email_claim(&name).await.unwrap().as_ref(),
        Some(&claim)
    );
    assert_eq!(store.get_handle_claim(&name).await.unwrap(), Some(claim));
    assert_eq!(
        store.claim_request(&request, &row).await.unwrap(),
        Put::Exists(row)
    );
    assert_eq!(
        store.append(&record(ledger_id, 4)).await.unwrap(),
        Append::Appended
    );
    let next = crate::store::accounts::Account {
        version: 2,
        op_id: id(),
        ..account
    };
    assert_eq!(store.update_account(&next).await.unwrap(), Cas::Done);
}
