//! The schema that this program knows: the files in `cql/`, and whether a keyspace has them.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{
    db::Db,
    row::{self, values},
    session::{Connected, Flavor, ask},
};
use crate::store::{Result, StoreError};

/// Value of `scope` in `schema_versions`: the one partition.
pub(super) const SCOPE: &str = "livedrop";
/// Names in `settings`.
pub(super) const HOME_DATACENTER: &str = "home_datacenter";
pub(super) const KEY_FINGERPRINT: &str = "key_fingerprint";

/// Tables of `livedrop migrate` itself.
pub(super) const BOOTSTRAP: &str = include_str!("../../../../cql/base/0000_migrations.cql");

/// One step of the schema. Published ones are never changed.
pub(super) struct Migration {
    pub(super) version: i32,
    pub(super) name: &'static str,
    base: &'static str,
    scylla: &'static str,
    cassandra: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal, overlays) => {
        Migration {
            version: $version,
            name: $name,
            base: include_str!(concat!("../../../../cql/base/", $name, ".cql")),
            scylla: include_str!(concat!("../../../../cql/overlay/scylla/", $name, ".cql")),
            cassandra: include_str!(concat!("../../../../cql/overlay/cassandra/", $name, ".cql")),
        }
    };
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            base: include_str!(concat!("../../../../cql/base/", $name, ".cql")),
            scylla: "",
            cassandra: "",
        }
    };
}

/// All steps, in order.
pub(super) const MIGRATIONS: [Migration; 10] = [
    migration!(1, "0001_ledgers", overlays),
    migration!(2, "0002_accounts"),
    migration!(3, "0003_drops"),
    migration!(4, "0004_orders"),
    migration!(5, "0005_work"),
    migration!(6, "0006_follows"),
    migration!(7, "0007_products"),
    migration!(8, "0008_ended_accounts"),
    migration!(9, "0009_images"),
    migration!(10, "0010_search_changes"),
];

/// One LWT on each table that knows no other writes: the first makes what the database keeps for them, and is slow.
pub(super) const WARM_UP: [&str; 14] = [
    "DELETE FROM drop_ledger WHERE ledger_id = 00000000-0000-0000-0000-000000000000 AND segment = 0 AND seq = 0 IF EXISTS",
    "DELETE FROM accounts WHERE account_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM creators WHERE creator_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM account_emails WHERE email = '-' IF EXISTS",
    "DELETE FROM creator_handles WHERE handle = '-' IF EXISTS",
    "DELETE FROM refresh_tokens WHERE session_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM request_ids WHERE caller_id = 00000000-0000-0000-0000-000000000000 AND method = '-' AND request_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM drops WHERE drop_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM products WHERE product_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM payment_attempts WHERE order_id = 00000000-0000-0000-0000-000000000000 AND attempt = 0 IF EXISTS",
    "DELETE FROM payment_events WHERE provider = '-' AND event_id = '-' IF EXISTS",
    "DELETE FROM jobs WHERE job_id = '-' IF EXISTS",
    "DELETE FROM follow_edges WHERE follower_id = 00000000-0000-0000-0000-000000000000 AND creator_id = 00000000-0000-0000-0000-000000000000 IF EXISTS",
    "DELETE FROM follow_buckets WHERE owner_id = 00000000-0000-0000-0000-000000000000 AND side = '-' AND number = 0 IF EXISTS",
];

impl Migration {
    /// Its statements for a database.
    pub(super) fn statements(&self, flavor: Flavor) -> Vec<String> {
        let overlay = match flavor {
            Flavor::Scylla => self.scylla,
            Flavor::Cassandra => self.cassandra,
        };
        [statements(self.base), statements(overlay)].concat()
    }

    /// Names exactly these statements.
    pub(super) fn checksum(&self, flavor: Flavor) -> String {
        hex::encode(Sha256::digest(self.statements(flavor).join(";\n")))
    }
}

/// The statements of a file, without comments. No text in them has a `;` or `--`.
pub(super) fn statements(file: &str) -> Vec<String> {
    let code: Vec<_> = file
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default().trim_end())
        .collect();
    let code = code.join("\n");
    let statements = code.split(';').map(str::trim).filter(|it| !it.is_empty());
    statements.map(str::to_owned).collect()
}

/// Why a keyspace is not for this process. Each text says what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaProblem {
    /// `livedrop migrate` was never run, or an older one.
    #[error(
        "keyspace {keyspace:?} has schema {found}, this program needs {needed}: run `livedrop migrate`"
    )]
    Old {
        /// Which keyspace.
        keyspace: String,
        /// Its newest step; 0: none.
        found: i32,
        /// The newest step that this program knows.
        needed: i32,
    },
    /// A newer program has been here.
    #[error(
        "keyspace {keyspace:?} has schema {found}, this program knows {known}: start a newer one"
    )]
    New {
        /// Which keyspace.
        keyspace: String,
        /// Its newest step.
        found: i32,
        /// The newest step that this program knows.
        known: i32,
    },
    /// A step is not what it was.
    #[error(
        "step {version} of the schema of keyspace {keyspace:?} is not the one this program knows: is this the right keyspace, and the right program?"
    )]
    Other {
        /// Which keyspace.
        keyspace: String,
        /// Which step.
        version: i32,
    },
    /// Stock is sold in one datacenter only: conditional writes of two would not see each other.
    #[error(
        "keyspace {keyspace:?} is at home in datacenter {home:?}, this process is in {here:?}: set cql.datacenter, or sell there"
    )]
    Datacenter {
        /// Which keyspace.
        keyspace: String,
        /// Where it is at home.
        home: String,
        /// Where this process is.
        here: String,
    },
    /// Tokens of this process would be refused by the others.
    #[error(
        "the key file is not that of keyspace {keyspace:?}: set auth.key_file to the others' file, or run `livedrop migrate --replace-keys`"
    )]
    Keys {
        /// Which keyspace.
        keyspace: String,
    },
}

/// What a keyspace says of itself.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Checksums by version; empty if nothing was ever done.
    pub(super) versions: BTreeMap<i32, String>,
    pub(super) settings: BTreeMap<String, String>,
}

impl Found {
    /// Reads it; nothing of a keyspace without these tables.
    pub(super) async fn read(at: &Connected, keyspace: &str) -> Result<Self> {
        let cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'settings'";
        if ask(&at.session, cql, values![keyspace.to_owned()], |_| Ok(()))
            .await?
            .is_none()
        {
            return Ok(Self::default());
        }
        let db = Db::new(at.session.clone(), &at.datacenter, keyspace);
        let versions = db
            .serial("SELECT version, checksum FROM schema_versions WHERE scope = ?")
            .await?;
        let versions = db.rows(&versions, &values![SCOPE]).await?;
        let versions = row::all(&versions, |row| {
            Ok((row.get("version")?, row.get("checksum")?))
        })?;
        let setting = db
            .serial("SELECT name, value FROM settings WHERE name = ?")
            .await?;
        let mut settings = BTreeMap::new();
        for name in [HOME_DATACENTER, KEY_FINGERPRINT] {
            let rows = db.rows(&setting, &values![name]).await?;
            settings.extend(row::first(&rows, |row| {
                Ok((row.get("name")?, row.get("value")?))
            })?);
        }
        Ok(Self {
            versions: versions.into_iter().collect(),
            settings,
        })
    }

    /// Refuses steps that this program does not know, or not so.
    pub(super) fn check_known(
        &self,
        keyspace: &str,
        flavor: Flavor,
    ) -> std::result::Result<(), SchemaProblem> {
        let keyspace = || keyspace.to_owned();
        for (version, checksum) in &self.versions {
            match MIGRATIONS.iter().find(|it| it.version == *version) {
                Some(known) if known.checksum(flavor) == *checksum => {}
                Some(_) => {
                    return Err(SchemaProblem::Other {
                        keyspace: keyspace(),
                        version: *version,
                    });
                }
                None => {
                    return Err(SchemaProblem::New {
                        keyspace: keyspace(),
                        found: *version,
                        known: MIGRATIONS.len() as i32,
                    });
                }
            }
        }
        Ok(())
    }

    /// Refuses a keyspace that lacks steps, or whose home is elsewhere.
    pub(super) fn check_ready(
        &self,
        keyspace: &str,
        at: &Connected,
    ) -> std::result::Result<(), SchemaProblem> {
        self.check_known(keyspace, at.flavor)?;
        let missing = MIGRATIONS
            .iter()
            .find(|it| !self.versions.contains_key(&it.version));
        if let Some(missing) = missing {
            return Err(SchemaProblem::Old {
                keyspace: keyspace.to_owned(),
                found: missing.version - 1,
                needed: MIGRATIONS.len() as i32,
            });
        }
        self.check_home(keyspace, &at.datacenter)
    }

    /// Refuses another datacenter than the one that was recorded.
    pub(super) fn check_home(
        &self,
        keyspace: &str,
        here: &str,
    ) -> std::result::Result<(), SchemaProblem> {
        match self.settings.get(HOME_DATACENTER) {
            Some(home) if home != here => Err(SchemaProblem::Datacenter {
                keyspace: keyspace.to_owned(),
                home: home.clone(),
                here: here.to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses other keys than those that were recorded.
    pub(super) fn check_keys(
        &self,
        keyspace: &str,
        fingerprint: &str,
    ) -> std::result::Result<(), SchemaProblem> {
        match self.settings.get(KEY_FINGERPRINT) {
            Some(recorded) if recorded != fingerprint => Err(SchemaProblem::Keys {
                keyspace: keyspace.to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// Runs a statement of the schema that may have been run before, by a run that was cut off or by a repeat of the driver's: of a column
/// that is there a database makes an error.
pub(super) async fn run_again(at: &Connected, keyspace: &str, cql: &str) -> Result<()> {
    let is_added = is_added(at, keyspace, cql).await?;
    let done = if is_added { Ok(()) } else { run(at, cql).await };
    match done {
        Err(error) if !self::is_added(at, keyspace, cql).await? => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a statement adds a column that is there.
async fn is_added(at: &Connected, keyspace: &str, cql: &str) -> Result<bool> {
    let Some((table, column)) = added_column(cql) else {
        return Ok(false);
    };
    let columns = "SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ? AND column_name = ?";
    let values = values![keyspace.to_owned(), table.to_owned(), column.to_owned()];
    let found = ask(&at.session, columns, values, |_| Ok(())).await?;
    Ok(found.is_some())
}

/// Table and column of `ALTER TABLE t ADD c type`.
fn added_column(cql: &str) -> Option<(&str, &str)> {
    let mut words = cql.strip_prefix("ALTER TABLE ")?.split_whitespace();
    let (table, verb, column) = (words.next()?, words.next()?, words.next()?);
    (verb == "ADD").then_some((table, column))
}

/// Runs a statement of the schema.
pub(super) async fn run(at: &Connected, cql: &str) -> Result<()> {
    let mut statement = scylla::statement::unprepared::Statement::new(cql);
    statement.set_request_timeout(Some(super::session::AGREEMENT_WITHIN));
    let done = at.session.query_unpaged(statement, ()).await;
    done.map_err(|error| super::outcome::of(cql, &error))?;
    let agreed = at.session.await_schema_agreement().await;
    agreed
        .map(drop)
        .map_err(|error| StoreError::Indeterminate(format!("{cql}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_those_between_semicolons() {
        let file =
            "-- a; b\nCREATE TABLE t (\n  a int -- c; d\n);\n\n-- end\nALTER TABLE t WITH x = 1;\n";
        assert_eq!(
            statements(file),
            ["CREATE TABLE t (\n  a int\n)", "ALTER TABLE t WITH x = 1"]
        );
        assert_eq!(statements("-- nothing\n"), [""; 0]);
    }

    #[test]
    fn an_added_column_is_recognised() {
        let added = added_column("ALTER TABLE drops ADD item_products list<uuid>");
        assert_eq!(added, Some(("drops", "item_products")));
        assert_eq!(added_column("ALTER TABLE drops WITH x = 1"), None);
        assert_eq!(added_column("CREATE TABLE drops (a int)"), None);
    }

    #[test]
    fn versions_count_from_one_and_name_their_files() {
        for (number, migration) in (1..).zip(&MIGRATIONS) {
            assert_eq!(migration.version, number);
            assert!(
                migration.name.starts_with(&format!("{number:04}_")),
                "{}",
                migration.name
            );
        }
    }

    /// Another text under a published number would be refused by every keyspace that has it.
    #[test]
    fn every_file_is_a_migration() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../cql");
        let mut files: Vec<String> = std::fs::read_dir(format!("{root}/base"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names = MIGRATIONS.iter().map(|it| format!("{}.cql", it.name));
        let known: Vec<_> = std::iter::once("0000_migrations.cql".to_owned())
            .chain(names)
            .collect();
        assert_eq!(files, known);
        for flavor in ["scylla", "cassandra"] {
            for file in std::fs::read_dir(format!("{root}/overlay/{flavor}")).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                let migration = MIGRATIONS
                    .iter()
                    .find(|it| name == format!("{}.cql", it.name))
                    .unwrap();
                assert!(
                    !migration.scylla.is_empty() && !migration.cassandra.is_empty(),
                    "{name}"
                );
            }
        }
    }

    /// A migration that was cut off is run again from its beginning.
    #[test]
    fn every_statement_may_be_repeated_and_every_table_is_explained() {
        for migration in &MIGRATIONS {
            for statement in migration.statements(Flavor::Scylla) {
                let is_harmless =
                    statement.contains("IF NOT EXISTS") || statement.starts_with("ALTER TABLE");
                assert!(is_harmless, "{statement}");
            }
            let lines: Vec<_> = migration.base.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                if line.starts_with("CREATE TABLE") {
                    let comment = lines[..at]
                        .iter()
                        .rev()
                        .take_while(|line| line.starts_with("--"));
                    let comment: String = comment.copied().collect();
                    for word in ["Purpose", "Access", "Growth"] {
                        assert!(comment.contains(word), "{word} of {line}");
                    }
                    assert!(
                        comment.contains("LWT only") || comment.contains("Plain writes"),
                        "{line}"
                    );
                }
            }
        }
    }

    /// The comments of the tables say which are written by LWT alone: exactly those are warmed.
    #[test]
    fn tables_of_lwt_are_warmed() {
        let mut lwt = Vec::new();
        for migration in &MIGRATIONS {
            let mut comment = String::new();
            for line in migration.base.lines() {
                match line.strip_prefix("CREATE TABLE IF NOT EXISTS ") {
                    Some(name) if comment.contains("LWT only") => {
                        lwt.push(name.trim_end_matches(" (").to_owned())
                    }
                    Some(_) | None => {}
                }
                if line.starts_with("--") {
                    comment += line
                } else {
                    comment.clear()
                }
            }
        }
        let mut warmed: Vec<_> = WARM_UP
            .iter()
            .map(|it| it.split(' ').nth(2).unwrap().to_owned())
            .collect();
        lwt.sort();
        warmed.sort();
        assert_eq!(warmed, lwt);
    }
}
