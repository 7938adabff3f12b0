//! How a client is set up.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;
use tonic::{
    Code,
    transport::{ClientTlsConfig, Endpoint},
};

use super::Client;
use crate::{
    connection::Connection,
    error::Error,
    retry::{Budget, RetryPolicy},
    session::Session,
};

/// Silent connections are found within half a minute, while calls are open; the server punishes pings on idle ones.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    endpoint: String,
    connect_timeout: Duration,
    attempt_timeout: Duration,
    operation_timeout: Duration,
    retry: RetryPolicy,
    tls: Option<ClientTlsConfig>,
    user_agent: Option<String>,
}

impl Builder {
    pub(super) fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            tls: None,
            user_agent: None,
        }
    }

    /// Time to connect, TLS included. Default 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Time for each attempt of a call, also told to the server. Default 10 s; the server takes at most 30 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Time for a call with all its attempts and the waits between them. Default 30 s.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// How calls are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// TLS with an authority, a name or an identity of one's own. Default for `https`: the web's authorities.
    pub fn tls(mut self, config: ClientTlsConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Name and version of the app, such as `shop/1.2`, put before the SDK's in the user agent.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = Some(name.into());
        self
    }

    /// Makes the client. It connects with its first call, and again whenever the connection is gone.
    ///
    /// # Errors
    /// `InvalidArgument` if endpoint, user agent or certificates are malformed, or TLS is set for an endpoint that is not `https`;
    /// `FailedPrecondition` outside a Tokio runtime, which the connection lives in.
    pub fn build(self) -> Result<Client, Error> {
        let endpoint = self.endpoint()?;
        Handle::try_current()
            .map_err(|error| Error::local(Code::FailedPrecondition, error.to_string()))?;
        let connection = Connection {
            channel: endpoint.connect_lazy(),
            endpoint: self.endpoint,
            attempt_timeout: self.attempt_timeout,
            operation_timeout: self.operation_timeout,
            budget: Budget::new(&self.retry),
            policy: self.retry,
        };
        Ok(Client {
            connection: Arc::new(connection),
            session: Session::new(None),
        })
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let invalid = |what: &str| Error::local(Code::InvalidArgument, what);
        let endpoint = Endpoint::from_shared(self.endpoint.clone())
            .map_err(|_| invalid("endpoint is not a URI such as https://api.example.com"))?;
        let https = match endpoint.uri().scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(invalid("endpoint has to start with https:// or http://")),
        };
        let sdk = concat!("livedrop-rust/", env!("CARGO_PKG_VERSION"));
        let user_agent = match &self.user_agent {
            Some(app) => format!("{app} {sdk}"),
            None => sdk.to_owned(),
        };
        let endpoint = endpoint
            .user_agent(user_agent)
            .map_err(|_| invalid("user agent has characters that a header can't have"))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(false);
        if !https {
            return match &self.tls {
                Some(_) => Err(invalid("TLS is set, but the endpoint is not https")),
                None => Ok(endpoint),
            };
        }
        let web = || ClientTlsConfig::new().with_webpki_roots();
        endpoint
            .tls_config(self.tls.clone().unwrap_or_else(web))
            .map_err(|error| invalid(&format!("TLS settings are malformed: {error}")))
    }
}
