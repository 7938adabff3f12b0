//! Rates per network and per caller, kept by this process alone: guards against floods, not quotas.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::governor::middleware::NoOpMiddleware;
use futures::future::Either;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer as _, Service};
use tower_governor::{
    GovernorError, GovernorLayer,
    governor::{Governor, GovernorConfig, GovernorConfigBuilder},
    key_extractor::{KeyExtractor, PeerIpKeyExtractor},
};

use crate::{
    domain::AccountId,
    rpc::{
        call::Call,
        limits::{Limits, Rate},
        policy::Kind,
        status,
    },
};

/// Counts by network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByNetwork;

impl KeyExtractor for ByNetwork {
    type Key = IpAddr;

    fn extract<T>(&self, request: &Request<T>) -> Result<IpAddr, GovernorError> {
        let call = request.extensions().get::<Call>();
        call.map(|call| call.link.peer.network())
            .ok_or(GovernorError::UnableToExtractKey)
    }
}

/// Counts by account, and by network where nobody is signed in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByCaller;

/// Whom [`ByCaller`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CallerKey {
    Account(AccountId),
    Network(IpAddr),
}

impl KeyExtractor for ByCaller {
    type Key = CallerKey;

    fn extract<T>(&self, request: &Request<T>) -> Result<CallerKey, GovernorError> {
        let call = request
            .extensions()
            .get::<Call>()
            .ok_or(GovernorError::UnableToExtractKey)?;
        let account = call
            .caller()
            .map(|caller| CallerKey::Account(caller.account_id));
        Ok(account.unwrap_or_else(|| CallerKey::Network(call.link.peer.network())))
    }
}

pub(crate) type NetworkGuard<S> = Governor<ByNetwork, NoOpMiddleware, S, Body>;
pub(crate) type CallerGuard<S> = Governor<ByCaller, NoOpMiddleware, S, Body>;
pub(crate) type CredentialsGuard<S> = Governor<ByNetwork, NoOpMiddleware, S, Body>;

/// The counters of one server.
#[derive(Debug, Clone)]
pub(crate) struct Flood {
    networks: Arc<GovernorConfig<ByNetwork, NoOpMiddleware>>,
    callers: Arc<GovernorConfig<ByCaller, NoOpMiddleware>>,
    credentials: Arc<GovernorConfig<ByNetwork, NoOpMiddleware>>,
    limits: Limits,
}

impl Flood {
    /// `None` if a burst or period is zero.
    pub(crate) fn new(limits: &Limits) -> Option<Self> {
        Some(Self {
            networks: config(ByNetwork, limits.per_network)?,
            callers: config(ByCaller, limits.per_caller)?,
            credentials: config(ByNetwork, limits.credentials)?,
            limits: limits.clone(),
        })
    }

    pub(super) fn networks<S>(&self, inner: S) -> NetworkGuard<S> {
        layer(&self.networks, "network", self.limits.per_network).layer(inner)
    }

    pub(super) fn callers<S>(&self, inner: S) -> CallerGuard<S> {
        layer(&self.callers, "caller", self.limits.per_caller).layer(inner)
    }

    pub(super) fn credentials<S>(&self, inner: S) -> CredentialsGuard<S> {
        layer(
            &self.credentials,
            "network and kind",
            self.limits.credentials,
        )
        .layer(inner)
    }

    /// Forgets who has not called for long; without it the counters grow with each new address.
    pub(crate) fn forget_idle(&self) {
        self.networks.limiter().retain_recent();
        self.callers.limiter().retain_recent();
        self.credentials.limiter().retain_recent();
    }
}

fn config<K: KeyExtractor>(key: K, rate: Rate) -> Option<Arc<GovernorConfig<K, NoOpMiddleware>>> {
    let mut builder =
        GovernorConfigBuilder::<PeerIpKeyExtractor, NoOpMiddleware>::default().key_extractor(key);
    builder
        .period(rate.period)
        .burst_size(rate.burst)
        .finish()
        .map(Arc::new)
}

fn layer<K: KeyExtractor>(
    config: &Arc<GovernorConfig<K, NoOpMiddleware>>,
    subject: &'static str,
    rate: Rate,
) -> GovernorLayer<K, NoOpMiddleware, Body> {
    GovernorLayer::new(config.clone())
        .error_handler(move |error| refusal(&error, subject, rate).into_http())
}

fn refusal(error: &GovernorError, subject: &str, rate: Rate) -> tonic::Status {
    match error {
        // The wait comes in whole seconds, rounded down.
        GovernorError::TooManyRequests { wait_time, .. } => status::rate_limited(
            rate.period.max(Duration::from_secs(*wait_time)),
            subject,
            &rate.rule(),
        ),
        GovernorError::UnableToExtractKey | GovernorError::Other { .. } => {
            status::internal("call without its extension")
        }
    }
}

/// Sends calls that take or give credentials through a stricter limit.
#[derive(Debug, Clone)]
pub(crate) struct Credentials<L, S> {
    pub(super) limited: L,
    pub(super) open: S,
}

impl<L, S> Service<Request<Body>> for Credentials<L, S>
where
    L: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<L::Future, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Both end in the same service, which is always ready.
        self.open.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request
            .extensions()
            .get::<Call>()
            .and_then(|call| call.method);
        if method.is_some_and(|method| method.kind == Kind::Credentials) {
            Either::Left(self.limited.call(request))
        } else {
            Either::Right(self.open.call(request))
        }
    }
}
