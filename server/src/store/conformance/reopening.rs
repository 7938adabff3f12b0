//! What was answered lasts.

use super::samples::{NOW, account, claim, creator, drop, id, record, session};
use crate::{
    domain::{DropId, ProcessId, RequestId},
    store::{
        Append, Cas, OpenLedger, Order, PageRequest, Put, SharedStore,
        drops::{DropTime, DropTimeKey},
        requests::{RequestKey, RequestRow},
    },
};

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

    let store = reopen(store).await;

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
