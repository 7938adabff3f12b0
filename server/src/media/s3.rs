//! Pictures in a bucket: sent to it and read from it without this process between, but for the look at each.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use object_store::{
    ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    signer::{SignedUrlOptions, Signer as _},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{MediaError, OpenError, key::Key};

/// A request, of 10 MiB at most. Calls have deadlines of their own.
const REQUEST_WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A request is repeated this often, within this time.
const REPEATS: usize = 2;
const REPEATED_WITHIN: Duration = Duration::from_secs(10);

/// Where the bucket is.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// URL of the service; `None` = Amazon's of the region.
    pub endpoint: Option<String>,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// Id of the key.
    pub key_id: String,
    /// The key.
    pub key_secret: SecretString,
    /// What stands before `/images/…` in the URLs of pictures.
    pub public_url: String,
}

/// Signs uploads.
pub(super) struct Bucket {
    signer: Arc<AmazonS3>,
    public_url: String,
}

impl Bucket {
    pub(super) fn open(settings: &S3Settings) -> Result<(Arc<dyn ObjectStore>, Self), OpenError> {
        let endpoint = settings.endpoint.as_deref();
        let options = ClientOptions::new()
            .with_timeout(REQUEST_WITHIN)
            .with_connect_timeout(CONNECT_WITHIN)
            // Only for who says so in the endpoint.
            .with_allow_http(endpoint.is_some_and(|url| url.starts_with("http://")));
        let retry = RetryConfig {
            max_retries: REPEATS,
            retry_timeout: REPEATED_WITHIN,
            ..RetryConfig::default()
        };
        let builder = AmazonS3Builder::new()
            .with_region(&settings.region)
            .with_bucket_name(&settings.bucket)
            .with_access_key_id(&settings.key_id)
            .with_secret_access_key(settings.key_secret.expose_secret())
            .with_client_options(options)
            .with_retry(retry);
        let builder = match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint),
            None => builder,
        };
        let store = Arc::new(builder.build().map_err(OpenError::Bucket)?);
        let bucket = Self {
            signer: store.clone(),
            public_url: settings.public_url.clone(),
        };
        Ok((store, bucket))
    }

    pub(super) fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The type is signed too: S3 refuses another. The size can't be: it is looked at when a product takes the picture.
    pub(super) async fn upload_url(
        &self,
        key: &Key,
        within: Duration,
    ) -> Result<String, MediaError> {
        let content_type = HeaderValue::from_static(key.content_type.as_str());
        let options = SignedUrlOptions::new().with_signed_header(CONTENT_TYPE, content_type);
        let path = key.upload();
        let url = self
            .signer
            .signed_url_opts(Method::PUT, &path, within, &options);
        Ok(url.await?.to_string())
    }
}
