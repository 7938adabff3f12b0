//! Plain HTTP, as pages, webhooks and metrics need it: bounded in time and size.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, request::Builder};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

/// An answer comes within this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// No answer is larger; metrics have some 100 KiB.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Sends requests.
#[derive(Debug, Clone)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

impl Http {
    /// A client without any connection.
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Reads a page.
    pub(crate) async fn get(&self, uri: Uri) -> anyhow::Result<(StatusCode, String)> {
        let request = Request::builder().method(Method::GET).uri(uri);
        self.send(request, Bytes::new()).await
    }

    /// Posts something; `request` has the address and the headers.
    pub(crate) async fn post(
        &self,
        request: Builder,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<(StatusCode, String)> {
        self.send(request.method(Method::POST), body.into()).await
    }

    async fn send(&self, request: Builder, body: Bytes) -> anyhow::Result<(StatusCode, String)> {
        let request = request.body(Full::new(body))?;
        let exchange = async {
            let response = self.0.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
            let body = body
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!(error))?;
            let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            anyhow::Ok((status, text))
        };
        timeout(ANSWER_TIMEOUT, exchange)
            .await
            .context("no answer in time")?
    }
}
