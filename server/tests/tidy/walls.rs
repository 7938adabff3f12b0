//! Which module may know what (`ARCHITECTURE.md`). Tests inside the modules are free.

use crate::{Finding, source::Source, uses};

/// A wall: in `inside` (module folders; `""` is the whole server) but not in `except`, the rule holds, because of `reason`.
struct Wall {
    inside: &'static [&'static str],
    except: &'static [&'static str],
    rule: Rule,
    reason: &'static str,
}

enum Rule {
    /// Of our own modules, only these are named.
    KnowsOnly(&'static [&'static str]),
    /// None of these paths is named; `*` is any one segment.
    Never(&'static [&'static str]),
}

use Rule::{KnowsOnly, Never};

/// All ways to make one; reading one is free.
const STATUS_IS_BUILT: &[&str] = &[
    "Status::new",
    "Status::with_details",
    "Status::with_details_and_metadata",
    "Status::with_error_details",
    "Status::with_error_details_and_metadata",
    "Status::with_error_details_vec",
    "Status::with_error_details_vec_and_metadata",
    "Status::with_metadata",
    "Status::from_error",
    "Status::ok",
    "Status::cancelled",
    "Status::unknown",
    "Status::invalid_argument",
    "Status::deadline_exceeded",
    "Status::not_found",
    "Status::already_exists",
    "Status::permission_denied",
    "Status::resource_exhausted",
    "Status::failed_precondition",
    "Status::aborted",
    "Status::out_of_range",
    "Status::unimplemented",
    "Status::internal",
    "Status::unavailable",
    "Status::data_loss",
    "Status::unauthenticated",
];

const WALLS: &[Wall] = &[
    Wall {
        inside: &["domain"],
        except: &[],
        rule: KnowsOnly(&["domain"]),
        reason: "the rules of the trade stand on nothing else of ours",
    },
    Wall {
        inside: &["domain"],
        except: &[],
        rule: Never(&["tokio::*", "std::fs", "std::net", "SystemTime", "Instant"]),
        reason: "the rules of the trade are pure: no I/O, no clock",
    },
    Wall {
        inside: &["env"],
        except: &[],
        rule: KnowsOnly(&["domain", "env"]),
        reason: "the handle on the outside world is below everything that uses it",
    },
    Wall {
        inside: &["store"],
        except: &[],
        rule: KnowsOnly(&["domain", "env", "store", "store_conformance"]),
        reason: "storage does not know what it is used for",
    },
    Wall {
        inside: &["ledger"],
        except: &[],
        rule: KnowsOnly(&["domain", "env", "ledger", "store"]),
        reason: "the stock engine stands on storage alone",
    },
    Wall {
        inside: &["events"],
        except: &[],
        rule: KnowsOnly(&["domain", "events", "ledger", "store"]),
        reason: "an event is a function of what is stored; who tells it, and to whom, is not known here",
    },
    Wall {
        inside: &["service"],
        except: &[],
        rule: KnowsOnly(&[
            "auth", "domain", "env", "jobs", "ledger", "media", "payments", "search", "service",
            "store",
        ]),
        reason: "use cases don't know how they are called or started",
    },
    Wall {
        inside: &["jobs"],
        except: &[],
        rule: KnowsOnly(&[
            "domain", "env", "events", "jobs", "ledger", "payments", "search", "store",
        ]),
        reason: "jobs stand on the ledger, storage, payments and events; use cases stand on them",
    },
    Wall {
        inside: &["search"],
        except: &[],
        rule: KnowsOnly(&["domain", "search", "store"]),
        reason: "search knows rows and words, not who asks or what a ledger is",
    },
    Wall {
        inside: &[""],
        except: &["search/tantivy"],
        // `search::tantivy` is the backend.
        rule: Never(&["::tantivy::*"]),
        reason: "a driver stays in its backend",
    },
    Wall {
        inside: &["payments"],
        except: &[],
        rule: KnowsOnly(&["domain", "env", "payments", "payments_conformance"]),
        reason: "a payment provider knows neither stock nor orders: what a payment means is the ledger's",
    },
    Wall {
        inside: &["projectors"],
        except: &[],
        rule: KnowsOnly(&["domain", "env", "events", "ledger", "projectors", "store"]),
        reason: "what is derived from ledgers rests on nothing else",
    },
    Wall {
        inside: &["media"],
        except: &[],
        rule: KnowsOnly(&["auth", "domain", "env", "media"]),
        reason: "pictures are bytes and whose they are: products are not known there",
    },
    Wall {
        inside: &["auth"],
        except: &[],
        rule: KnowsOnly(&["auth", "domain", "env", "store"]),
        reason: "keys, passwords and tokens don't know who asks for them",
    },
    Wall {
        inside: &[""],
        except: &["rpc"],
        rule: Never(&[
            "tonic::*",
            "tonic_health::*",
            "tonic_prost::*",
            "tonic_reflection::*",
            "tonic_types::*",
            "tonic_web::*",
        ]),
        reason: "only rpc/ knows gRPC",
    },
    Wall {
        inside: &[""],
        except: &["rpc/status"],
        rule: Never(STATUS_IS_BUILT),
        reason: "one file turns errors into a Status, so that every one has its code, reason and details",
    },
    Wall {
        inside: &[
            "auth",
            "domain",
            "env",
            "events",
            "jobs",
            "ledger",
            "media",
            "payments",
            "projectors",
            "search",
            "service",
            "store",
        ],
        except: &[],
        rule: Never(&["livedrop_proto::v1"]),
        reason: "the public contract is converted in rpc/, so that it can change without the product",
    },
    Wall {
        inside: &[""],
        except: &["store/embedded"],
        rule: Never(&["redb::*"]),
        reason: "a driver stays in its backend",
    },
    Wall {
        inside: &[""],
        except: &["store/scylla"],
        // `store::scylla` is the backend, and may be named by those who choose it.
        rule: Never(&["::scylla::*"]),
        reason: "a driver stays in its backend",
    },
    Wall {
        inside: &[""],
        except: &["media"],
        rule: Never(&["object_store::*", "imagesize::*"]),
        reason: "a driver stays in its backend",
    },
    Wall {
        inside: &[""],
        except: &["payments/stripe"],
        rule: Never(&["reqwest::*"]),
        reason: "a driver stays in its backend",
    },
    Wall {
        inside: &[""],
        except: &["hot/redis", "bus/redis"],
        rule: Never(&["fred::*"]),
        reason: "a driver stays in its backend",
    },
    Wall {
        inside: &[""],
        except: &["app", "cli", "store/embedded", "store/scylla"],
        rule: Never(&[
            "EmbeddedStore",
            "store::embedded",
            "ScyllaStore",
            "store::scylla",
        ]),
        reason: "only app (and the offline tools of cli) chooses a backend",
    },
    Wall {
        inside: &[
            "events",
            "jobs",
            "ledger",
            "payments",
            "projectors",
            "service",
        ],
        except: &["payments/conformance"],
        rule: Never(&[
            "tokio::spawn",
            "task::spawn",
            "task::spawn_blocking",
            "JoinSet",
            "time::sleep",
            "time::sleep_until",
            "time::interval",
            "time::timeout",
            "thread::spawn",
            "thread::sleep",
            "SystemTime",
            "Instant::now",
            "rand::*",
            "getrandom::*",
            "Uuid::now_v7",
            "Uuid::new_v4",
        ]),
        reason: "time, tasks, ids and randomness come in through env::Env, so that a simulation can own them",
    },
    Wall {
        inside: &[""],
        except: &[],
        rule: Never(&["std::time::Instant"]),
        reason: "tokio's Instant can be paused by tests",
    },
];

/// Every path in the file that a wall forbids.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let Some(file) = source
        .path
        .strip_prefix("server/src/")
        .and_then(|file| file.strip_suffix(".rs"))
    else {
        return Vec::new();
    };
    if file.split('/').any(is_of_tests) {
        return Vec::new();
    }
    let walls: Vec<&Wall> = WALLS.iter().filter(|wall| applies(wall, file)).collect();
    let mut findings = Vec::new();
    for used in uses::of(&source.text, &module(file)) {
        for wall in walls.iter().filter(|wall| breaks(&wall.rule, &used)) {
            let what = format!("`{}`: {}", used.segments.join("::"), wall.reason);
            findings.push(Finding {
                path: source.path.clone(),
                line: used.line,
                what,
            });
        }
    }
    findings
}

/// A module of tests in files of its own; it is declared under `#[cfg(test)]`.
fn is_of_tests(part: &str) -> bool {
    part == "tests" || part == "testing" || part.ends_with("_tests")
}

fn applies(wall: &Wall, file: &str) -> bool {
    let within = |folder: &&str| {
        folder.is_empty()
            || file
                .strip_prefix(*folder)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    wall.inside.iter().any(within) && !wall.except.iter().any(within)
}

fn breaks(rule: &Rule, used: &uses::Use) -> bool {
    match rule {
        Never(patterns) => patterns.iter().any(|pattern| used.matches(pattern)),
        KnowsOnly(modules) => match used.segments.as_slice() {
            [first, second, ..] => first == "crate" && !modules.contains(&second.as_str()),
            [] | [_] => false,
        },
    }
}

/// `store/embedded` is `crate::store::embedded`; the roots are `crate`.
fn module(file: &str) -> Vec<String> {
    let parts = file
        .split('/')
        .filter(|part| !["lib", "main"].contains(part));
    std::iter::once("crate")
        .chain(parts)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn each_wall_is_seen_when_broken() {
        let planted = [
            ("domain/money", "use crate::store::Put;"),
            ("domain", "use super::env;"),
            ("domain/time", "fn f() { tokio::fs::read(path); }"),
            ("env", "use crate::ledger::Ledger;"),
            (
                "store/orders",
                "use crate::{domain::DropId, service::Error};",
            ),
            ("ledger/writer", "use crate::service;"),
            ("events/row", "use crate::env::Env;"),
            ("service/orders", "fn f() -> crate::rpc::Answer { g() }"),
            ("payments/test", "fn f() { tokio::time::sleep(span); }"),
            ("jobs/sweeper", "use crate::app::App;"),
            ("payments/test", "use crate::ledger::Command;"),
            ("projectors/orders", "use crate::service::Context;"),
            ("media/sweep", "use crate::store::SharedStore;"),
            ("web/media", "use object_store::path::Path;"),
            ("auth/tokens", "use crate::service::Error;"),
            ("web", "use tonic::transport::Server;"),
            ("rpc/orders", "fn f() -> Status { Status::internal(\"x\") }"),
            ("service/drops", "use livedrop_proto::v1::Drop;"),
            ("store/drops", "use redb::Database;"),
            ("store/embedded", "use scylla::Session;"),
            ("jobs/relay", "use crate::store::scylla::Settings;"),
            ("jobs/payments", "use reqwest::Client;"),
            ("ledger", "use fred::prelude::*;"),
            ("service/drops", "use crate::store::EmbeddedStore;"),
            ("rpc/serve", "use crate::store::embedded::open;"),
            (
                "ledger/writer",
                "fn f() { select! { () = tokio::time::sleep(span) => {} } }",
            ),
            ("service/sessions", "fn f() { Uuid::now_v7(); }"),
            ("rpc/serve", "use std::time::{Duration, Instant};"),
        ];
        for (file, text) in planted {
            assert_eq!(
                found(&format!("server/src/{file}.rs"), text),
                1,
                "{file}: {text}"
            );
        }
        assert!(
            planted.len() >= WALLS.len(),
            "a wall without a planted violation"
        );
    }

    #[test]
    fn what_is_allowed_passes() {
        let fine = [
            (
                "domain/money",
                "use super::Id; use crate::domain::Time; #[cfg(test)] mod tests { use crate::rpc::X; }",
            ),
            (
                "rpc/status",
                "fn f() -> tonic::Status { Status::new(code, text) }",
            ),
            (
                "store/embedded/tables",
                "use redb::Database; use crate::store::embedded::Error;",
            ),
            ("app", "use crate::store::embedded::EmbeddedStore;"),
            ("app", "use crate::store::scylla::Settings;"),
            ("ledger/tests", "use crate::rpc::X;"),
        ];
        for (file, text) in fine {
            assert_eq!(
                found(&format!("server/src/{file}.rs"), text),
                0,
                "{file}: {text}"
            );
        }
    }
}
