//! The payment providers that the settings name.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use http::HeaderMap;
use secrecy::SecretString;

use super::StartError;
use crate::{
    config::{self, Config, PaymentProvider, Secret},
    env::SharedEnv,
    payments::{
        Providers, SharedProvider,
        stripe::{self, Stripe, StripeConfig},
        test::{self, Deliver, TestProvider},
    },
    service::{Context, webhooks},
    web,
};

/// Providers, and what those that live in this process need.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) providers: Providers,
    test: Option<Arc<TestProvider>>,
}

impl Chosen {
    /// Opens the chosen provider, and those that may have something to finish: Stripe if its key is set, the test provider if it has a
    /// file. The test provider reads its file: blocks for a moment.
    pub(super) fn open(config: &Config, env: &SharedEnv) -> Result<Self, StartError> {
        let (settings, data) = (&config.payments, config.store.data.as_deref());
        let mut all: Vec<SharedProvider> = Vec::new();
        if settings.stripe_secret.is_some() {
            all.push(Arc::new(Stripe::new(
                &stripe_config(settings),
                env.clone(),
            )?));
        }
        let has_file = data.is_some_and(|data| data.join(test::FILE_NAME).exists());
        let test = if settings.provider == Some(PaymentProvider::Test) || has_file {
            let opened = TestProvider::open(env.clone(), data).map_err(StartError::TestProvider)?;
            Some(Arc::new(opened))
        } else {
            None
        };
        all.extend(test.clone().map(|test| test as SharedProvider));
        let chosen = settings.provider.map(|provider| match provider {
            PaymentProvider::Stripe => stripe::NAME,
            PaymentProvider::Test => test::NAME,
        });
        Ok(Self {
            providers: Providers::new(chosen, all),
            test,
        })
    }

    /// Pages that providers in this process show to buyers.
    pub(super) fn web(&self) -> Router {
        match &self.test {
            Some(test) => web::test_provider::router(test.clone()),
            None => Router::new(),
        }
    }

    /// From now on webhooks arrive, and buyers can be sent somewhere.
    pub(super) fn begin(&self, ctx: &Context, endpoint: &str) {
        if let Some(test) = &self.test {
            test.set_public_url(endpoint.to_owned());
            test.set_deliver(Arc::new(Here(ctx.clone())));
        }
    }

    /// Ends what goes on in this process.
    pub(super) async fn stop(&self) {
        if let Some(test) = &self.test {
            test.stop().await;
        }
    }
}

fn stripe_config(settings: &config::Payments) -> StripeConfig {
    let secret = |secret: &Secret| SecretString::from(secret.expose());
    StripeConfig {
        // What is missing was told when the settings were checked.
        secret_key: settings
            .stripe_secret
            .as_ref()
            .map(secret)
            .unwrap_or_default(),
        webhook_secrets: settings.stripe_webhook_secret.iter().map(secret).collect(),
        base_url: settings.stripe_api_url.clone(),
        return_url: settings.stripe_return_url.clone().unwrap_or_default(),
        timeout: StripeConfig::TIMEOUT,
    }
}

/// Hands the test provider's messages to the function that the HTTP route calls.
#[derive(Debug)]
struct Here(Context);

#[async_trait]
impl Deliver for Here {
    async fn deliver(&self, provider: &'static str, headers: HeaderMap, body: Bytes) -> bool {
        let received = webhooks::receive(&self.0, provider, &headers, &body).await;
        if let Err(error) = &received {
            tracing::warn!(provider, %error, "webhook not settled");
        }
        received.is_ok()
    }
}
