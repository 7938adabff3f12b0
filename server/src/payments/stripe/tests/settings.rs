//! Settings that can't be right, and what shows of those that are.

use std::{sync::Arc, time::Duration};

use super::stage::config;
use crate::{
    env::SystemEnv,
    payments::stripe::{Stripe, StripeConfig, StripeConfigError},
};

fn built(change: impl FnOnce(&mut StripeConfig)) -> Result<Stripe, StripeConfigError> {
    let mut config = config(StripeConfig::BASE_URL);
    change(&mut config);
    Stripe::new(&config, Arc::new(SystemEnv))
}

fn refused(change: impl FnOnce(&mut StripeConfig)) -> Option<StripeConfigError> {
    built(change).err()
}

#[test]
fn what_cannot_work_is_refused() {
    for key in ["", "pk_live_1", "sk_live\r\nX: 1", "sk_live_é"] {
        let error = refused(|config| config.secret_key = key.into());
        assert_eq!(error, Some(StripeConfigError::SecretKey), "{key}");
    }
    for url in [
        "",
        "api.stripe.com",
        "http://api.stripe.com",
        "http://127.0.0.1.example",
        "ftp://x",
    ] {
        let error = refused(|config| config.base_url = url.to_owned());
        assert_eq!(error, Some(StripeConfigError::BaseUrl), "{url}");
    }
    for url in ["", "/paid", "javascript:alert(1)"] {
        let error = refused(|config| config.return_url = url.to_owned());
        assert_eq!(error, Some(StripeConfigError::ReturnUrl), "{url}");
    }
    let error = refused(|config| config.webhook_secrets.push("".into()));
    assert_eq!(error, Some(StripeConfigError::WebhookSecret));
    let error = refused(|config| config.timeout = Duration::ZERO);
    assert_eq!(error, Some(StripeConfigError::Timeout));
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!(
        "{:?} {:?}",
        config(StripeConfig::BASE_URL),
        built(|_| {}).unwrap()
    );
    assert!(shown.contains("api.stripe.com"));
    for secret in ["sk_test", "whsec"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
