//! HTTP to Stripe: authenticated, bounded in time and size, answers sorted into results and [`Fault`]s. Nothing is retried here.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use reqwest::{RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use super::fault::{ApiError, Fault, Refused};

/// The version of Stripe's API that this adapter was written against; the account's own default is of no importance.
const STRIPE_VERSION: &str = "2026-08-26.dahlia";

/// Longest answer that is read: a page of 100 refunds has about 100 KiB.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Talks to one account at one base URL.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    authorization: HeaderValue,
}

/// A result, and whether it is the answer that was given the first time.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) replayed: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.base.as_str();
        f.debug_struct("Client").field("base", &base).finish()
    }
}

impl Client {
    /// `None` if the key can't be in a header, or the operating system has no root certificates.
    pub(super) fn new(base: Url, key: &SecretString, timeout: Duration) -> Option<Self> {
        let bearer = format!("Bearer {}", key.expose_secret());
        let mut authorization = HeaderValue::try_from(bearer).ok()?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            .user_agent(concat!("livedrop/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .ok()?;
        Some(Self {
            http,
            base,
            authorization,
        })
    }

    /// Reads `/v1/path`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Fault> {
        let request = self.http.get(self.url(path)?).query(query);
        Ok(self.send(request).await?.value)
    }

    /// Changes something at `/v1/path`; the same `key` never does it twice.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        form: &[(&str, String)],
        key: Option<String>,
    ) -> Result<Answer<T>, Fault> {
        let mut request = self.http.post(self.url(path)?).form(form);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request).await
    }

    fn url(&self, path: &[&str]) -> Result<Url, Fault> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Fault::NotSent("base URL can't have a path"))?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        Ok(url)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Answer<T>, Fault> {
        let request = request
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header("Stripe-Version", STRIPE_VERSION);
        let mut response = request.send().await.map_err(|error| fault(&error))?;
        let status = response.status();
        let replayed = text(response.headers(), "idempotent-replayed").as_deref() == Some("true");
        let request_id = text(response.headers(), "request-id");
        let body = read(&mut response).await;
        if status.is_success() {
            let value = serde_json::from_slice(&body?)
                .map_err(|_| Fault::NoAnswer("answer is not what Stripe's documentation says"))?;
            return Ok(Answer { value, replayed });
        }
        let error = body.ok().and_then(|body| error(&body)).unwrap_or_default();
        Err(Fault::Refused(Box::new(Refused {
            status: status.as_u16(),
            replayed,
            request_id,
            error,
        })))
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn error(body: &[u8]) -> Option<ApiError> {
    #[derive(Deserialize)]
    struct Envelope {
        error: ApiError,
    }
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    Some(envelope.error)
}

async fn read(response: &mut Response) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Fault::NoAnswer("answer is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error's own text may hold the URL, and says no more than this.
fn fault(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        Fault::NotSent("request can't be built")
    } else if error.is_connect() {
        Fault::NotSent("no connection")
    } else if error.is_timeout() {
        Fault::NoAnswer("no answer in time")
    } else {
        Fault::NoAnswer("connection was lost")
    }
}
