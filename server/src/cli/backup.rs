//! `livedrop backup`: copies the data directory, of a running server or a stopped one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    Error,
    args::BackupArgs,
    ledger_source::{data, no_data, open_stopped},
    load, print,
    signal::interruptible,
    transfer,
};
use crate::{
    app::{
        admin::client::RemoteLedgers,
        backup::{BackedUp, Backup},
    },
    config::{Backend, Config, Profile},
    store::{
        StoreError,
        embedded::{EmbeddedStore, FILE_NAME, Options},
    },
};

pub(super) async fn run(args: BackupArgs) -> Result<(), Error> {
    let config = load(Profile::Serve, &args.store.settings())?.config;
    if config.store.backend == Backend::Cql {
        let what = "store.backend is \"cql\": back up the database by its own means, or use `livedrop export`";
        return Err(Error::Usage(what.to_owned()));
    }
    let data = data(&config)?;
    // The server may be in another directory.
    let to =
        std::path::absolute(&args.to).map_err(Error::io("can't tell the current directory"))?;
    let backed_up = interruptible(write(&config, &data, &to)).await??;
    interruptible(check(to.clone(), &backed_up)).await??;
    print(&summary(&to, &backed_up))
}

async fn write(config: &Config, data: &Path, to: &Path) -> Result<BackedUp, Error> {
    let unreachable = format!("can't ask the server that has {} open", data.display());
    let remote = RemoteLedgers::connect(data).await;
    if let Some(remote) = remote.map_err(Error::io(unreachable))? {
        // In the server's words.
        let asked = remote.back_up(to).await;
        return asked.map_err(|error| {
            let (StoreError::Determinate(words) | StoreError::Indeterminate(words)) = error;
            Error::Asked(words)
        });
    }
    let store = Arc::new(open_stopped(data)?);
    let backup = Backup::of(config, store).ok_or_else(no_data)?;
    Ok(backup.write(to).await?)
}

/// Opens the copy as a server would, with a look at every page, and counts its rows.
async fn check(to: PathBuf, backed_up: &BackedUp) -> Result<(), Error> {
    if !to.join(FILE_NAME).exists() {
        let what = format!(
            "the server wrote the backup to {}, which can't be seen from here: name a directory that both see",
            to.display()
        );
        return Err(Error::Asked(what));
    }
    let damaged = format!("the backup in {} is of no use", to.display());
    let opened = tokio::task::spawn_blocking(move || {
        let store = EmbeddedStore::open(&to, Options::default());
        store.map(|store| store.row_counts())
    });
    let counted = match opened.await {
        Ok(Ok(Ok(counted))) => counted,
        Ok(Ok(Err(error))) => return Err(Error::Asked(format!("{damaged}: {error}"))),
        Ok(Err(error)) => return Err(Error::Asked(format!("{damaged}: {error}"))),
        Err(error) => return Err(Error::Asked(format!("{damaged}: {error}"))),
    };
    if counted != backed_up.rows {
        return Err(Error::Asked(format!("{damaged}: rows are missing")));
    }
    Ok(())
}

fn summary(to: &Path, backed_up: &BackedUp) -> String {
    let rows = backed_up.rows.iter();
    let table = transfer::table(rows.map(|(table, rows)| (table.as_str(), *rows)));
    let elsewhere = backed_up.key_file.as_ref().map(|path| {
        let path = path.display();
        format!("not in it: the key file {path} (auth.key_file): keep a copy of it too\n")
    });
    format!(
        "{table}backed up to {}: {}\n{}",
        to.display(),
        backed_up.files.join(", "),
        elsewhere.unwrap_or_default()
    )
}
