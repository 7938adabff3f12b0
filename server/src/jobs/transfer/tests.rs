//! What is moved is all there, what is not whole is refused, and nothing is overwritten.

mod damage;

use std::{
    fs::File,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;

use super::{
    file::{Reader, Writer},
    *,
};
use crate::{
    app::{App, Parts, StartError},
    config::{Config, Profile},
    domain::{ProcessId, Timestamp},
    env::{SharedEnv, SystemEnv},
    events::Sinks,
    jobs::rebuild::tests::shop::{Shop, busy_shop},
    projectors,
    store::{
        Put, TruthStore as _,
        conformance::truth::{other, three},
        embedded::{
            EmbeddedStore,
            raw::{self, RawRow},
        },
        faulty::{Fault, FaultPlan, Faulty, Method, Moment, Observer, Subject},
        processes::Heartbeat,
    },
};

fn env() -> SharedEnv {
    Arc::new(SystemEnv)
}

fn consumers(store: &SharedStore) -> Consumers {
    projectors::consumers(&env(), store, &Sinks::default())
}

fn empty() -> (Arc<EmbeddedStore>, SharedStore) {
    let raw = Arc::new(EmbeddedStore::in_memory().unwrap());
    (Arc::clone(&raw), raw)
}

/// A store with rows in every table.
async fn full() -> SharedStore {
    let (_, store) = empty();
    for row in TruthTable::ALL.into_iter().flat_map(three) {
        assert_eq!(store.put_truth(&row).await.unwrap(), Put::Done);
    }
    store
}

async fn exported(store: &SharedStore) -> (File, Counts) {
    let mut bytes = Vec::new();
    let writer = Writer::new(&mut bytes, Timestamp::from_micros(0)).unwrap();
    let counts = export(store, &consumers(store), writer, |_, _| ()).await;
    (file_of(&bytes), counts.unwrap())
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn rows_of(file: &File) -> Vec<TruthRow> {
    let mut reader = Reader::of(file).unwrap();
    std::iter::from_fn(|| reader.next_row().unwrap()).collect()
}

async fn imported(store: &SharedStore, file: &File) -> std::result::Result<Imported, ImportError> {
    let checked = Checked::read(file)?;
    import(&env(), store, &consumers(store), &checked, |_| ()).await
}

async fn all_of(store: &SharedStore) -> Vec<TruthRow> {
    let mut rows = Vec::new();
    for table in TruthTable::ALL {
        let mut of_table = Vec::new();
        scan::<crate::store::StoreError>(store, &consumers(store), table, |row| {
            of_table.push(row);
            Ok(())
        })
        .await
        .unwrap();
        rows.extend(of_table);
    }
    rows.sort_by_key(|row| (row.table(), row.key()));
    rows
}

fn derived(raw: &EmbeddedStore) -> Vec<Vec<RawRow>> {
    raw::DERIVED
        .iter()
        .map(|table| raw.raw_rows(*table))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_busy_shop_is_moved_whole() {
    let shop: Shop = busy_shop().await;
    let source = &shop.ctx.store;
    for row in TruthTable::ALL.into_iter().flat_map(three) {
        assert_eq!(source.put_truth(&row).await.unwrap(), Put::Done);
    }
    shop.rebuild().await;
    let (file, counts) = exported(source).await;
    assert!(counts.values().all(|count| *count >= 3), "{counts:?}");

    let (raw, target) = empty();
    let done = imported(&target, &file).await.unwrap();
    assert_eq!(done.rows, counts);
    assert_eq!(all_of(&target).await, all_of(source).await);
    assert_eq!(derived(&raw), derived(&shop.raw));
    assert!(!Work::Import.is_unfinished(&*target).await.unwrap());
    assert!(!Work::Rebuild.is_unfinished(&*target).await.unwrap());

    // What it notes of itself does not go on to the next store.
    let (again, counts_again) = exported(&target).await;
    assert_eq!(counts_again, counts);
    assert_eq!(rows_of(&again), rows_of(&file));
}

#[tokio::test]
async fn importing_twice_changes_nothing() {
    let source = full().await;
    let (file, _) = exported(&source).await;
    let (raw, target) = empty();
    imported(&target, &file).await.unwrap();
    let before = (all_of(&target).await, derived(&raw));
    imported(&target, &file).await.unwrap();
    assert_eq!((all_of(&target).await, derived(&raw)), before);
}

#[tokio::test]
async fn a_store_with_anything_else_is_refused_and_left_alone() {
    let source = full().await;
    let (file, _) = exported(&source).await;
    for table in TruthTable::ALL {
        let [mine, ..] = three(table);
        let (_, target) = empty();
        target.put_truth(&mine).await.unwrap();
        let Err(ImportError::NotEmpty(difference)) = imported(&target, &file).await else {
            panic!("{table:?} is not refused");
        };
        assert_eq!((difference.extra, difference.other), (1, 0), "{table:?}");
        assert_eq!(all_of(&target).await, [mine]);
        assert!(!Work::Import.is_unfinished(&*target).await.unwrap());
    }
    for row in rows_of(&file) {
        let Some(mine) = other(&row) else { continue };
        let (_, target) = empty();
        target.put_truth(&mine).await.unwrap();
        let Err(ImportError::NotEmpty(difference)) = imported(&target, &file).await else {
            panic!("{row:?} is overwritten");
        };
        assert_eq!((difference.extra, difference.other), (0, 1), "{row:?}");
        let named = format!("{} {}: ", row.table().name(), row.key());
        assert!(difference.named[0].starts_with(&named), "{difference:?}");
        assert_eq!(all_of(&target).await, [mine]);
    }
}

async fn start(store: &SharedStore) -> std::result::Result<App, StartError> {
    let parts = Parts {
        store: Some(store.clone()),
        ..Parts::default()
    };
    let mut config = Config::new(Profile::Dev);
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.metrics_listen = None;
    App::start_with(&config, parts).await
}

#[tokio::test]
async fn one_that_was_cut_off_goes_on_and_no_server_starts_before_its_end() {
    let source = full().await;
    let (file, _) = exported(&source).await;
    let (raw, _) = empty();
    let faulty = Arc::new(Faulty::new(raw, env(), FaultPlan::default(), 1));
    let store: SharedStore = Arc::<Faulty<EmbeddedStore>>::clone(&faulty);
    // In the middle of writing, and twice of rebuilding.
    for (method, what) in [
        (Method::PutTruth, "writing"),
        (Method::ScanDrops, "rebuilding"),
        (Method::PutDropTime, "rebuilding"),
    ] {
        faulty.force(method, Fault::Refuse);
        let cut_off = imported(&store, &file).await;
        let is_told = match &cut_off {
            Err(ImportError::Store(_)) => what == "writing",
            Err(ImportError::Rebuild(_)) => what == "rebuilding",
            _ => false,
        };
        assert!(is_told, "{method:?}: {cut_off:?}");
        assert!(Work::Import.is_unfinished(&*store).await.unwrap());
        let started = start(&store).await;
        assert!(
            matches!(started, Err(StartError::HalfImported)),
            "{method:?}"
        );
        let to = Writer::new(Vec::new(), Timestamp::from_micros(0)).unwrap();
        let exported = export(&store, &consumers(&store), to, |_, _| ()).await;
        assert!(matches!(exported, Err(ExportError::HalfImported)));
    }
    imported(&store, &file).await.unwrap();
    assert_eq!(all_of(&store).await, all_of(&source).await);
    let app = start(&store).await.unwrap();
    // It waits until nobody else has the store.
    drop((faulty, store));
    app.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn puts_of_unknown_outcome_are_repeated() {
    let (file, _) = exported(&full().await).await;
    let (raw, _) = empty();
    let faulty = Arc::new(Faulty::new(raw, env(), FaultPlan::default(), 1));
    let store: SharedStore = Arc::<Faulty<EmbeddedStore>>::clone(&faulty);
    for fault in [Fault::Lose, Fault::HideOutcome, Fault::Duplicate] {
        for _ in 0..5 {
            faulty.force(Method::PutTruth, fault);
        }
    }
    imported(&store, &file).await.unwrap();
    assert_eq!(faulty.forced_left(), 0);
}

/// Does something to the store when the last row of the truth was put.
struct Meddler<F> {
    puts_left: AtomicU32,
    meddle: F,
}

impl<F: Fn() + Send + Sync> Observer for Meddler<F> {
    fn observe(&self, moment: Moment, method: Method, _: Subject<'_>) {
        if (moment, method) == (Moment::After, Method::PutTruth)
            && self.puts_left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            (self.meddle)();
        }
    }
}

#[tokio::test]
async fn what_is_not_there_after_all_is_told() {
    let source = full().await;
    let (file, counts) = exported(&source).await;
    let total: u64 = counts.values().sum();
    let extra = three(TruthTable::Accounts)[0].clone();
    let meddled = [
        (Some("lost"), (1, 0, 0)),
        (Some("changed"), (0, 1, 0)),
        (None, (0, 0, 1)),
    ];
    for (how, expected) in meddled {
        let (raw, _) = empty();
        let meddle = {
            let (raw, extra) = (Arc::clone(&raw), extra.clone());
            move || {
                // In memory nothing waits.
                let table = raw::LEDGERS;
                let (key, mut row) = raw.raw_rows(table).remove(0);
                *row.last_mut().unwrap() ^= 1;
                match how {
                    Some("lost") => raw.put_raw_row(table, key, None).now_or_never(),
                    Some(_) => raw.put_raw_row(table, key, Some(row)).now_or_never(),
                    None => raw.put_truth(&extra).map(drop).now_or_never(),
                }
                .unwrap();
            }
        };
        let meddler = Meddler {
            puts_left: AtomicU32::new(u32::try_from(total).unwrap()),
            meddle,
        };
        let faulty = Faulty::new(raw, env(), FaultPlan::default(), 1);
        let store: SharedStore = Arc::new(faulty.observed(Arc::new(meddler)));
        let Err(ImportError::Different(difference)) = imported(&store, &file).await else {
            panic!("{how:?} is not seen");
        };
        let Difference {
            missing,
            other,
            extra,
            named,
        } = difference;
        assert_eq!((missing, other, extra), expected, "{named:?}");
        assert_eq!(named.len(), 1, "{named:?}");
        assert!(matches!(start(&store).await, Err(StartError::HalfImported)));
    }
}

/// However little is remembered at a time, each row is compared once.
#[tokio::test]
async fn comparing_in_parts_finds_the_same() {
    let source = full().await;
    let (file, counts) = exported(&source).await;
    let total: u64 = counts.values().sum();
    let (_, target) = empty();
    let rows = rows_of(&file);
    let (mut missing, mut changed) = (0, 0);
    for (number, row) in rows.iter().enumerate() {
        match (number % 3, other(row)) {
            (0, _) => missing += 1,
            (1, Some(other)) => {
                changed += 1;
                target.put_truth(&other).await.unwrap();
            }
            _ => drop(target.put_truth(row).await.unwrap()),
        }
    }
    for row in three(TruthTable::Jobs) {
        target.put_truth(&row).await.unwrap();
    }
    for remembered_max in [1_000, 20, 7, 1] {
        let consumers = consumers(&target);
        let found = compare::compare(&target, &consumers, &file, total, remembered_max);
        let found = found.await.unwrap();
        assert_eq!(
            (found.missing, found.other, found.extra),
            (missing, changed, 3),
            "{remembered_max} at a time"
        );
        assert_eq!(found.named.len(), 10);
    }
}

#[tokio::test]
async fn nothing_is_moved_while_servers_live() {
    let store = full().await;
    let (file, _) = exported(&store).await;
    let process_id = ProcessId::new(uuid::Uuid::now_v7());
    let heartbeat = Heartbeat {
        process_id,
        address: "10.0.0.1:7400".to_owned(),
        clock: Timestamp::from_micros(1),
    };
    store.beat(&heartbeat).await.unwrap();
    let to = Writer::new(Vec::new(), Timestamp::from_micros(0)).unwrap();
    let refused = export(&store, &consumers(&store), to, |_, _| ()).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("stop them first (10.0.0.1:7400)"), "{text}");
    let refused = imported(&store, &file).await;
    assert!(matches!(refused, Err(ImportError::Alive(_))), "{refused:?}");

    store.leave(process_id).await.unwrap();
    exported(&store).await;
    // One that begins while the rows are read.
    let to = Writer::new(Vec::new(), Timestamp::from_micros(0)).unwrap();
    let consumers = consumers(&store);
    let refused = export(&store, &consumers, to, |table, _| {
        if table == TruthTable::AuditLog {
            store.beat(&heartbeat).now_or_never().unwrap().unwrap();
        }
    });
    let refused = refused.await;
    assert!(matches!(refused, Err(ExportError::Alive(_))), "{refused:?}");
}
