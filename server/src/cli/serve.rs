//! `livedrop serve`, and what `dev` has in common with it: run until a signal, then stop in time.

use std::time::Duration;

use super::{Error, args::ServeArgs, load, print, signal::EndSignals};
use crate::{
    app::{App, Parts},
    auth::PasswordCost,
    config::{Backend, Config, PaymentProvider, Profile},
    telemetry,
};

/// A server is ready, and has this to say before it waits for its end.
pub(super) type Greeting = String;

pub(super) async fn run(args: ServeArgs) -> Result<(), Error> {
    let config = load(Profile::Serve, &args.settings)?.config;
    if config.store.backend == Backend::Embedded && config.store.data.is_none() {
        return Err(Error::Usage(
            "say where data is kept: --data DIR, or `data` in [store] of the file".to_owned(),
        ));
    }
    run_until_signal(&config, async |app| {
        warn_of_weakness(&config);
        let metrics = app
            .metrics_address()
            .map(|at| format!(", metrics on http://{at}/metrics"))
            .unwrap_or_default();
        Ok(format!("ready: listening on {}{metrics}\n", app.endpoint()))
    })
    .await
}

/// What may be meant, but hurts if it is not.
fn warn_of_weakness(config: &Config) {
    if config.server.tls_cert.is_none() && !config.server.listen.ip().is_loopback() {
        tracing::warn!(
            "no TLS: passwords and tokens can be read on the way, unless a proxy ends TLS (server.tls_cert)"
        );
    }
    match config.payments.provider {
        Some(PaymentProvider::Stripe) => {}
        Some(PaymentProvider::Test) => {
            tracing::warn!("payments go to the test provider: no money moves (payments.provider)");
        }
        None => tracing::warn!(
            "no payments: what costs something can be held, not bought (payments.provider)"
        ),
    }
    let (cost, least) = (config.auth.password_cost(), PasswordCost::STRONG);
    if cost.memory_kib < least.memory_kib || cost.iterations < least.iterations {
        tracing::warn!(
            ?cost,
            ?least,
            "passwords are cheap to guess if the store is stolen"
        );
    }
}

/// Starts a server, prints what `greet` says, and stops the server at the first signal. A second signal ends the waiting.
pub(super) async fn run_until_signal(
    config: &Config,
    greet: impl AsyncFnOnce(&mut App) -> Result<Greeting, Error>,
) -> Result<(), Error> {
    telemetry::install_logs(&config.log.filter, config.log.format)?;
    let parts = Parts {
        metrics: Some(telemetry::install_metrics()?),
        ..Parts::default()
    };
    let mut signals = EndSignals::listen().map_err(Error::io("can't listen for signals"))?;
    let mut app = tokio::select! {
        started = App::start_with(config, parts) => started?,
        // Nothing was answered yet: the store is as it was.
        () = signals.next() => return Ok(()),
    };
    let greeted = tokio::select! {
        greeting = greet(&mut app) => greeting.and_then(|greeting| print(&greeting)),
        () = signals.next() => return stop(app, config.server.shutdown, signals).await,
    };
    if greeted.is_ok() {
        signals.next().await;
    }
    let stopped = stop(app, config.server.shutdown, signals).await;
    greeted.and(stopped)
}

async fn stop(app: App, grace: Duration, mut signals: EndSignals) -> Result<(), Error> {
    tracing::info!("stopping");
    tokio::select! {
        stopped = app.shutdown(grace) => Ok(stopped?),
        () = signals.next() => Err(Error::Forced),
    }
}
