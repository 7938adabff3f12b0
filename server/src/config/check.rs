//! What the types can't say about settings.

use std::time::Duration;

use super::{Backend, Config, MediaBackend, PaymentProvider};
use crate::rpc::Origins;

/// Every key that is wrong, and how.
pub(super) fn check(config: &Config) -> Vec<(&'static str, String)> {
    let mut wrong = Wrong(Vec::new());
    server(config, &mut wrong);
    limits(config, &mut wrong);
    payments(config, &mut wrong);
    media(config, &mut wrong);
    cql(config, &mut wrong);
    wrong.unless(
        (1..=1 << 20).contains(&config.store.cache_mib),
        "store.cache_mib",
        "must be 1 to 1048576",
    );
    let auth = &config.auth;
    wrong.unless(
        (64..=1 << 20).contains(&auth.password_memory_kib),
        "auth.password_memory_kib",
        "must be 64 to 1048576; 19456 or more where accounts are real",
    );
    wrong.unless(
        (1..=16).contains(&auth.password_iterations),
        "auth.password_iterations",
        "must be 1 to 16",
    );
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        wrong.0.push((
            "log.filter",
            format!("is not a filter such as \"info,livedrop_server=debug\": {error}"),
        ));
    }
    wrong.0
}

struct Wrong(Vec<(&'static str, String)>);

impl Wrong {
    fn unless(&mut self, is_right: bool, key: &'static str, message: &str) {
        if !is_right {
            self.0.push((key, message.to_owned()));
        }
    }
}

fn is_url(url: &str) -> bool {
    let url = url.parse::<http::Uri>();
    url.is_ok_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some())
}

/// Whether a path can be put behind it.
fn is_base(url: &str) -> bool {
    is_url(url) && !url.contains('?') && !url.ends_with('/')
}

fn media(config: &Config, wrong: &mut Wrong) {
    let media = &config.media;
    wrong.unless(
        media.public_url.as_deref().is_none_or(is_base),
        "media.public_url",
        "must be a URL such as \"https://cdn.example\", without a slash at its end",
    );
    wrong.unless(
        media.s3_endpoint.as_deref().is_none_or(is_base),
        "media.s3_endpoint",
        "must be a URL such as \"https://s3.example\", without a slash at its end",
    );
    if media.backend != MediaBackend::S3 {
        return;
    }
    for (key, is_there) in [
        ("media.public_url", media.public_url.is_some()),
        ("media.s3_bucket", media.s3_bucket.is_some()),
        ("media.s3_key_id", media.s3_key_id.is_some()),
        ("media.s3_key_secret", media.s3_key_secret.is_some()),
    ] {
        wrong.unless(is_there, key, "is missing: media.backend is \"s3\"");
    }
    wrong.unless(
        !media.s3_region.is_empty(),
        "media.s3_region",
        "is missing: media.backend is \"s3\"; a service without regions takes any, such as \"us-east-1\"",
    );
}

fn payments(config: &Config, wrong: &mut Wrong) {
    let payments = &config.payments;
    wrong.unless(
        payments.public_url.as_deref().is_none_or(is_base),
        "payments.public_url",
        "must be a URL such as \"https://shop.example\", without a slash at its end",
    );
    if payments.provider != Some(PaymentProvider::Stripe) {
        return;
    }
    wrong.unless(
        payments.stripe_secret.is_some(),
        "payments.stripe_secret",
        "is missing: payments.provider is \"stripe\"",
    );
    wrong.unless(
        !payments.stripe_webhook_secret.is_empty(),
        "payments.stripe_webhook_secret",
        "is missing: payments.provider is \"stripe\", and without it no message of Stripe's is believed",
    );
    wrong.unless(
        payments.stripe_return_url.as_deref().is_some_and(is_url),
        "payments.stripe_return_url",
        "must be an absolute URL of the shop: payments.provider is \"stripe\"",
    );
}

fn cql(config: &Config, wrong: &mut Wrong) {
    let cql = &config.cql;
    let is_node = |node: &String| {
        let port = node.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        matches!(port, Some(Ok(1..)))
    };
    wrong.unless(
        cql.nodes.iter().all(is_node),
        "cql.nodes",
        "must be texts such as \"10.0.0.1:9042\"",
    );
    // It becomes part of statements.
    let is_name = (1..=48).contains(&cql.keyspace.len())
        && cql
            .keyspace
            .starts_with(|first: char| first.is_ascii_lowercase())
        && (cql.keyspace.chars())
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_');
    wrong.unless(
        is_name,
        "cql.keyspace",
        "must begin with a letter and have 1 to 48 of a-z, 0-9 and _",
    );
    let is_plain = |name: &String| !name.contains(['\'', '\\']);
    wrong.unless(
        cql.datacenter.as_ref().is_none_or(is_plain),
        "cql.datacenter",
        "must not contain quotes or backslashes",
    );
    wrong.unless(
        (1..=9).contains(&cql.replicas),
        "cql.replicas",
        "must be 1 to 9",
    );
    for (one, other, key, message) in [
        (
            cql.user.is_some(),
            cql.password_secret.is_some(),
            "cql.password_secret",
            "is missing: cql.user is set",
        ),
        (
            cql.password_secret.is_some(),
            cql.user.is_some(),
            "cql.user",
            "is missing: cql.password_secret is set",
        ),
        (
            cql.tls_cert.is_some(),
            cql.tls_key.is_some(),
            "cql.tls_key",
            "is missing: cql.tls_cert is set",
        ),
        (
            cql.tls_key.is_some(),
            cql.tls_cert.is_some(),
            "cql.tls_cert",
            "is missing: cql.tls_key is set",
        ),
        (
            cql.tls_cert.is_some(),
            cql.tls_ca.is_some(),
            "cql.tls_ca",
            "is missing: cql.tls_cert is set",
        ),
    ] {
        wrong.unless(!one || other, key, message);
    }
    if config.store.backend == Backend::Cql {
        wrong.unless(
            !cql.nodes.is_empty(),
            "cql.nodes",
            "is missing: store.backend is \"cql\"",
        );
        wrong.unless(
            config.auth.key_file.is_some(),
            "auth.key_file",
            "is missing: store.backend is \"cql\", and all processes on one database need the same keys",
        );
    }
}

fn server(config: &Config, wrong: &mut Wrong) {
    let server = &config.server;
    wrong.unless(
        server.tls_key.is_some() || server.tls_cert.is_none(),
        "server.tls_key",
        "is missing: server.tls_cert is set",
    );
    wrong.unless(
        server.tls_cert.is_some() || server.tls_key.is_none(),
        "server.tls_cert",
        "is missing: server.tls_key is set",
    );
    for path in [
        ("server.tls_cert", &server.tls_cert),
        ("server.tls_key", &server.tls_key),
    ] {
        let (key, Some(file)) = path else { continue };
        if let Err(error) = std::fs::File::open(file) {
            wrong
                .0
                .push((key, format!("{} can't be read: {error}", file.display())));
        }
    }
    for origin in &server.cors_origins {
        if let Err(error) = Origins::parse(&[origin]) {
            wrong.0.push(("server.cors_origins", error.to_string()));
        }
    }
    let same = server
        .metrics_listen
        .is_some_and(|metrics| metrics == server.listen && metrics.port() != 0);
    wrong.unless(
        !same,
        "server.metrics_listen",
        "must differ from server.listen",
    );
    let range = Duration::from_secs(1)..=Duration::from_secs(300);
    wrong.unless(
        range.contains(&server.shutdown),
        "server.shutdown",
        "must be 1s to 5m",
    );
    let leaves_time = config.limits.drain < server.shutdown;
    wrong.unless(
        leaves_time,
        "limits.drain",
        "must be shorter than server.shutdown, which also takes the writers' time",
    );
}

fn limits(config: &Config, wrong: &mut Wrong) {
    let limits = &config.limits;
    let counts = [
        ("limits.connections", limits.connections),
        (
            "limits.connections_per_network",
            limits.connections_per_network,
        ),
        (
            "limits.streams_per_connection",
            limits.streams_per_connection as usize,
        ),
        ("limits.in_flight", limits.in_flight),
        ("limits.watches", limits.watches),
        (
            "limits.watches_per_connection",
            limits.watches_per_connection,
        ),
        ("limits.watches_per_caller", limits.watches_per_caller),
    ];
    for (key, count) in counts {
        wrong.unless(
            (1..=10_000_000).contains(&count),
            key,
            "must be 1 to 10000000",
        );
    }
    let spans = [
        ("limits.first_bytes", limits.first_bytes),
        ("limits.tls_handshake", limits.tls_handshake),
        ("limits.header_read", limits.header_read),
        ("limits.ping", limits.ping),
        ("limits.unread", limits.unread),
        ("limits.connection_age", limits.connection_age),
        ("limits.connection_grace", limits.connection_grace),
        ("limits.deadline_default", limits.deadline_default),
        ("limits.deadline_max", limits.deadline_max),
        ("limits.watch_heartbeat", limits.watch_heartbeat),
        ("limits.watch_age", limits.watch_age),
        ("limits.watch_age_web", limits.watch_age_web),
    ];
    for (key, span) in spans {
        let range = Duration::from_millis(1)..=Duration::from_secs(7 * 24 * 3600);
        wrong.unless(range.contains(&span), key, "must be 1ms to 7d");
    }
    let is_within = limits.deadline_default <= limits.deadline_max;
    wrong.unless(
        is_within,
        "limits.deadline_default",
        "must not be longer than limits.deadline_max",
    );
    let rates = [
        ("limits.per_network", limits.per_network),
        ("limits.per_caller", limits.per_caller),
        ("limits.credentials", limits.credentials),
    ];
    for (key, rate) in rates {
        let is_rate = rate.burst > 0
            && !rate.period.is_zero()
            && rate.period <= Duration::from_secs(24 * 3600);
        wrong.unless(
            is_rate,
            key,
            "needs a burst above 0 and a period above 0, at most 24h",
        );
    }
}
