//! Where tools read ledgers: from the server that has the store open, or from the store itself if none has.

use std::path::Path;

use super::Error;
use crate::{
    app::{
        StartError,
        admin::client::RemoteLedgers,
        drop_list::{self, DropPage},
    },
    domain::DropId,
    store::{
        LedgerStore,
        embedded::{EmbeddedStore, FILE_NAME, OpenError, Options},
    },
};

/// Ledgers that can be read.
#[derive(Debug)]
pub(super) enum LedgerSource {
    /// Over the admin socket.
    Running(RemoteLedgers),
    /// The file, ours as long as we have it open.
    Stopped {
        /// What can be read.
        store: EmbeddedStore,
        /// What is wrong with the file as a whole.
        damage: Option<OpenError>,
    },
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
        must_exist(data)?;
        // The library panics on some damaged pages. The store makes errors of that; the panic's own text would only hide them.
        std::panic::set_hook(Box::new(|_| ()));
        let fail = |error| Error::from(StartError::store(data.to_owned(), error));
        match EmbeddedStore::open(data, Options::default()) {
            Ok(store) => Ok(Self::Stopped {
                store,
                damage: None,
            }),
            Err(damage @ OpenError::Corrupt(_)) => {
                let unchecked = Options {
                    is_checked: false,
                    ..Options::default()
                };
                match EmbeddedStore::open(data, unchecked) {
                    Ok(store) => Ok(Self::Stopped {
                        store,
                        damage: Some(damage),
                    }),
                    Err(_) => Err(fail(damage)),
                }
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// What is wrong with the file as a whole, though some of it can be read.
    pub(super) fn damage(&self) -> Option<&OpenError> {
        match self {
            Self::Running(_) => None,
            Self::Stopped { damage, .. } => damage.as_ref(),
        }
    }

    pub(super) fn ledgers(&self) -> &dyn LedgerStore {
        match self {
            Self::Running(remote) => remote,
            Self::Stopped { store, .. } => store,
        }
    }

    pub(super) async fn list_drops(&self, after: Option<DropId>) -> Result<DropPage, Error> {
        Ok(match self {
            Self::Running(remote) => remote.list_drops(after).await?,
            Self::Stopped { store, .. } => drop_list::page(store, after).await?,
        })
    }
}

/// Opens the store of a stopped server for writing: a damaged one is refused.
pub(super) fn open_stopped(data: &Path) -> Result<EmbeddedStore, Error> {
    must_exist(data)?;
    EmbeddedStore::open(data, Options::default())
        .map_err(|error| StartError::store(data.to_owned(), error).into())
}

/// Opening makes a store where there is none.
fn must_exist(data: &Path) -> Result<(), Error> {
    if data.join(FILE_NAME).exists() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "there is no store in {}: say where it is with --data",
        data.display()
    )))
}
