//! Stripe, through its HTTP API: one PaymentIntent per attempt, confirmed by this server alone. Card data never comes here: apps turn
//! it into a payment method at Stripe and send its token.
//!
//! Whatever gets lost on the way, an attempt charges once: its idempotency key holds for a day, and after that it is not sent any more.
//! `look_up` without a reference goes by Stripe's search, which lags behind: `None` from it is no proof. `start` and `cancel` are exact.

mod amount;
mod api;
mod charges;
mod client;
mod fault;
mod intent;
mod refunds;
#[cfg(test)]
mod tests;
mod webhook;

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use http::HeaderMap;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::{
    domain::Timestamp,
    env::SharedEnv,
    payments::{
        AttemptKey, Charge, Payment, Provider, ProviderError, Refund, RefundStatus, WebhookError,
        WebhookEvent,
    },
};
use client::Client;
use webhook::Verifier;

/// Calls at a time: at half a second each more than the 100 requests a second that Stripe takes.
const CALLS_MAX: usize = 64;

/// Longest wait for a turn. With [`CALL_TIME_MAX`] it stays within the trait's 30 s.
const QUEUE_TIME_MAX: Duration = Duration::from_secs(5);

/// Longest call, of up to four requests.
const CALL_TIME_MAX: Duration = Duration::from_secs(24);

/// The provider's name.
pub const NAME: &str = "stripe";

/// Where Stripe is, and who we are there.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// A secret or restricted API key: `sk_...`, `rk_...`.
    pub secret_key: SecretString,
    /// The webhook endpoint's signing secrets, `whsec_...`: two while one replaces the other. Without any, no message is believed.
    pub webhook_secrets: Vec<SecretString>,
    /// [`Self::BASE_URL`] but for tests. Plain HTTP is for loopback addresses only.
    pub base_url: String,
    /// Where buyers come back to after 3-D Secure; an absolute `https` URL.
    pub return_url: String,
    /// Longest wait for an answer, above zero; [`Self::TIMEOUT`] if nothing speaks against it.
    pub timeout: Duration,
}

impl StripeConfig {
    /// Stripe itself.
    pub const BASE_URL: &str = "https://api.stripe.com";
    /// Cards are charged within a few seconds; what takes longer is better looked up.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
}

/// The settings make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StripeConfigError {
    /// No key of the API.
    #[error("the secret key must begin with `sk_` or `rk_`")]
    SecretKey,
    /// Empty: anybody could sign.
    #[error("a webhook secret must not be empty")]
    WebhookSecret,
    /// No URL, or without TLS to another machine.
    #[error("the base URL must be https://, or http:// on a loopback address")]
    BaseUrl,
    /// No URL.
    #[error("the return URL must be an absolute http or https URL")]
    ReturnUrl,
    /// Nothing could be asked.
    #[error("the timeout must be above zero")]
    Timeout,
    /// No root certificates, most likely.
    #[error("HTTPS can't be set up: are the system's root certificates installed?")]
    Https,
}

/// The adapter. Cheap to share, holds no state about payments.
#[derive(Debug)]
pub struct Stripe {
    client: Client,
    verifier: Verifier,
    return_url: String,
    calls: Semaphore,
    env: SharedEnv,
}

impl Stripe {
    /// Sets it up; nothing is sent yet.
    ///
    /// # Errors
    /// If a setting can't be right.
    pub fn new(config: &StripeConfig, env: SharedEnv) -> Result<Self, StripeConfigError> {
        let key = config.secret_key.expose_secret();
        let is_key = key.starts_with("sk_") || key.starts_with("rk_");
        if !is_key || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(StripeConfigError::SecretKey);
        }
        if config.timeout.is_zero() {
            return Err(StripeConfigError::Timeout);
        }
        let return_url = Url::parse(&config.return_url).ok();
        let return_url = return_url.filter(|url| ["http", "https"].contains(&url.scheme()));
        let base = base(&config.base_url).ok_or(StripeConfigError::BaseUrl)?;
        let client = Client::new(base, &config.secret_key, config.timeout);
        let verifier = Verifier::new(&config.webhook_secrets);
        Ok(Self {
            client: client.ok_or(StripeConfigError::Https)?,
            verifier: verifier.ok_or(StripeConfigError::WebhookSecret)?,
            return_url: return_url.ok_or(StripeConfigError::ReturnUrl)?.into(),
            calls: Semaphore::new(CALLS_MAX),
            env,
        })
    }

    /// Waits for a turn, then for the call.
    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<T, ProviderError> {
        let _turn = tokio::select! {
            turn = self.calls.acquire() => turn,
            () = self.env.sleep(QUEUE_TIME_MAX) => {
                return Err(ProviderError::Unavailable("too many calls at a time".to_owned()));
            }
        };
        tokio::select! {
            answer = Box::pin(call) => answer,
            () = self.env.sleep(CALL_TIME_MAX) => {
                Err(ProviderError::Unknown("call took too long".to_owned()))
            }
        }
    }
}

/// The secret key is not sent in the open.
fn base(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let is_loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
    let fits = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    (fits && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

#[async_trait]
impl Provider for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn start(&self, charge: &Charge) -> Result<Payment, ProviderError> {
        let now = self.env.now();
        self.bounded(charges::start(&self.client, charge, &self.return_url, now))
            .await
    }

    async fn confirm(&self, key: AttemptKey, reference: &str) -> Result<Payment, ProviderError> {
        self.bounded(charges::confirm(
            &self.client,
            key,
            reference,
            &self.return_url,
        ))
        .await
    }

    async fn cancel(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        self.bounded(charges::cancel(&self.client, key, reference))
            .await
            .map(Some)
    }

    async fn look_up(
        &self,
        key: AttemptKey,
        reference: Option<&str>,
    ) -> Result<Option<Payment>, ProviderError> {
        self.bounded(charges::look_up(&self.client, key, reference))
            .await
    }

    async fn refund(&self, refund: &Refund) -> Result<RefundStatus, ProviderError> {
        self.bounded(refunds::refund(&self.client, refund)).await
    }

    fn verify_webhook(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookEvent, WebhookError> {
        self.verifier.verify(headers, body, now)
    }
}
