//! Where tools read ledgers: from the server that has the store open, or from the store itself if none has.

use std::path::Path;

use super::Error;
use crate::{
    app::{
        StartError,
        admin::client::RemoteLedgers,
        drop_list::{self, Cursor, DropPage},
    },
    store::{
        LedgerStore,
        embedded::{EmbeddedStore, FILE_NAME, Options},
    },
};

/// Ledgers that can be read.
#[derive(Debug)]
pub(super) enum LedgerSource {
    /// Over the admin socket.
    Running(RemoteLedgers),
    /// The file, ours as long as we have it open.
    Stopped(EmbeddedStore),
}

impl LedgerSource {
    pub(super) async fn open(data: &Path) -> Result<Self, Error> {
        let unreachable = format!("can't ask the server that has {} open", data.display());
        if let Some(remote) = RemoteLedgers::connect(data)
            .await
            .map_err(Error::io(unreachable))?
        {
            return Ok(Self::Running(remote));
        }
        // Opening makes a store where there is none.
        if !data.join(FILE_NAME).exists() {
            return Err(Error::Usage(format!(
                "there is no store in {}: say where it is with --data",
                data.display()
            )));
        }
        let store = EmbeddedStore::open(data, Options::default());
        Ok(Self::Stopped(store.map_err(|error| {
            StartError::store(data.to_owned(), error)
        })?))
    }

    pub(super) fn ledgers(&self) -> &dyn LedgerStore {
        match self {
            Self::Running(remote) => remote,
            Self::Stopped(store) => store,
        }
    }

    pub(super) async fn list_drops(&self, after: Option<Cursor>) -> Result<DropPage, Error> {
        Ok(match self {
            Self::Running(remote) => remote.list_drops(after).await?,
            Self::Stopped(store) => drop_list::page(store, after).await?,
        })
    }
}
