//! Chooses and opens the store that the settings name.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{KEY_FILE_NAME, StartError, backup::Backup};
use crate::{
    auth::{Keys, key_file},
    config::{Backend, Config, Secret},
    jobs::Work,
    store::{
        JobStore, SharedStore,
        embedded::{EmbeddedStore, Options},
        scylla::{ScyllaStore, Settings},
    },
};

/// A server's store.
pub(super) struct Opened {
    pub(super) store: SharedStore,
    /// Those that all its processes have.
    pub(super) keys: Arc<Keys>,
    /// Of a store that is a file.
    pub(super) backup: Option<Backup>,
}

/// Opens the store for a server.
pub(super) async fn open(config: &Config) -> Result<Opened, StartError> {
    match config.store.backend {
        Backend::Embedded => {
            // First: the lock on the file keeps others from the keys too.
            let store = open_embedded(config).await?;
            Ok(Opened {
                keys: own_keys(config)?,
                backup: Backup::of(config, store.clone()),
                store,
            })
        }
        Backend::Cql => {
            let keys = present_keys(config)?;
            let (settings, fingerprint) = (cql(config)?, keys.fingerprint());
            let store = ScyllaStore::open(&settings, Some(&fingerprint)).await?;
            Ok(Opened {
                store: Arc::new(store),
                keys: Arc::new(keys),
                backup: None,
            })
        }
    }
}

/// Refuses a store whose truth is not all there: nothing can be said about it.
///
/// # Errors
/// See [`StartError`].
pub async fn check_imported(store: &dyn JobStore) -> Result<(), StartError> {
    if Work::Import.is_unfinished(store).await? {
        return Err(StartError::HalfImported);
    }
    Ok(())
}

/// Refuses a store that only a part of its rows is in. Nothing may be sold or settled there.
///
/// # Errors
/// See [`StartError`].
pub async fn check_whole(store: &dyn JobStore) -> Result<(), StartError> {
    // First: an import ends with a rebuild.
    check_imported(store).await?;
    if Work::Rebuild.is_unfinished(store).await? {
        return Err(StartError::HalfRebuilt);
    }
    Ok(())
}

/// The store for tools that take no calls. On CQL others may be at work on it; the embedded one must be nobody's.
///
/// # Errors
/// See [`StartError`].
pub async fn open_for_tools(config: &Config) -> Result<SharedStore, StartError> {
    match config.store.backend {
        Backend::Embedded => Ok(open_embedded(config).await?),
        Backend::Cql => {
            let settings = cql(config)?;
            Ok(Arc::new(
                Box::pin(ScyllaStore::open(&settings, None)).await?,
            ))
        }
    }
}

/// The keys of the settings' key file, which others have made.
///
/// # Errors
/// If the file can't be read, may be read by others, or is malformed.
pub fn present_keys(config: &Config) -> Result<Keys, StartError> {
    let path = config.auth.key_file.as_deref();
    Ok(key_file::load(path.unwrap_or(Path::new(KEY_FILE_NAME)))?)
}

/// The keys of the settings' key file, made if there is none, or of this process alone.
///
/// # Errors
/// If the file can't be read or made, may be read by others, or is malformed.
pub fn own_keys(config: &Config) -> Result<Arc<Keys>, StartError> {
    let in_data = config
        .store
        .data
        .as_ref()
        .map(|data| data.join(KEY_FILE_NAME));
    let keys = match config.auth.key_file.as_ref().or(in_data.as_ref()) {
        Some(path) => key_file::load_or_create(path)?,
        None => Keys::generate()?,
    };
    Ok(Arc::new(keys))
}

async fn open_embedded(config: &Config) -> Result<Arc<EmbeddedStore>, StartError> {
    let options = Options {
        cache_bytes: config.store.cache_mib << 20,
        ..Options::default()
    };
    let data = config.store.data.clone();
    let open = move || match data {
        Some(data) => {
            EmbeddedStore::open(&data, options).map_err(|source| StartError::store(data, source))
        }
        None => EmbeddedStore::in_memory_with(options)
            .map_err(|source| StartError::store("memory".into(), source)),
    };
    // After a crash the whole file is verified first.
    let opened = tokio::task::spawn_blocking(open).await;
    Ok(Arc::new(
        opened.map_err(|error| StartError::Task(error.to_string()))??,
    ))
}

/// Where the database is.
///
/// # Errors
/// If a file of the settings can't be used.
pub fn cql(config: &Config) -> Result<Settings, StartError> {
    let cql = &config.cql;
    let password = cql.password_secret.as_ref().map_or("", Secret::expose);
    Ok(Settings {
        nodes: cql.nodes.clone(),
        keyspace: cql.keyspace.clone(),
        datacenter: cql.datacenter.clone(),
        user: cql.user.clone().map(|user| (user, password.to_owned())),
        tls: tls(config)?,
    })
}

fn tls(config: &Config) -> Result<Option<Arc<ClientConfig>>, StartError> {
    let cql = &config.cql;
    let Some(ca) = &cql.tls_ca else {
        return Ok(None);
    };
    let unusable = |path: &Path, why: String| StartError::CqlTls {
        path: path.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(ca).map_err(|error| unusable(ca, error.to_string()))?
    {
        let certificate = certificate.map_err(|error| unusable(ca, error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(ca, error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable(ca, "it has no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(ca, error.to_string()))?
        .with_root_certificates(roots);
    let (Some(cert), Some(key)) = (&cql.tls_cert, &cql.tls_key) else {
        return Ok(Some(Arc::new(builder.with_no_client_auth())));
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unusable(cert, error.to_string()))?;
    let pair =
        PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, error.to_string()))?;
    let config = builder.with_client_auth_cert(chain, pair);
    Ok(Some(Arc::new(
        config.map_err(|error| unusable(key, error.to_string()))?,
    )))
}
