//! Where pictures are kept, as the settings say.

use std::{path::Path, sync::Arc};

use secrecy::SecretString;
use tempfile::TempDir;

use super::StartError;
use crate::{
    auth::Keys,
    config::{Config, MediaBackend, Secret},
    env::SharedEnv,
    media::{Media, S3Settings},
    web,
};

/// The folder's name in the data directory.
const FOLDER_NAME: &str = "media";

/// The place of pictures.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) media: Media,
    /// Of a server that keeps nothing: goes with it.
    _temporary: Option<TempDir>,
}

impl Pictures {
    pub(super) fn open(
        config: &Config,
        keys: &Arc<Keys>,
        env: &SharedEnv,
    ) -> Result<Self, StartError> {
        let settings = &config.media;
        if settings.backend == MediaBackend::S3 {
            return Ok(Self {
                media: Media::bucket(&s3(config), env.clone())?,
                _temporary: None,
            });
        }
        let in_data = (config.store.data.as_ref()).map(|data| data.join(FOLDER_NAME));
        let folder = |path: &Path| Media::folder(path, keys.clone(), env.clone());
        match settings.folder.as_ref().or(in_data.as_ref()) {
            Some(path) => Ok(Self {
                media: folder(path)?,
                _temporary: None,
            }),
            None => {
                let made = tempfile::tempdir();
                let temporary = made.map_err(StartError::TemporaryFolder)?;
                Ok(Self {
                    media: folder(temporary.path())?,
                    _temporary: Some(temporary),
                })
            }
        }
    }

    /// From now on clients can be told where pictures are.
    pub(super) fn begin(&self, config: &Config, endpoint: &str) {
        let prefix = web::media::PREFIX;
        let url = config.media.public_url.clone();
        self.media
            .set_base_url(url.unwrap_or_else(|| format!("{endpoint}{prefix}")));
    }
}

fn s3(config: &Config) -> S3Settings {
    let settings = config.media.clone();
    // What is missing was told when the settings were checked.
    S3Settings {
        endpoint: settings.s3_endpoint,
        region: settings.s3_region,
        bucket: settings.s3_bucket.unwrap_or_default(),
        key_id: settings.s3_key_id.unwrap_or_default(),
        key_secret: SecretString::from(settings.s3_key_secret.as_ref().map_or("", Secret::expose)),
        public_url: settings.public_url.unwrap_or_default(),
    }
}
