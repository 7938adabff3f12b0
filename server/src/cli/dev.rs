//! `livedrop dev`: a server to play with, its data in a temporary directory unless told otherwise.

mod demo;

use std::{
    fmt::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use self::demo::Demo;
use super::{Error, args::DevArgs, load, serve::run_until_signal};
use crate::{
    app::App,
    config::{Loaded, Profile},
};

pub(super) async fn run(args: DevArgs) -> Result<(), Error> {
    let mut loaded = load(Profile::Dev, &args.settings)?;
    let taken = choose_metrics_port(&mut loaded, args.quiet);
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
        if args.quiet {
            return Ok(format!("listening on {}\n", app.endpoint()));
        }
        let demo = demo::make(&app.ctx).await.map_err(Error::Demo)?;
        let shown = Shown {
            data: std::path::absolute(config.store.data.as_deref().unwrap_or(Path::new("")))
                .map_err(Error::io("can't tell where the data is"))?,
            is_temporary: temporary.is_some(),
            metrics_taken: taken,
        };
        Ok(greeting(app, &shown, &demo))
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
fn choose_metrics_port(loaded: &mut Loaded, is_quiet: bool) -> Option<u16> {
    if !loaded.is_default("server.metrics_listen") {
        return None;
    }
    let at = loaded.config.server.metrics_listen.as_mut()?;
    let taken = (!is_quiet && TcpListener::bind(*at).is_err()).then_some(at.port());
    if is_quiet || taken.is_some() {
        at.set_port(0);
    }
    taken
}

/// What the greeting tells besides the demo content.
struct Shown {
    /// Absolute, so that commands with it work everywhere.
    data: PathBuf,
    is_temporary: bool,
    /// The usual metrics port, if somebody else has it.
    metrics_taken: Option<u16>,
}

fn greeting(app: &App, shown: &Shown, demo: &Demo) -> String {
    let endpoint = app.endpoint();
    let data = shown.data.display();
    let fate = if shown.is_temporary {
        "temporary: removed at the end; keep it with --data DIR"
    } else {
        "kept"
    };
    let mut text = String::new();
    // Writing to a text can't fail.
    let _ = write!(
        text,
        "\
Live Drop is running, for development: generous limits, cheap passwords.

  gRPC, gRPC-web   {endpoint}
"
    );
    if let Some(at) = app.metrics_address() {
        let taken = shown.metrics_taken;
        let why = taken.map_or(String::new(), |port| format!("  (port {port} is taken)"));
        let _ = writeln!(text, "  metrics          http://{at}/metrics{why}");
    }
    let _ = write!(text, "  data             {data}  ({fate})\n\nDemo logins\n");
    for login in &demo::LOGINS {
        let _ = writeln!(
            text,
            "  {:<8} {:<22} password {}",
            login.role, login.email, login.password
        );
    }
    let (open, soon) = (demo.open, demo.soon);
    let _ = write!(
        text,
        "
Demo drops
  {open}  open now
  {soon}  opens in {} s

Try, from another terminal in the repository:
 a call by hand (needs Node and the network)
  npx --yes @bufbuild/buf@1.74.0 curl --protocol grpc --http2-prior-knowledge -d '{{\"drop_id\":\"{open}\"}}' {endpoint}/livedrop.v1.DropService/GetDrop
 a purchase with the Rust SDK
  LIVEDROP_ENDPOINT={endpoint} cargo run --release -p livedrop --example buyer -- {open}
 2,000 buyers at once
  cargo run --release -p livedrop-bench -- rush --buyers 2000 --stock 500 --endpoint {endpoint}
 all ledgers recounted, also while the server runs
  cargo run --release -- ledger verify --all --data {data}

Ctrl-C ends it.
",
        demo::SOON.as_secs()
    );
    text
}
