//! The one place that chooses backends and wires the parts together: starts everything in order, and stops it in the opposite one.

pub mod admin;
pub mod backup;
#[cfg(debug_assertions)]
mod crash_point;
pub mod drop_list;
mod pictures;
mod providers;
mod start_error;
pub mod stores;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::start_error::StartError;
use self::{
    admin::AdminSocket, backup::Backup, pictures::Pictures, providers::Chosen, stores::Opened,
};
use crate::{
    auth::{AccessTokens, Keys, Passwords},
    config::Config,
    domain::ProcessId,
    env::{SharedEnv, SystemEnv},
    events::{EventSink, Sinks},
    jobs::{Membership, Outbox, PaymentRunner, Sweeper, Timer, indexer, relay},
    ledger::Registry,
    media::Media,
    payments::Providers,
    projectors,
    rpc::{self, Origins, Readiness, serve},
    search::{SearchHandle, TantivyIndex},
    service::{
        BucketRule, Context, DropEmbeds, DropWatches, FollowerCounts, Operator, ended_accounts,
    },
    store::SharedStore,
    telemetry,
    web::{self, metrics::MetricsServer, webhooks},
};

/// The key file's name in the data directory.
const KEY_FILE_NAME: &str = "keys.toml";

/// The search index' name in the data directory.
const SEARCH_FOLDER: &str = "search";

/// How often a stopping process looks whether its store is let go.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Parts that a caller may bring along.
#[derive(Debug, Default)]
pub struct Parts {
    /// Instead of the store that the settings name, as one that fails on purpose.
    pub store: Option<SharedStore>,
    /// Where events go; each gets all of them.
    pub sinks: Vec<Arc<dyn EventSink>>,
    /// How lists of follows are divided.
    pub follow_buckets: BucketRule,
    /// The process' metrics; none are served without.
    pub metrics: Option<PrometheusHandle>,
}

/// A running server.
#[derive(Debug)]
pub struct App {
    /// What the use cases work with.
    pub ctx: Context,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    has_tls: bool,
    readiness: Readiness,
    /// Stops the public port.
    stop: CancellationToken,
    /// Stops everything else that runs.
    stop_rest: CancellationToken,
    serving: JoinHandle<()>,
    rest: Vec<JoinHandle<()>>,
    members: Membership,
    admin: Option<AdminSocket>,
    payments: Chosen,
    pictures: Pictures,
}

/// Not everything had ended when the time was up.
#[derive(Debug, thiserror::Error)]
#[error("stopped after {}s with work unfinished: {what}", .after.as_secs())]
pub struct Unfinished {
    /// The time there was.
    pub after: Duration,
    /// What was waited for.
    pub what: &'static str,
}

impl App {
    /// Starts a server; it is ready when this returns. Needs a tokio runtime with all drivers.
    ///
    /// # Errors
    /// See [`StartError`]. Nothing is left running then.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_with(config, Parts::default()).await
    }

    /// Starts a server with some parts of the caller's.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_with(config: &Config, parts: Parts) -> Result<Self, StartError> {
        let tls = tls(config)?;
        let Opened {
            store,
            keys,
            backup,
        } = match parts.store {
            Some(store) => Opened {
                store,
                keys: stores::own_keys(config)?,
                backup: None,
            },
            None => stores::open(config).await?,
        };
        stores::check_whole(&*store).await?;
        let env: SharedEnv = Arc::new(SystemEnv);
        #[cfg(debug_assertions)]
        let store = crash_point::store(store, &env);
        let payments = Chosen::open(config, &env)?;
        let providers = payments.providers.clone();
        #[cfg(debug_assertions)]
        let providers = crash_point::providers(providers);
        let pictures = Pictures::open(config, &keys, &env)?;
        let media = pictures.media.clone();
        let sinks = Sinks::new(parts.sinks);
        let mut ctx = context(config, env, store, keys, providers, media, sinks)?;
        ctx.follow_buckets = parts.follow_buckets;
        let readiness = Readiness::default();
        let setup = rpc::Setup {
            limits: config.limits.clone(),
            verify: verify(&ctx),
            readiness: readiness.clone(),
            jwks: ctx.keys.jwks(),
            web: webhooks::router(ctx.clone())
                .merge(payments.web())
                .merge(web::media::router(ctx.media.clone())),
            allowed_origins: Origins::parse(&config.server.cors_origins)?,
        };
        let public = rpc::App::new(rpc::services(&ctx, &config.limits), setup).await?;

        let listen = config.server.listen;
        let busy = |flag, address| {
            move |source| StartError::Listen {
                flag,
                address,
                source,
            }
        };
        let has_tls = tls.is_some();
        let server = rpc::Server::bind(listen, public, tls).map_err(busy("--listen", listen))?;
        let address = server.local_addr().map_err(busy("--listen", listen))?;
        let metrics = match (config.server.metrics_listen, parts.metrics) {
            (Some(at), Some(handle)) => {
                let busy = busy("--metrics-listen", at);
                let server = MetricsServer::bind(at).await.map_err(&busy)?;
                let address = server.local_addr().map_err(&busy)?;
                Some((server, handle, address))
            }
            (Some(_), None) | (None, _) => None,
        };
        let metrics_address = metrics.as_ref().map(|(_, _, address)| *address);
        let admin = open_admin(config, &ctx, backup);

        let members = Membership::new(
            ctx.env.clone(),
            ctx.store.clone(),
            ctx.ledgers.clone(),
            address.to_string(),
        );
        // First: a process that nobody has heard of would be taken for gone.
        members.join().await?;
        let sweeper = Sweeper::new(ctx.store.clone(), ctx.ledgers.clone(), members.clone());

        let (stop, stop_rest) = (CancellationToken::new(), CancellationToken::new());
        let timer =
            ctx.timer
                .clone()
                .run(ctx.store.clone(), ctx.ledgers.clone(), stop_rest.clone());
        let mut rest = vec![
            tokio::spawn(timer),
            tokio::spawn(ctx.payments.clone().run(stop_rest.clone())),
            tokio::spawn(sweeper.run(ctx.env.clone(), stop_rest.clone())),
            tokio::spawn(members.clone().run(stop_rest.clone())),
            tokio::spawn(relay::run(ctx.outbox.clone(), stop_rest.clone())),
            tokio::spawn(indexer::run(
                ctx.env.clone(),
                ctx.store.clone(),
                ctx.search.clone(),
                stop_rest.clone(),
            )),
            tokio::spawn(ctx.media.clone().run(stop_rest.clone())),
            tokio::spawn(ended_accounts::run(
                ctx.env.clone(),
                ctx.store.clone(),
                ctx.tokens.clone(),
                stop_rest.clone(),
            )),
        ];
        if let Some((server, handle, _)) = metrics {
            let (upkeep, until) = (telemetry::upkeep(handle.clone()), stop_rest.clone());
            rest.push(tokio::spawn(async move {
                until.run_until_cancelled(upkeep).await;
            }));
            let serving = server.serve(handle, stop_rest.clone());
            rest.push(tokio::spawn(async move { drop(serving.await) }));
        }
        let serving = tokio::spawn(server.serve(stop.clone()));
        readiness.set_ready();
        let app = Self {
            ctx,
            address,
            metrics_address,
            has_tls,
            readiness,
            stop,
            stop_rest,
            serving,
            rest,
            members,
            admin,
            payments,
            pictures,
        };
        app.pictures.begin(config, &app.endpoint());
        let public_url = config.payments.public_url.clone();
        let public_url = public_url.unwrap_or_else(|| app.endpoint());
        app.payments.begin(&app.ctx, &public_url);
        Ok(app)
    }

    /// Runs work of the caller's beside the server, until it is done or the server stops.
    pub fn run_beside<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        work: impl FnOnce(Context) -> F,
    ) {
        let (work, until) = (work(self.ctx.clone()), self.stop_rest.clone());
        self.rest.push(tokio::spawn(async move {
            until.run_until_cancelled_owned(work).await;
        }));
    }

    /// Where the public port listens: the port is known even if 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is served, if it is.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The public port as a URL for clients on this machine.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        let port = self.address.port();
        let ip = self.address.ip();
        let host = match ip {
            IpAddr::V4(_) if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V6(_) if ip.is_unspecified() => "[::1]".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        format!("{scheme}://{host}:{port}")
    }

    /// Stops within `grace`: not ready, no new connections, calls in flight finished, writers settled, store closed.
    ///
    /// # Errors
    /// If the time was up first. What was answered is on disk all the same.
    pub async fn shutdown(self, grace: Duration) -> Result<(), Unfinished> {
        let until = Instant::now() + grace;
        let mut what = "calls in flight";
        let stopped = tokio::time::timeout_at(until, self.stop_in_order(&mut what)).await;
        stopped.map_err(|_elapsed| Unfinished { after: grace, what })
    }

    async fn stop_in_order(self, what: &mut &'static str) {
        let Self {
            ctx,
            readiness,
            stop,
            stop_rest,
            serving,
            rest,
            members,
            admin,
            payments,
            ..
        } = self;
        readiness.set_not_ready("stopping");
        stop.cancel();
        // Tasks of ours don't panic; if one did, the others are stopped all the same.
        let _ = serving.await;
        *what = "writers";
        stop_rest.cancel();
        payments.stop().await;
        ctx.ledgers.shutdown().await;
        *what = "background work";
        for task in rest {
            let _ = task.await;
        }
        if let Some(admin) = admin {
            admin.close().await;
        }
        *what = "the store";
        members.leave().await;
        drop(members);
        let store = ctx.store.clone();
        drop(ctx);
        while Arc::strong_count(&store) > 1 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // Closing waits for the disk.
        let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    }
}

fn context(
    config: &Config,
    env: SharedEnv,
    store: SharedStore,
    keys: Arc<Keys>,
    providers: Providers,
    media: Media,
    sinks: Sinks,
) -> Result<Context, StartError> {
    let ledgers = Registry::new(
        env.clone(),
        store.clone(),
        ProcessId::new(env.uuid()),
        projectors::consumers(&env, &store, &sinks),
    );
    let (payer_env, payer_store) = (env.clone(), store.clone());
    let payments = PaymentRunner::new(payer_env, payer_store, ledgers.clone(), providers);
    Ok(Context {
        ledgers,
        drop_watches: DropWatches::default(),
        follower_counts: FollowerCounts::default(),
        search: search_index(config)?,
        timer: Timer::new(env.clone()),
        follow_buckets: BucketRule::default(),
        drop_embeds: DropEmbeds::default(),
        outbox: Outbox::new(env.clone(), store.clone(), sinks),
        env,
        store,
        payments,
        media,
        passwords: Arc::new(Passwords::start(config.auth.password_cost())?),
        tokens: Arc::new(AccessTokens::new(keys.clone())?),
        keys,
    })
}

/// The process' own index, beside its data.
fn search_index(config: &Config) -> Result<SearchHandle, StartError> {
    let folder = config
        .store
        .data
        .as_ref()
        .map(|data| data.join(SEARCH_FOLDER));
    let index = TantivyIndex::open(folder.as_deref());
    let index = index.map_err(|source| StartError::Search {
        folder: folder.unwrap_or_default(),
        source,
    })?;
    Ok(SearchHandle::new(Arc::new(index)))
}

/// Knows the clock and the keys only: the public port must not keep the store open.
fn verify(ctx: &Context) -> Arc<rpc::VerifyFn> {
    let (tokens, env) = (ctx.tokens.clone(), ctx.env.clone());
    Arc::new(move |token| tokens.verify(token, env.now()))
}

/// Tools do without if it can't be opened; selling does not depend on them.
fn open_admin(config: &Config, ctx: &Context, backup: Option<Backup>) -> Option<AdminSocket> {
    let data: &Path = config.store.data.as_deref()?;
    let operator = Operator {
        env: ctx.env.clone(),
        store: ctx.store.clone(),
        ledgers: ctx.ledgers.clone(),
    };
    let opened = AdminSocket::open(data, operator, backup);
    opened
        .inspect_err(|error| tracing::warn!(%error, "no admin socket: tools can't ask this server"))
        .ok()
}

fn tls(config: &Config) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let (Some(cert), Some(key)) = (&config.server.tls_cert, &config.server.tls_key) else {
        return Ok(None);
    };
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| StartError::TlsFile {
            path: path.to_owned(),
            source,
        })
    };
    Ok(Some(serve::tls_config(&read(cert)?, &read(key)?)?))
}
