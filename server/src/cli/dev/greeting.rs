//! The first screen of `livedrop dev`: where everything is, and what to try.

use std::{fmt::Write as _, path::PathBuf};

use super::demo::{self, Drops};
use crate::app::App;

/// What the greeting tells besides the demo world.
pub(super) struct Shown {
    /// Absolute, so that commands with it work everywhere.
    pub(super) data: PathBuf,
    pub(super) is_temporary: bool,
    /// The usual metrics port, if somebody else has it.
    pub(super) metrics_taken: Option<u16>,
    /// Nobody buys by themselves.
    pub(super) is_quiet: bool,
}

/// What a newcomer sees first.
pub(super) fn greeting(app: &App, shown: &Shown, drops: &Drops) -> String {
    let mut text = String::new();
    // Writing to a text can't fail.
    let _ = places(&mut text, app, shown);
    let _ = world(&mut text, app, shown, drops);
    let _ = try_this(&mut text, app, shown, drops);
    text
}

fn places(text: &mut String, app: &App, shown: &Shown) -> std::fmt::Result {
    let (endpoint, data) = (app.endpoint(), shown.data.display());
    let fate = if shown.is_temporary {
        "temporary: removed at the end; keep it with --data DIR"
    } else {
        "kept"
    };
    write!(
        text,
        "\
Live Drop is running, for development: generous limits, cheap passwords.

  gRPC, gRPC-web   {endpoint}
"
    )?;
    if let Some(at) = app.metrics_address() {
        let taken = shown.metrics_taken;
        let why = taken.map_or(String::new(), |port| format!("  (port {port} is taken)"));
        writeln!(text, "  metrics          http://{at}/metrics{why}")?;
    }
    writeln!(text, "  data             {data}  ({fate})")
}

fn world(text: &mut String, app: &App, shown: &Shown, drops: &Drops) -> std::fmt::Result {
    let buyers = if shown.is_quiet {
        "nobody but you buys"
    } else {
        "a few buyers who keep the stock moving (not with --quiet)"
    };
    writeln!(
        text,
        "\nIn it: 5 creators with 40 products, some drops, and {buyers}.\n\nDemo logins"
    )?;
    for login in &demo::LOGINS {
        let (role, email, password) = (login.role, login.email, login.password);
        writeln!(text, "  {role:<8} {email:<22} password {password}")?;
    }
    writeln!(text, "\nLive now")?;
    for sale in &drops.live {
        let drop = &sale.details.drop;
        let left: i64 = match &sale.details.ledger {
            Some(view) => view.items.iter().map(|item| item.available).sum(),
            None => drop.items.iter().map(|item| item.stock).sum(),
        };
        let (drop_id, title, handle) = (drop.drop_id, &drop.title, &sale.handle);
        writeln!(text, "  {drop_id}  {title}, by {handle}: {left} units")?;
    }
    let soon = &drops.soon.details.drop;
    let wait = soon.opens_at.since(app.ctx.env.now()).as_secs_f64().ceil();
    let (drop_id, title, handle) = (soon.drop_id, &soon.title, &drops.soon.handle);
    writeln!(
        text,
        "Opens in {wait} s\n  {drop_id}  {title}, by {handle}\nAnother opens tomorrow, and some are over."
    )
}

fn try_this(text: &mut String, app: &App, shown: &Shown, drops: &Drops) -> std::fmt::Result {
    let (endpoint, data) = (app.endpoint(), shown.data.display());
    let first = drops.live.first().unwrap_or(&drops.soon);
    let drop_id = first.details.drop.drop_id;
    write!(
        text,
        "
Try, from another terminal in the repository:
 what is live (needs Node and the network)
  npx --yes @bufbuild/buf@1.74.0 curl --protocol grpc --http2-prior-knowledge -d '{{\"state\":\"DROP_STATE_LIVE\"}}' {endpoint}/livedrop.v1.DropService/ListDrops
 a purchase with the Rust SDK
  LIVEDROP_ENDPOINT={endpoint} cargo run --release -p livedrop --example buyer -- {drop_id}
 the stock as it falls, for half a minute
  LIVEDROP_ENDPOINT={endpoint} cargo run --release -p livedrop --example watcher -- {drop_id}
 2,000 buyers at once
  cargo run --release -p livedrop-bench -- rush --buyers 2000 --stock 500 --endpoint {endpoint} --provider-file {data}/test-provider.jsonl
 all ledgers recounted, also while the server runs
  cargo run --release -- ledger verify --all --data {data}

Ctrl-C ends it.
"
    )
}
