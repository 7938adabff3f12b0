//! `livedrop migrate`: makes keyspace and tables what this version needs.

use std::time::Duration;

use super::{Error, args::MigrateArgs, load, print, signal::interruptible};
use crate::{
    app::{StartError, stores},
    auth::SetupError,
    config::{Backend, Profile},
    env::{Env as _, SystemEnv},
    store::scylla::migrate::{self, Wishes},
};

/// In place of the fingerprint of keys that `--print` does not make.
const NEW_KEYS: &str = "that of a new key file";

pub(super) async fn run(args: MigrateArgs) -> Result<(), Error> {
    let config = load(Profile::Serve, &args.settings())?.config;
    if config.store.backend != Backend::Cql {
        let what = "store.backend is \"embedded\", which needs no migration: set it to \"cql\"";
        return Err(Error::Usage(what.to_owned()));
    }
    let settings = stores::cql(&config)?;
    let wait = Duration::from_secs(args.wait);
    let recorded = interruptible(migrate::recorded_keys(&settings, wait)).await??;
    let fingerprint = match (recorded, args.print) {
        (Some(_), _) if !args.replace_keys => stores::present_keys(&config)?.fingerprint(),
        // The first process makes the keys that all others need.
        (_, false) => stores::own_keys(&config)?.fingerprint(),
        (_, true) => match stores::present_keys(&config) {
            Err(StartError::Auth(SetupError::KeyFileMissing(_))) => NEW_KEYS.to_owned(),
            keys => keys?.fingerprint(),
        },
    };
    let wishes = Wishes {
        replicas: config.cql.replicas,
        fingerprint,
        replaces_keys: args.replace_keys,
        is_dry: args.print,
        wait,
        now: SystemEnv.now(),
    };
    let mut steps = 0;
    let tell = |step: &migrate::Step| {
        steps += 1;
        if args.print {
            // A reader that has seen enough is no reason to stop.
            let _ = print(&step.to_string());
        } else {
            eprintln!("livedrop: {}", step.what);
        }
    };
    interruptible(migrate::run(&settings, &wishes, tell)).await??;
    let keyspace = &config.cql.keyspace;
    print(&match (steps, args.print) {
        (0, _) => format!("keyspace {keyspace} is up to date\n"),
        (_, true) => "-- nothing was done; run it without --print\n".to_owned(),
        (_, false) => format!("keyspace {keyspace} is ready\n"),
    })
}
