//! A buyer's browser on a 3-D Secure page: plain HTTP, and a form's button.

use std::sync::Arc;

use anyhow::ensure;
use http::{Request, StatusCode, Uri};

use super::{http::Http, stripe::Stripe};

/// Opens pages.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    http: Http,
    /// Its pages are not served: the fake is told.
    stripe: Option<Arc<Stripe>>,
}

impl Browser {
    /// A browser without any page.
    pub(crate) fn new(stripe: Option<Arc<Stripe>>) -> Self {
        let http = Http::new();
        Self { http, stripe }
    }

    /// Opens a 3-D Secure page and presses "Approve" or "Decline", if the page still has them. May be repeated.
    pub(crate) async fn decide(&self, url: &str, approves: bool) -> anyhow::Result<()> {
        if let Some(stripe) = &self.stripe {
            stripe.decide(url, approves);
            return Ok(());
        }
        let (status, page) = self.http.get(url.parse()?).await?;
        ensure!(status == StatusCode::OK, "the page answers {status}");
        let button = if approves { "/approve" } else { "/decline" };
        let mut texts = page.split('"');
        let Some(form) = texts.find(|text| text.starts_with('/') && text.ends_with(button)) else {
            return Ok(()); // decided before
        };
        let mut action = url.parse::<Uri>()?.into_parts();
        action.path_and_query = Some(form.parse()?);
        let button = Request::builder().uri(Uri::from_parts(action)?);
        let (status, _) = self.http.post(button, "").await?;
        ensure!(
            status == StatusCode::SEE_OTHER,
            "the button answers {status}"
        );
        Ok(())
    }
}
