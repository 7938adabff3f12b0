//! A buyer's browser on a 3-D Secure page: plain HTTP, and a form's button.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;

/// A page, or the answer to a button, comes within this time.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// No page is larger.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// Opens pages.
#[derive(Debug, Clone)]
pub(crate) struct Browser(Client<HttpConnector, Empty<Bytes>>);

impl Browser {
    /// A browser without any page.
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Opens a 3-D Secure page and presses "Approve" or "Decline", if the page still has them. May be repeated.
    pub(crate) async fn decide(&self, url: &str, approves: bool) -> anyhow::Result<()> {
        let (status, page) = self.send(Method::GET, url.parse()?).await?;
        ensure!(status == StatusCode::OK, "the page answers {status}");
        let button = if approves { "/approve" } else { "/decline" };
        let mut texts = page.split('"');
        let Some(form) = texts.find(|text| text.starts_with('/') && text.ends_with(button)) else {
            return Ok(()); // decided before
        };
        let mut action = url.parse::<Uri>()?.into_parts();
        action.path_and_query = Some(form.parse()?);
        let (status, _) = self.send(Method::POST, Uri::from_parts(action)?).await?;
        ensure!(
            status == StatusCode::SEE_OTHER,
            "the button answers {status}"
        );
        Ok(())
    }

    async fn send(&self, method: Method, uri: Uri) -> anyhow::Result<(StatusCode, String)> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Empty::new())?;
        let exchange = async {
            let response = self.0.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), PAGE_BYTES_MAX);
            let body = body
                .collect()
                .await
                .map_err(|error| anyhow::anyhow!(error))?;
            let page = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            anyhow::Ok((status, page))
        };
        timeout(PAGE_TIMEOUT, exchange)
            .await
            .context("no page in time")?
    }
}
