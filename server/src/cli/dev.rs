//! `livedrop dev`: a server to play with, in a small living world; its data is in a temporary directory unless told otherwise.

mod demo;
mod greeting;

use std::{net::TcpListener, path::Path};

use tempfile::TempDir;

use self::greeting::Shown;
use super::{Error, args::DevArgs, load, serve::run_until_signal};
use crate::config::{Loaded, Profile};

pub(super) async fn run(args: DevArgs) -> Result<(), Error> {
    let mut loaded = load(Profile::Dev, &args.settings)?;
    let taken = choose_metrics_port(&mut loaded, args.empty);
    let mut config = loaded.config;
    // Lives until the server has stopped; then the directory goes.
    let temporary = match &config.store.data {
        Some(_) => None,
        None => Some(temporary_directory()?),
    };
    if let Some(temporary) = &temporary {
        config.store.data = Some(temporary.path().to_owned());
    }
    run_until_signal(&config, async |app| {
        if args.empty {
            return Ok(format!("listening on {}\n", app.endpoint()));
        }
        let demo = Box::pin(demo::make(&app.ctx)).await.map_err(Error::Demo)?;
        let shown = Shown {
            data: std::path::absolute(config.store.data.as_deref().unwrap_or(Path::new("")))
                .map_err(Error::io("can't tell where the data is"))?,
            is_temporary: temporary.is_some(),
            metrics_taken: taken,
            is_quiet: args.quiet,
        };
        let greeting = greeting::greeting(app, &shown, &demo.drops);
        app.run_beside(|ctx| demo.go_on(ctx, args.quiet));
        Ok(greeting)
    })
    .await
}

fn temporary_directory() -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix("livedrop-")
        .tempdir()
        .map_err(Error::io("can't make a temporary directory"))
}

/// A second server of the same person takes any free port for what nobody asked for. Answers the port that was taken, if that is why.
fn choose_metrics_port(loaded: &mut Loaded, is_empty: bool) -> Option<u16> {
    if !loaded.is_default("server.metrics_listen") {
        return None;
    }
    let at = loaded.config.server.metrics_listen.as_mut()?;
    let taken = (!is_empty && TcpListener::bind(*at).is_err()).then_some(at.port());
    if is_empty || taken.is_some() {
        at.set_port(0);
    }
    taken
}
