//! Keyspaces are made once, and only by programs that know them.

use std::{path::Path, sync::Arc};

use livedrop_server::store::scylla::{
    ConnectError, SchemaProblem, ScyllaStore,
    migrate::{self, MigrateError, Wishes},
};
use rustls::{ClientConfig, RootCertStore};
use scylla::client::session_builder::SessionBuilder;
use uuid::Uuid;

use crate::{
    harness::process::{done, livedrop, refused},
    keyspace::{FINGERPRINT, settings, wishes},
};

fn new_keyspace() -> String {
    // A name has 48 characters at most.
    format!("livedrop_test_{}", Uuid::now_v7().simple())
}

#[tokio::test]
async fn migrating_is_idempotent_and_dry_runs_do_nothing() {
    let settings = settings(&new_keyspace());
    let run = async |is_dry| {
        let mut steps = Vec::new();
        let wishes = Wishes { is_dry, ..wishes() };
        migrate::run(&settings, &wishes, |step| steps.push(step.what.clone()))
            .await
            .unwrap();
        steps
    };
    let planned = run(true).await;
    let opened = ScyllaStore::open(&settings, None).await;
    assert!(
        matches!(opened, Err(ConnectError::NoKeyspace { .. })),
        "{opened:?}"
    );
    assert_eq!(run(false).await, planned);
    assert_eq!(run(true).await, [""; 0]);
    assert_eq!(run(false).await, [""; 0]);
    let more = Wishes {
        replicas: 2,
        ..wishes()
    };
    let mut told = Vec::new();
    migrate::run(&settings, &more, |step| told.push(step.what.clone()))
        .await
        .unwrap();
    assert!(told.concat().contains("keeps 1 copies"), "{told:?}");
    ScyllaStore::open(&settings, Some(FINGERPRINT))
        .await
        .unwrap();
}

#[tokio::test]
async fn two_at_once_make_one_keyspace() {
    let settings = settings(&new_keyspace());
    let wishes = wishes();
    let (one, other) = tokio::join!(
        migrate::run(&settings, &wishes, |_| ()),
        migrate::run(&settings, &wishes, |_| ()),
    );
    one.unwrap();
    other.unwrap();
    ScyllaStore::open(&settings, None).await.unwrap();
}

#[tokio::test]
async fn foreign_keys_are_refused_until_they_replace_the_others() {
    let settings = settings(&new_keyspace());
    migrate::run(&settings, &wishes(), |_| ()).await.unwrap();
    let foreign = Wishes {
        fingerprint: "foreign".to_owned(),
        ..wishes()
    };
    let refused = migrate::run(&settings, &foreign, |_| ()).await;
    let is_keys =
        |error: &ConnectError| matches!(error, ConnectError::Schema(SchemaProblem::Keys { .. }));
    assert!(
        matches!(&refused, Err(MigrateError::Connect(error)) if is_keys(error)),
        "{refused:?}"
    );
    let opened = ScyllaStore::open(&settings, Some("foreign")).await;
    assert!(
        matches!(&opened, Err(error) if is_keys(error)),
        "{opened:?}"
    );
    let replacing = Wishes {
        replaces_keys: true,
        ..foreign
    };
    migrate::run(&settings, &replacing, |_| ()).await.unwrap();
    ScyllaStore::open(&settings, Some("foreign")).await.unwrap();
    let opened = ScyllaStore::open(&settings, Some(FINGERPRINT)).await;
    assert!(
        matches!(&opened, Err(error) if is_keys(error)),
        "{opened:?}"
    );
}

#[tokio::test]
async fn what_can_not_be_used_is_refused() {
    let mut nowhere = settings("livedrop");
    nowhere.nodes = vec!["127.0.0.1:1".to_owned()];
    let opened = ScyllaStore::open(&nowhere, None).await;
    assert!(
        matches!(opened, Err(ConnectError::Unreachable { .. })),
        "{opened:?}"
    );

    let mut no_tls = settings("livedrop");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.unwrap().with_root_certificates(RootCertStore::empty());
    no_tls.tls = Some(Arc::new(tls.with_no_client_auth()));
    let opened = ScyllaStore::open(&no_tls, None).await;
    assert!(
        matches!(opened, Err(ConnectError::NoTls { .. })),
        "{opened:?}"
    );

    let mut elsewhere = settings("livedrop");
    elsewhere.datacenter = Some("elsewhere".to_owned());
    let opened = ScyllaStore::open(&elsewhere, None).await;
    assert!(
        matches!(opened, Err(ConnectError::NoDatacenter { .. })),
        "{opened:?}"
    );

    let greedy = Wishes {
        replicas: 9,
        ..wishes()
    };
    let refused = migrate::run(&settings(&new_keyspace()), &greedy, |_| ()).await;
    assert!(
        matches!(refused, Err(MigrateError::TooFewNodes { .. })),
        "{refused:?}"
    );

    // The database's own keyspace has no tables of ours.
    let opened = ScyllaStore::open(&settings("system"), None).await;
    assert!(
        matches!(
            opened,
            Err(ConnectError::Schema(SchemaProblem::Old { found: 0, .. }))
        ),
        "{opened:?}"
    );
}

/// A file that nobody asked for would be taken for the others' one day.
#[tokio::test]
async fn keys_are_made_for_a_new_keyspace_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (file, keys) = (path("cql.toml"), path("keys.toml"));
    let cql = settings(&new_keyspace());
    let configure = |nodes: &[String]| {
        let (data, keyspace) = (path("data"), &cql.keyspace);
        let content = format!(
            "[store]\nbackend = \"cql\"\ndata = {data:?}\n[cql]\nnodes = {nodes:?}\nkeyspace = {keyspace:?}\nreplicas = 1\n[auth]\nkey_file = {keys:?}\n"
        );
        std::fs::write(&file, content).unwrap();
    };
    let migrate = ["migrate", "--config", &file];
    let print = ["migrate", "--config", &file, "--print"];

    configure(&["127.0.0.1:1".to_owned()]);
    refused(livedrop(&migrate), 1, &["no database answers"]).await;
    configure(&cql.nodes);
    let planned = done(livedrop(&print)).await;
    assert!(planned.contains("that of a new key file"), "{planned}");
    assert!(!Path::new(&keys).exists());
    done(livedrop(&migrate)).await;
    std::fs::remove_file(&keys).unwrap();
    for command in [&migrate[..], &print] {
        refused(livedrop(command), 1, &["there is no key file", "copy that"]).await;
    }
    assert!(!Path::new(&keys).exists());
    // Lost everywhere.
    done(livedrop(&["migrate", "--config", &file, "--replace-keys"])).await;
    done(livedrop(&migrate)).await;
}

/// What a newer program, a changed step, or `migrate` in another datacenter leaves behind.
#[tokio::test]
async fn keyspaces_of_others_are_refused() {
    let settings = settings(&new_keyspace());
    migrate::run(&settings, &wishes(), |_| ()).await.unwrap();
    let session = SessionBuilder::new().known_nodes(&settings.nodes);
    let session = session.build().await.unwrap();
    // LWTs, as these tables know no other writes.
    let change = async |what: &str| {
        let cql = what.replace("IN ", &format!("{}.", settings.keyspace));
        session.query_unpaged(cql, ()).await.unwrap();
    };
    let problem = async || {
        let opened = ScyllaStore::open(&settings, Some(FINGERPRINT)).await;
        let migrated = migrate::run(&settings, &wishes(), |_| ()).await;
        let Err(ConnectError::Schema(opened)) = opened else {
            panic!("{opened:?}");
        };
        let Err(MigrateError::Connect(ConnectError::Schema(migrated))) = migrated else {
            panic!("{migrated:?}");
        };
        assert_eq!(opened, migrated);
        opened
    };

    change("INSERT INTO IN schema_versions (scope, version, name, checksum) VALUES ('livedrop', 1000, '-', '-') IF NOT EXISTS").await;
    let newer = Box::pin(problem()).await;
    assert!(
        matches!(newer, SchemaProblem::New { found: 1000, .. }),
        "{newer:?}"
    );
    change("DELETE FROM IN schema_versions WHERE scope = 'livedrop' AND version = 1000 IF EXISTS")
        .await;

    let home =
        "UPDATE IN settings SET value = 'elsewhere' WHERE name = 'home_datacenter' IF EXISTS";
    change(home).await;
    let elsewhere = Box::pin(problem()).await;
    assert!(
        matches!(&elsewhere, SchemaProblem::Datacenter { home, .. } if home == "elsewhere"),
        "{elsewhere:?}"
    );

    change("UPDATE IN schema_versions SET checksum = '-' WHERE scope = 'livedrop' AND version = 2 IF EXISTS").await;
    let changed = Box::pin(problem()).await;
    assert!(
        matches!(changed, SchemaProblem::Other { version: 2, .. }),
        "{changed:?}"
    );

    change("DELETE FROM IN schema_versions WHERE scope = 'livedrop' AND version = 2 IF EXISTS")
        .await;
    let opened = ScyllaStore::open(&settings, Some(FINGERPRINT)).await;
    assert!(
        matches!(
            opened,
            Err(ConnectError::Schema(SchemaProblem::Old { found: 1, .. }))
        ),
        "{opened:?}"
    );
    session
        .query_unpaged(format!("DROP KEYSPACE {}", settings.keyspace), ())
        .await
        .unwrap();
}
