//! Group commit: answers after fsync, few fsyncs, and the end after a failed one.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use parking_lot::{Condvar, Mutex};

use super::*;
use crate::store::{
    AccountStore, Append,
    embedded::{file::with_backend, rows::ACCOUNTS},
};

/// A file in memory whose fsync can be held up and can fail.
#[derive(Debug, Default)]
struct Disk {
    file: InMemoryBackend,
    syncs: AtomicUsize,
    is_broken: AtomicBool,
    gate: Mutex<Gate>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    is_closed: bool,
    waiting: usize,
}

impl Disk {
    fn set_closed(&self, is_closed: bool) {
        self.gate.lock().is_closed = is_closed;
        self.changed.notify_all();
    }

    /// Waits until an fsync is held up.
    fn wait_for_sync(&self) {
        let mut gate = self.gate.lock();
        let waited = self.changed.wait_while_for(
            &mut gate,
            |gate| gate.waiting == 0,
            Duration::from_secs(10),
        );
        assert!(!waited.timed_out(), "no fsync came");
    }
}

#[derive(Debug)]
struct DiskBackend(Arc<Disk>);

impl redb::StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.file.set_len(len)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.file.write(offset, data)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        let mut gate = self.0.gate.lock();
        gate.waiting += 1;
        self.0.changed.notify_all();
        self.0.changed.wait_while(&mut gate, |gate| gate.is_closed);
        gate.waiting -= 1;
        if self.0.is_broken.load(Ordering::SeqCst) {
            Err(io::Error::other("disk is gone"))
        } else {
            Ok(())
        }
    }
}

/// A store with a committer thread over a [`Disk`], and what its fatal handler was told.
fn store() -> (EmbeddedStore, Arc<Disk>, Arc<Mutex<Vec<String>>>) {
    let (disk, told) = (Arc::new(Disk::default()), Arc::new(Mutex::new(Vec::new())));
    let database = with_backend(DiskBackend(Arc::clone(&disk)), 1 << 20).unwrap();
    let notes = Arc::clone(&told);
    let committer = Committer::thread(
        database,
        Arc::new(move |cause| notes.lock().push(cause.to_owned())),
    )
    .unwrap();
    (
        EmbeddedStore {
            committer,
            env: Arc::new(SystemEnv),
            processes: Mutex::default(),
        },
        disk,
        told,
    )
}

/// How many operations a test queues: more, and tokio would make the task yield before it has queued them all.
const QUEUED: u64 = 50;

/// Polls once: the first poll of a write queues it.
fn is_pending(write: &mut (impl Future + Unpin)) -> bool {
    write.now_or_never().is_none()
}

#[tokio::test]
async fn what_waits_is_committed_together_and_answered_after_fsync() {
    let (store, disk, told) = store();
    let ledger_id = DropId::new(Uuid::new_v4());
    let records: Vec<_> = (1..=QUEUED)
        .map(|seq| record(ledger_id, seq, 100))
        .collect();
    let mut appends: Vec<_> = records.iter().map(|record| store.append(record)).collect();
    let before = disk.syncs.load(Ordering::SeqCst);

    disk.set_closed(true);
    assert!(is_pending(&mut appends[0]));
    disk.wait_for_sync();
    // The first is in fsync: neither answered nor to be seen. The others queue up behind it.
    for append in &mut appends {
        assert!(is_pending(append));
    }
    assert_eq!(store.read_from(ledger_id, 1, 10).await.unwrap(), []);
    disk.set_closed(false);
    for outcome in join_all(appends).await {
        assert_eq!(outcome.unwrap(), Append::Appended);
    }
    // One fsync each for the first and for all others.
    assert_eq!(disk.syncs.load(Ordering::SeqCst) - before, 2);
    assert!(store.read_from(ledger_id, 1, 1_000).await.unwrap() == records);

    // A conflict writes nothing and needs no fsync.
    assert!(matches!(
        store.append(&records[0]).await.unwrap(),
        Append::Conflict(_)
    ));
    assert_eq!(disk.syncs.load(Ordering::SeqCst) - before, 2);
    assert_eq!(*told.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn after_a_failed_fsync_nobody_is_answered_ok() {
    let (store, disk, told) = store();
    let ledger_id = DropId::new(Uuid::new_v4());
    store.append(&record(ledger_id, 1, 100)).await.unwrap();
    let records: Vec<_> = (2..=QUEUED)
        .map(|seq| record(ledger_id, seq, 100))
        .collect();
    let mut appends: Vec<_> = records.iter().map(|record| store.append(record)).collect();

    disk.set_closed(true);
    assert!(is_pending(&mut appends[0]));
    disk.wait_for_sync();
    for append in &mut appends {
        assert!(is_pending(append));
    }
    disk.is_broken.store(true, Ordering::SeqCst);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    disk.set_closed(false);
    for outcome in join_all(appends).await {
        assert!(
            matches!(outcome, Err(StoreError::Indeterminate(_))),
            "{outcome:?}"
        );
    }
    // The disk works again, but what it lost nobody knows: no further try.
    disk.is_broken.store(false, Ordering::SeqCst);
    let outcome = store.append(&record(ledger_id, 100, 100)).await;
    assert!(
        matches!(outcome, Err(StoreError::Determinate(_))),
        "{outcome:?}"
    );
    assert!(store.read_from(ledger_id, 1, 10).await.is_err());
    assert_eq!(disk.syncs.load(Ordering::SeqCst), syncs);
    let told = told.lock();
    assert!(
        told.len() == 1 && told[0].contains("disk is gone"),
        "{told:?}"
    );
}

#[tokio::test]
async fn one_bad_operation_harms_no_other() {
    let (store, disk, told) = store();
    let broken = crate::domain::AccountId::new(Uuid::new_v4());
    store
        .write(move |rows| rows.put(ACCOUNTS, broken.as_bytes(), &[b"{"]))
        .await
        .unwrap();
    let account = crate::store::accounts::Account {
        account_id: broken,
        version: 2,
        op_id: Uuid::new_v4(),
        email: String::new(),
        display_name: String::new(),
        password_hash: String::new(),
        created_at: Timestamp::from_micros(0),
    };
    let ledger_id = DropId::new(Uuid::new_v4());
    let records = [1, 1, 2].map(|seq| record(ledger_id, seq, 100));

    disk.set_closed(true);
    let mut first = store.append(&records[0]);
    assert!(is_pending(&mut first));
    disk.wait_for_sync();
    let (mut conflict, mut bad, mut good) = (
        store.append(&records[1]),
        store.update_account(&account),
        store.append(&records[2]),
    );
    assert!(is_pending(&mut conflict) && is_pending(&mut bad) && is_pending(&mut good));
    disk.set_closed(false);
    assert_eq!(first.await.unwrap(), Append::Appended);
    assert!(matches!(conflict.await.unwrap(), Append::Conflict(_)));
    assert!(matches!(bad.await, Err(StoreError::Determinate(_))));
    assert_eq!(good.await.unwrap(), Append::Appended);
    assert!(store.get_account(broken).await.is_err());
    assert_eq!(*told.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn a_panic_in_an_operation_stops_the_store() {
    let (store, _disk, told) = store();
    let outcome = store.write::<()>(|_| panic!("a bug")).await;
    assert!(
        matches!(outcome, Err(StoreError::Indeterminate(_))),
        "{outcome:?}"
    );
    assert!(
        store
            .append(&record(DropId::new(Uuid::nil()), 1, 1))
            .await
            .is_err()
    );
    assert_eq!(told.lock().len(), 1);
}

#[tokio::test]
async fn dropping_the_store_commits_what_was_queued() {
    let dir = tempfile::tempdir().unwrap();
    let ledger_id = DropId::new(Uuid::new_v4());
    let records: Vec<_> = (1..=QUEUED)
        .map(|seq| record(ledger_id, seq, 100))
        .collect();
    let store = EmbeddedStore::open(dir.path(), Options::default()).unwrap();
    for record in &records {
        // The caller goes away once its append is queued.
        assert!(
            store
                .append(record)
                .now_or_never()
                .is_none_or(|outcome| outcome.is_ok())
        );
    }
    drop(store);
    let store = EmbeddedStore::open(dir.path(), Options::default()).unwrap();
    assert!(store.read_from(ledger_id, 1, 1_000).await.unwrap() == records);
}
