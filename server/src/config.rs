//! Settings: one struct per concern. Defaults, then the file, then the environment, then flags; the later wins.
//!
//! Every key is in `livedrop config`. `LIVEDROP_SERVER__LISTEN` is `listen` of `[server]`. All that is wrong is told at once.

mod check;
mod layers;
mod limits;
mod meaning;
mod optional;
mod print;
mod secret;
mod span;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

pub use layers::{Layers, Loaded, Origin, Problem, Problems, load};
pub use secret::Secret;

use crate::{
    auth::PasswordCost, payments::stripe::StripeConfig, rpc::limits::Limits, telemetry::LogFormat,
};

/// Where services of a machine keep what must last.
const SERVE_DATA: &str = "/var/lib/livedrop";

/// Which defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// One person, one machine, no secrets: generous limits, cheap passwords, loopback only.
    Dev,
    /// The open internet: strict.
    Serve,
}

/// All settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the process is reached.
    pub server: Server,
    /// Where data is kept.
    pub store: Store,
    /// The database, if `store.backend` is `cql`.
    pub cql: Cql,
    /// Keys and passwords.
    pub auth: Auth,
    /// Who takes payments.
    pub payments: Payments,
    /// Where pictures are.
    pub media: Media,
    /// What callers may take.
    #[serde(with = "limits::LimitsSection")]
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
}

/// Where the process is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address of the public port; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Address of `/metrics`; empty = not served.
    #[serde(with = "optional")]
    pub metrics_listen: Option<SocketAddr>,
    /// Certificate chain (PEM) for TLS; empty = plain HTTP, for loopback or behind a proxy that ends TLS.
    #[serde(with = "optional")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate.
    #[serde(with = "optional")]
    pub tls_key: Option<PathBuf>,
    /// Origins (`https://shop.example`) whose pages may call from a browser; `http://localhost:*` is any port of this machine.
    pub cors_origins: Vec<String>,
    /// From the signal to the end of the process, at most.
    #[serde(with = "span")]
    pub shutdown: Duration,
}

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `embedded`: one file on this machine, for one process; `cql`: ScyllaDB, for any number of processes.
    pub backend: Backend,
    /// The data directory. Empty: `dev` takes a temporary one, `serve` does not start.
    #[serde(with = "optional")]
    pub data: Option<PathBuf>,
    /// Memory for the store's pages, in MiB.
    pub cache_mib: usize,
}

/// What keeps the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// One file on this machine.
    Embedded,
    /// ScyllaDB, or what speaks CQL like it.
    Cql,
}

/// The database, if `store.backend` is `cql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cql {
    /// Nodes to begin with, as `host:port`; the others are found by asking these.
    pub nodes: Vec<String>,
    /// The keyspace; `livedrop migrate` makes it.
    pub keyspace: String,
    /// The home datacenter: all processes that sell use this one. Empty = that of the first node that answers.
    #[serde(with = "optional")]
    pub datacenter: Option<String>,
    /// Copies of each row that `livedrop migrate` asks for when it makes the keyspace; 3 where data must outlive a node.
    pub replicas: u32,
    /// User; empty = none is asked for.
    #[serde(with = "optional")]
    pub user: Option<String>,
    /// The user's password. Better in the variable `LIVEDROP_CQL__PASSWORD_SECRET` than in a file.
    #[serde(with = "optional")]
    pub password_secret: Option<Secret>,
    /// Certificates (PEM) of those who may vouch for the nodes; empty = plain connections.
    #[serde(with = "optional")]
    pub tls_ca: Option<PathBuf>,
    /// Certificate (PEM) of this process, for nodes that ask for one.
    #[serde(with = "optional")]
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of that certificate.
    #[serde(with = "optional")]
    pub tls_key: Option<PathBuf>,
}

/// Keys and passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// File with the token keys, made at the first start with mode 0600; empty = `keys.toml` in the data directory. All processes on one
    /// database need the same.
    #[serde(with = "optional")]
    pub key_file: Option<PathBuf>,
    /// Memory of a password hash (argon2id), in KiB.
    pub password_memory_kib: u32,
    /// Passes over the memory of a password hash.
    pub password_iterations: u32,
}

impl Auth {
    /// What a password hash costs.
    #[must_use]
    pub fn password_cost(&self) -> PasswordCost {
        PasswordCost {
            memory_kib: self.password_memory_kib,
            iterations: self.password_iterations,
        }
    }
}

/// Who takes payments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    /// Provider of new payments: `stripe`, `test` (no money moves), or empty = nothing that costs something can be paid.
    #[serde(with = "optional")]
    pub provider: Option<PaymentProvider>,
    /// Base of the URLs that buyers are sent to, such as `https://shop.example`; empty = the public port on this machine.
    #[serde(with = "optional")]
    pub public_url: Option<String>,
    /// Stripe's API key, `sk_...` or `rk_...`. Better in the variable `LIVEDROP_PAYMENTS__STRIPE_SECRET` than in a file.
    #[serde(with = "optional")]
    pub stripe_secret: Option<Secret>,
    /// Signing secrets of Stripe's webhook endpoint, `whsec_...`: two while one replaces the other.
    pub stripe_webhook_secret: Vec<Secret>,
    /// Where buyers come back to after 3-D Secure: an absolute URL of the shop.
    #[serde(with = "optional")]
    pub stripe_return_url: Option<String>,
    /// Where Stripe's API is.
    pub stripe_api_url: String,
}

/// A payment provider that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentProvider {
    /// stripe.com.
    Stripe,
    /// In this process, with special tokens and without money.
    Test,
}

/// Where pictures are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// `folder`: in one that this process serves; `s3`: in a bucket of Amazon S3, or of what speaks like it.
    pub backend: MediaBackend,
    /// The folder; empty = `media` in the data directory. Several processes need the same one, such as a network drive.
    #[serde(with = "optional")]
    pub folder: Option<PathBuf>,
    /// What stands before `/images/...` in the URLs of pictures, such as `https://cdn.example`; with a folder before `/uploads/...` too, and
    /// empty = `/media` of the public port on this machine.
    #[serde(with = "optional")]
    pub public_url: Option<String>,
    /// URL of the bucket's service; empty = Amazon's of the region.
    #[serde(with = "optional")]
    pub s3_endpoint: Option<String>,
    /// Region of the bucket.
    pub s3_region: String,
    /// The bucket's name.
    #[serde(with = "optional")]
    pub s3_bucket: Option<String>,
    /// Id of a key that may read, write, list and delete in the bucket.
    #[serde(with = "optional")]
    pub s3_key_id: Option<String>,
    /// That key. Better in the variable `LIVEDROP_MEDIA__S3_KEY_SECRET` than in a file.
    #[serde(with = "optional")]
    pub s3_key_secret: Option<Secret>,
}

/// What keeps pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaBackend {
    /// A folder that this process serves.
    Folder,
    /// A bucket.
    S3,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// As in `info,livedrop_server=debug`; the variable `RUST_LOG` wins.
    pub filter: String,
    /// `auto` is readable on a terminal and JSON otherwise; `text`, `json`.
    pub format: LogFormat,
}

impl Config {
    /// The defaults of `profile`.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (listen, origins, data, cost, limits, shutdown, filter, provider) = match profile {
            Profile::Dev => (
                loopback(7400),
                // A shop under development, on whatever port its tools take.
                vec!["http://localhost:*", "http://127.0.0.1:*"],
                None,
                PasswordCost::CHEAP,
                Limits::generous(),
                5,
                "warn",
                Some(PaymentProvider::Test),
            ),
            Profile::Serve => (
                SocketAddr::from(([0, 0, 0, 0], 7400)),
                Vec::new(),
                Some(PathBuf::from(SERVE_DATA)),
                PasswordCost::STRONG,
                Limits::strict(),
                30,
                // The driver tells of every connection, the search index of every commit.
                "info,scylla=warn,tantivy=warn",
                None,
            ),
        };
        Self {
            server: Server {
                listen,
                metrics_listen: Some(loopback(7401)),
                tls_cert: None,
                tls_key: None,
                cors_origins: origins.into_iter().map(str::to_owned).collect(),
                shutdown: Duration::from_secs(shutdown),
            },
            store: Store {
                backend: Backend::Embedded,
                data,
                cache_mib: 256,
            },
            cql: Cql {
                nodes: Vec::new(),
                keyspace: "livedrop".to_owned(),
                datacenter: None,
                replicas: 3,
                user: None,
                password_secret: None,
                tls_ca: None,
                tls_cert: None,
                tls_key: None,
            },
            auth: Auth {
                key_file: None,
                password_memory_kib: cost.memory_kib,
                password_iterations: cost.iterations,
            },
            payments: Payments {
                provider,
                public_url: None,
                stripe_secret: None,
                stripe_webhook_secret: Vec::new(),
                stripe_return_url: None,
                stripe_api_url: StripeConfig::BASE_URL.to_owned(),
            },
            media: Media {
                backend: MediaBackend::Folder,
                folder: None,
                public_url: None,
                s3_endpoint: None,
                s3_region: "us-east-1".to_owned(),
                s3_bucket: None,
                s3_key_id: None,
                s3_key_secret: None,
            },
            limits,
            log: Log {
                filter: filter.to_owned(),
                format: LogFormat::Auto,
            },
        }
    }
}
