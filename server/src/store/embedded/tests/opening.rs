//! The store's file: locked, versioned, private, never half made.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
};

use redb::TableHandle;

use super::*;
use crate::store::{
    DropStore, OrderStore, Put,
    conformance::samples,
    embedded::{
        file::{FORMAT, FORMAT_KEY, META},
        rows::TABLES,
    },
};

fn open(dir: &Path) -> std::result::Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(dir, Options::default())
}

#[test]
fn a_second_open_is_told_who_is_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Locked { dir: locked } if locked == dir.path()),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains(dir.path().to_str().unwrap()) && !text.contains('\n'),
        "{text}"
    );
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let write_format = |format: u64| {
        let database = redb::Database::open(dir.path().join(FILE_NAME)).unwrap();
        let transaction = database.begin_write().unwrap();
        let found = transaction
            .open_table(META)
            .unwrap()
            .insert(FORMAT_KEY, format)
            .unwrap()
            .map(|found| found.value());
        transaction.commit().unwrap();
        found
    };
    assert_eq!(write_format(FORMAT + 1), Some(FORMAT));
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { found, supported: FORMAT } if found == FORMAT + 1),
        "{error:?}"
    );
    assert_eq!(write_format(FORMAT), Some(FORMAT + 1));
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn an_older_store_gets_the_tables_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let drop = samples::drop();
    let store = open(dir.path()).unwrap();
    assert_eq!(store.insert_drop(&drop).await.unwrap(), Put::Done);
    std::mem::drop(store);
    let database = redb::Database::open(dir.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    for table in TABLES.into_iter().filter(|table| table.name() != "drops") {
        assert!(transaction.delete_table(table).unwrap(), "{table}");
    }
    transaction.commit().unwrap();
    std::mem::drop(database);

    let store = open(dir.path()).unwrap();
    let row = samples::order_row();
    assert_eq!(store.get_order(row.order_id).await.unwrap(), None);
    store.put_orders(std::slice::from_ref(&row)).await.unwrap();
    assert_eq!(store.get_order(row.order_id).await.unwrap(), Some(row));
    assert_eq!(store.get_drop(drop.drop_id).await.unwrap(), Some(drop));
}

#[test]
fn only_the_owner_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("deep").join("down");
    let _store = open(&made).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&made), 0o700);
    assert_eq!(mode(&made.join(FILE_NAME)), 0o600);
    // Nothing is left of making it.
    assert_eq!(fs::read_dir(&made).unwrap().count(), 1);
}

#[test]
fn what_is_no_store_is_named_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    for content in [&b""[..], b"x", &[0; 8_192], &[7; 100_000]] {
        fs::write(&path, content).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(
            matches!(error, OpenError::Corrupt(_)),
            "{} bytes: {error:?}",
            content.len()
        );
    }
}

#[tokio::test]
async fn a_torn_file_is_refused() {
    let (store, dir) = on_disk();
    for seq in 1..=40 {
        store
            .append(&record(DropId::new(Uuid::from_u128(1)), seq, 64 << 10))
            .await
            .unwrap();
    }
    drop(store);
    let path = dir.path().join(FILE_NAME);
    let whole = fs::read(&path).unwrap();
    for length in [9, 400, 4_096, 10_000, whole.len() / 2] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(
            matches!(error, OpenError::Corrupt(_)),
            "{length} of {} bytes: {error:?}",
            whole.len()
        );
    }
    // Both commit slots overwritten: there is no state to go back to.
    fs::write(&path, &whole).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .write_all_at(&[0x55; 256], 64)
        .unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt(_)), "{error:?}");
    fs::write(&path, &whole).unwrap();
    open(dir.path()).unwrap();
}
