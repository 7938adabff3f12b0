//! Where tools read ledgers: from the server that has an embedded store open, or from the store itself.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Error, args::StoreArgs, load};
use crate::{
    app::{
        StartError,
        admin::client::RemoteLedgers,
        drop_list::{self, DropPage},
        stores,
    },
    config::{Backend, Config, Profile},
    domain::DropId,
    store::{
        JobStore, LedgerStore, SharedStore,
        embedded::{EmbeddedStore, FILE_NAME, OpenError, Options},
        processes::ProcessSeen,
    },
};

/// Where the data is.
pub(super) enum Place {
    /// In this directory, for one process at a time.
    Directory(PathBuf),
    /// In this store, for all who want it.
    Shared(SharedStore),
}

impl Place {
    /// What the flags and settings say. Connects to a database.
    pub(super) async fn find(args: &StoreArgs) -> Result<Self, Error> {
        let config = load(Profile::Serve, &args.settings())?.config;
        match config.store.backend {
            Backend::Embedded => data(&config).map(Self::Directory),
            Backend::Cql => Ok(Self::Shared(stores::open_for_tools(&config).await?)),
        }
    }

    /// The store for a tool that must have it for itself.
    pub(super) async fn open_alone(self) -> Result<SharedStore, Error> {
        match self {
            // Its lock keeps others away.
            Self::Directory(data) => Ok(Arc::new(open_stopped(&data)?)),
            Self::Shared(store) => nobodys(store).await,
        }
    }

    /// As [`Place::open_alone`]; a directory without a store gets an empty one.
    pub(super) async fn make_alone(self) -> Result<SharedStore, Error> {
        match self {
            Self::Directory(data) => Ok(Arc::new(open(&data)?)),
            Self::Shared(store) => nobodys(store).await,
        }
    }
}

async fn nobodys(store: SharedStore) -> Result<SharedStore, Error> {
    let seen = store.list_processes().await?;
    let alive = seen.into_iter().filter(ProcessSeen::is_alive);
    let alive: Vec<_> = alive.map(|it| it.address).collect();
    if alive.is_empty() {
        return Ok(store);
    }
    Err(Error::Alive(alive.join(", ")))
}

pub(super) fn data(config: &Config) -> Result<PathBuf, Error> {
    config.store.data.clone().ok_or_else(no_data)
}

pub(super) fn no_data() -> Error {
    Error::Usage("say where the data is: --data DIR, or --config FILE".to_owned())
}

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
    /// A database, whoever else uses it.
    Shared(SharedStore),
}

impl LedgerSource {
    pub(super) async fn open(args: &StoreArgs) -> Result<Self, Error> {
        let data = match Place::find(args).await? {
            Place::Directory(data) => data,
            Place::Shared(store) => return Ok(Self::Shared(store)),
        };
        let data = data.as_path();
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
            Self::Running(_) | Self::Shared(_) => None,
            Self::Stopped { damage, .. } => damage.as_ref(),
        }
    }

    /// Refuses a store that an import has not filled: what is not there can't be checked.
    pub(super) async fn must_be_imported(&self) -> Result<(), Error> {
        let jobs: &dyn JobStore = match self {
            // It would not run.
            Self::Running(_) => return Ok(()),
            Self::Stopped { store, .. } => store,
            Self::Shared(store) => &**store,
        };
        Ok(stores::check_imported(jobs).await?)
    }

    pub(super) fn ledgers(&self) -> &dyn LedgerStore {
        match self {
            Self::Running(remote) => remote,
            Self::Stopped { store, .. } => store,
            Self::Shared(store) => &**store,
        }
    }

    pub(super) async fn list_drops(&self, after: Option<DropId>) -> Result<DropPage, Error> {
        Ok(match self {
            Self::Running(remote) => remote.list_drops(after).await?,
            Self::Stopped { store, .. } => drop_list::page(store, after).await?,
            Self::Shared(store) => drop_list::page(&**store, after).await?,
        })
    }
}

/// Opens the store of a stopped server for writing: a damaged one is refused.
pub(super) fn open_stopped(data: &Path) -> Result<EmbeddedStore, Error> {
    must_exist(data)?;
    open(data)
}

fn open(data: &Path) -> Result<EmbeddedStore, Error> {
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
