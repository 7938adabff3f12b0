//! Request ids end after their time, and leave the file.

use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::{
    domain::RequestId,
    env::{BoxFuture, Env},
    store::{
        Order, Put, RequestStore,
        embedded::{
            key,
            rows::{REQUEST_IDS, REQUEST_IDS_BY_EXPIRY},
        },
        requests::{REQUEST_TTL, RequestKey, RequestRow},
        truth::{TruthRow, TruthStore, TruthTable},
    },
};

/// The real world with a clock that stands.
#[derive(Debug)]
struct Clock(Mutex<Timestamp>);

impl Env for Clock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<()> {
        SystemEnv.sleep(span)
    }

    fn spawn(&self, name: &'static str, task: BoxFuture<()>) {
        SystemEnv.spawn(name, task);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        SystemEnv.fill_random(bytes);
    }

    fn uuid(&self) -> Uuid {
        SystemEnv.uuid()
    }
}

/// Requests in the order in which they are swept.
fn request(number: u128) -> RequestKey {
    RequestKey {
        caller_id: None,
        method: "SignUp",
        request_id: RequestId::new(Uuid::from_u128(number)),
    }
}

async fn count(store: &EmbeddedStore) -> [usize; 2] {
    let mut counts = [0; 2];
    for (table, count) in [REQUEST_IDS, REQUEST_IDS_BY_EXPIRY]
        .into_iter()
        .zip(&mut counts)
    {
        let all = key::range(&[], None, Order::Ascending);
        let rows = store
            .scan(move |rows| rows.page(table, all, Order::Ascending, 1_000, |_, _| Ok(Some(()))))
            .await;
        *count = rows.unwrap().len();
    }
    counts
}

#[tokio::test]
async fn they_expire_and_are_swept() {
    let clock = Arc::new(Clock(Mutex::new(Timestamp::from_micros(1_000))));
    let store = EmbeddedStore::in_memory_with(Options {
        env: clock.clone(),
        ..Options::default()
    })
    .unwrap();
    let [old, new] = [1, 2].map(|n| RequestRow {
        fingerprint: [n; 32],
        entity_id: Uuid::new_v4(),
    });
    let keys: Vec<_> = (1..=10).map(request).collect();
    for key in &keys {
        assert_eq!(store.claim_request(key, &old).await.unwrap(), Put::Done);
    }
    assert_eq!(count(&store).await, [10, 10]);

    // One instant before the end it is still known.
    *clock.0.lock() = Timestamp::from_micros(999) + REQUEST_TTL;
    assert_eq!(
        store.claim_request(&keys[9], &new).await.unwrap(),
        Put::Exists(old.clone())
    );
    assert_eq!(count(&store).await, [10, 10]);

    *clock.0.lock() = Timestamp::from_micros(1_001) + REQUEST_TTL;
    assert_eq!(
        store.claim_request(&keys[9], &new).await.unwrap(),
        Put::Done
    );
    assert_eq!(
        store.claim_request(&keys[9], &old).await.unwrap(),
        Put::Exists(new.clone())
    );
    for number in 11..=13 {
        assert_eq!(
            store.claim_request(&request(number), &new).await.unwrap(),
            Put::Done
        );
    }
    // All old ones are gone; the one that was claimed anew outlives its first expiry.
    assert_eq!(count(&store).await, [4, 4]);
    assert_eq!(
        store.claim_request(&keys[9], &old).await.unwrap(),
        Put::Exists(new)
    );
}

/// What has expired is no truth any more, and what is put as truth is remembered for its whole time, however old it was.
#[tokio::test]
async fn a_put_one_begins_anew_and_an_expired_one_is_not_scanned() {
    let clock = Arc::new(Clock(Mutex::new(Timestamp::from_micros(1_000))));
    let store = EmbeddedStore::in_memory_with(Options {
        env: clock.clone(),
        ..Options::default()
    })
    .unwrap();
    let claim = RequestRow {
        fingerprint: [1; 32],
        entity_id: Uuid::new_v4(),
    };
    for number in 1..=3 {
        let put = store.claim_request(&request(number), &claim).await;
        assert_eq!(put.unwrap(), Put::Done);
    }
    let scan = async |after| {
        let page = store.scan_truth(TruthTable::RequestIds, after, 2).await;
        page.unwrap()
    };
    assert_eq!(scan(None).await.rows.len(), 2);

    *clock.0.lock() = Timestamp::from_micros(1_001) + REQUEST_TTL;
    let page = scan(None).await;
    assert_eq!(page.rows, []);
    let page = scan(page.next.as_ref()).await;
    assert_eq!(page.rows, [], "more may follow a page of dead ones");

    let row = |entity_id| TruthRow::RequestIds {
        caller_id: None,
        method: "SignUp".to_owned(),
        request_id: request(1).request_id,
        claim: RequestRow {
            entity_id,
            ..claim.clone()
        },
    };
    let (new, other) = (row(Uuid::new_v4()), row(Uuid::new_v4()));
    assert_eq!(store.put_truth(&new).await.unwrap(), Put::Done);
    let put_at = *clock.0.lock();
    *clock.0.lock() = put_at + REQUEST_TTL - Duration::from_micros(1);
    let late = store.put_truth(&other).await.unwrap();
    assert_eq!(late, Put::Exists(Box::new(new)));
    *clock.0.lock() = put_at + REQUEST_TTL;
    assert_eq!(store.put_truth(&other).await.unwrap(), Put::Done);
}
