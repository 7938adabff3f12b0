//! What a tool gets over the socket is what is in the store, byte for byte.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{client::RemoteLedgers, *};
use crate::{
    domain::{DropId, ProcessId, Timestamp},
    env::{SharedEnv, SystemEnv},
    ledger::{
        Registry,
        testing::{EPOCH, row, terms},
    },
    store::{DropStore as _, LedgerRecord, LedgerStore as _, SharedStore, embedded::EmbeddedStore},
};

fn record(ledger_id: DropId, seq: u64, body: usize) -> LedgerRecord {
    LedgerRecord {
        ledger_id,
        seq,
        format: 1,
        fold_version: 1,
        writer_id: Uuid::now_v7(),
        batch_id: Uuid::new_v4(),
        recorded_at: Timestamp::from_micros(seq as i64 * 7),
        available: -1,
        held: i64::MAX,
        sold: 3,
        prev_hash: [seq as u8; 32],
        hash: [255; 32],
        body: Bytes::from(vec![b'\n'; body]),
    }
}

fn operator(store: Arc<EmbeddedStore>) -> Operator {
    let (env, store): (SharedEnv, SharedStore) = (Arc::new(SystemEnv), store);
    let process_id = ProcessId::new(env.uuid());
    let ledgers = Registry::new(env.clone(), store.clone(), process_id, Vec::new());
    Operator {
        env,
        store,
        ledgers,
    }
}

#[tokio::test]
async fn records_and_drops_come_through_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    assert!(
        RemoteLedgers::connect(folder.path())
            .await
            .unwrap()
            .is_none(),
        "no server"
    );

    let socket = AdminSocket::open(folder.path(), operator(store.clone()), None).unwrap();
    let mode = fs::metadata(folder.path().join(SOCKET_NAME))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left"
    );

    let ledger_id = DropId::new(Uuid::now_v7());
    // More than a page, and bodies as large as they get.
    for seq in 1..=70 {
        store
            .append(&record(ledger_id, seq, 64 * 1024))
            .await
            .unwrap();
    }
    let remote = RemoteLedgers::connect(folder.path())
        .await
        .unwrap()
        .unwrap();
    for (seq, limit) in [(1, 10), (60, 1_000), (1, usize::MAX), (1, 1), (71, 10)] {
        let local = store
            .read_from(ledger_id, seq, limit.min(verify::PAGE))
            .await
            .unwrap();
        assert_eq!(
            remote.read_from(ledger_id, seq, limit).await.unwrap(),
            local,
            "{seq} {limit}"
        );
    }
    assert!(remote.append(&record(ledger_id, 71, 1)).await.is_err());

    let mut expected = Vec::new();
    for n in 1..=250 {
        let drop = row(n, &terms(&[(1, 0, 0)], EPOCH));
        store.insert_drop(&drop).await.unwrap();
        expected.push(drop.drop_id);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = remote.list_drops(after).await.unwrap();
        found.extend(page.drop_ids);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);

    socket.close().await;
    assert!(
        remote.read_from(ledger_id, 1, 1).await.is_err(),
        "the server is gone"
    );
    assert!(
        RemoteLedgers::connect(folder.path())
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        Arc::into_inner(store).is_some(),
        "nobody else has the store"
    );
}

#[tokio::test]
async fn nonsense_is_answered_and_an_endless_line_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let _socket = AdminSocket::open(
        folder.path(),
        operator(Arc::new(EmbeddedStore::in_memory().unwrap())),
        None,
    )
    .unwrap();
    // A second start finds the first one's socket, as after a kill.
    let socket = AdminSocket::open(
        folder.path(),
        operator(Arc::new(EmbeddedStore::in_memory().unwrap())),
        None,
    )
    .unwrap();
    let mut stream = BufReader::new(
        UnixStream::connect(folder.path().join(SOCKET_NAME))
            .await
            .unwrap(),
    );
    for nonsense in ["{}\n", "\n", "{\"call\":\"append\"}\n", "\u{0}\n"] {
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        let line = protocol::read_line(&mut stream, 10_000)
            .await
            .unwrap()
            .unwrap();
        assert!(
            line.starts_with(b"{\"failed\":\"not understood: "),
            "{nonsense:?}"
        );
    }
    stream.write_all(&[b'x'; 5_000]).await.unwrap();
    let ended = protocol::read_line(&mut stream, 10_000).await;
    assert!(matches!(ended, Ok(None) | Err(_)), "{ended:?}");
    socket.close().await;
}
