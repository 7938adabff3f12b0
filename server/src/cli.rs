//! The command line: flags, subcommands, what is printed. The server itself is [`App`](crate::app::App).

mod args;
mod backup;
mod dev;
mod ledger;
mod ledger_entry;
mod ledger_source;
mod ledger_table;
mod migrate;
mod order;
mod order_sheet;
mod rebuild;
mod serve;
mod signal;
mod transfer;

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

pub use args::Cli;
use args::{Command, ConfigArgs, LedgerCommand, OrderCommand};

use crate::{
    app::{StartError, Unfinished, backup::BackupError},
    config::{self, Layers, Loaded, Problems, Profile},
    domain::DropId,
    jobs::{
        rebuild::RebuildError,
        transfer::{ExportError, ImportError},
    },
    service::{self, operator::OperatorError},
    store::{self, scylla::migrate::MigrateError},
    telemetry,
};

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] Problems),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Logs or metrics can't be set up.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The server did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The server did not stop in time.
    #[error(transparent)]
    Stop(#[from] Unfinished),
    /// A second signal came while the server was stopping.
    #[error("stopped at once by a second signal; what was answered is on disk")]
    Forced,
    /// Demo content could not be made.
    #[error("can't make the demo content: {}", told(.0))]
    Demo(service::Error),
    /// A running server's store, or a stopped one's, can't be read.
    #[error("can't read the ledger")]
    Read(#[from] store::StoreError),
    /// The drop has no ledger.
    #[error("drop {0} has no ledger: there is no such drop, or its terms are not frozen yet")]
    NoLedger(DropId),
    /// A running server did not do what was asked.
    #[error("{0}")]
    Asked(String),
    /// An order can't be shown or settled.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// Others use the store, and this must be alone.
    #[error("servers use this store ({0}): stop them first")]
    Alive(String),
    /// The keyspace is not ready.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// Derived rows are not all there.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// There is no backup.
    #[error("can't back up")]
    Backup(#[from] BackupError),
    /// There is no file.
    #[error("can't export to {}", .to.display())]
    Export {
        /// What was to be written.
        to: PathBuf,
        /// Why not.
        source: ExportError,
    },
    /// The store has not all of the file, or more.
    #[error("can't import {}", .from.display())]
    Import {
        /// The file.
        from: PathBuf,
        /// Why not.
        source: Box<ImportError>,
    },
    /// Ledgers are wrong; each was told already.
    #[error("wrong ledgers: {wrong} of {checked}")]
    Wrong {
        /// How many.
        wrong: u64,
        /// Of how many.
        checked: u64,
    },
    /// What can be read of a damaged store is sound; some of it can't be, or is gone.
    #[error("the store is damaged: do not trust that this is all of it")]
    Damaged,
    /// The system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// Whether the settings or flags are to blame: exit status 2, else 1.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Settings(_) | Self::Usage(_))
    }

    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

fn told(error: &service::Error) -> String {
    match error {
        service::Error::Unauthenticated => {
            "the data directory has accounts with the demo addresses and other passwords".to_owned()
        }
        service::Error::Invalid(violations) => format!("{violations:?}"),
        other @ (service::Error::Refused { .. }
        | service::Error::NotFound { .. }
        | service::Error::Overloaded { .. }
        | service::Error::Unavailable { .. }
        | service::Error::Internal(_)) => other.to_string(),
    }
}

/// Runs a subcommand to its end.
///
/// # Errors
/// See [`Error`].
pub async fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Command::Dev(args) => dev::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Config(args) => print_config(&args),
        Command::Ledger {
            command: LedgerCommand::Show(args),
        } => ledger::show(args).await,
        Command::Ledger {
            command: LedgerCommand::Verify(args),
        } => ledger::verify(args).await,
        Command::Order {
            command: OrderCommand::Show(args),
        } => order::show(args).await,
        Command::Order {
            command: OrderCommand::Settle(args),
        } => order::settle(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Rebuild(args) => rebuild::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Export(args) => transfer::export(args).await,
        Command::Import(args) => transfer::import(args).await,
    }
}

fn print_config(args: &ConfigArgs) -> Result<(), Error> {
    let profile = if args.dev {
        Profile::Dev
    } else {
        Profile::Serve
    };
    let loaded = load(profile, &args.settings)?;
    print(&loaded.to_toml())
}

/// Settings from defaults, the file, the environment and flags.
fn load(profile: Profile, settings: &args::Settings) -> Result<Loaded, Error> {
    // Names and values that are no text can't be settings of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let loaded = config::load(Layers {
        profile,
        file: settings.config.clone(),
        environment: environment.collect(),
        flags: settings.flags(),
    })?;
    if !loaded.ignored.is_empty() {
        eprintln!("livedrop: {}", ignored(&loaded.ignored));
    }
    Ok(loaded)
}

/// One line about variables that look like settings and are none.
fn ignored(variables: &[(String, Option<String>)]) -> String {
    let names = variables.iter().map(|(name, meant)| match meant {
        Some(meant) => format!("{name} (did you mean {meant}?)"),
        None => name.clone(),
    });
    format!(
        "ignored, not a setting: {}; `livedrop config` shows all keys",
        names.collect::<Vec<_>>().join(", ")
    )
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::io("can't write to standard output")),
    }
}
