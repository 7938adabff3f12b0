//! Bytes of the file that change by themselves.

use std::path::Path;

use livedrop_server::{
    domain::DropId,
    ledger::verify,
    store::embedded::{EmbeddedStore, FILE_NAME, Options},
};

use crate::harness::{Server, home::Home, open_drop, place};

/// The ledger's length and last hash, or what is wrong.
async fn verified(dir: &Path, ledger_id: DropId) -> Result<(u64, [u8; 32]), String> {
    let store = EmbeddedStore::open(dir, Options::default()).map_err(|error| error.to_string())?;
    let report = verify::verify(&store, ledger_id, |_, _| ()).await;
    let state = report.map_err(|error| error.to_string())?.state;
    Ok((state.seq(), state.head_hash()))
}

#[tokio::test]
async fn a_changed_byte_on_disk_is_found() {
    let home = Home::of_files();
    let server = Server::at(&home).await;
    let drop = open_drop(&server.creator().await, &[(0, 50)]).await;
    for _ in 0..5 {
        let buyer = server.person().await;
        place(&buyer, &drop, &[(0, 1)]).await.unwrap();
    }
    server.stop().await;
    let ledger_id: DropId = drop.drop_id.parse().unwrap();
    let whole = verified(home.data(), ledger_id).await.unwrap();
    assert!(whole.0 >= 6);

    let bytes = std::fs::read(home.data().join(FILE_NAME)).unwrap();
    let id = ledger_id.as_bytes();
    let found: Vec<_> = (0..bytes.len() - 16)
        .filter(|at| bytes[*at..*at + 16] == *id)
        .collect();
    let mut caught = 0;
    // Where the ledger's id stands, a record's key does, or its page: the id, the segment and the seq behind it, and what follows.
    for at in found {
        for offset in [0, 15, 20, 23, 31, 200] {
            let copy = tempfile::tempdir().unwrap();
            let mut changed = bytes.clone();
            changed[at + offset] ^= 1;
            std::fs::write(copy.path().join(FILE_NAME), changed).unwrap();
            match verified(copy.path(), ledger_id).await {
                // A page that no table uses any more.
                Ok(seen) => assert_eq!(seen, whole, "byte {}", at + offset),
                Err(_) => caught += 1,
            }
        }
    }
    assert!(caught >= 6, "only {caught} changes were found");
}
