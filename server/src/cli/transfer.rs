//! `livedrop export` and `livedrop import`: the truth into a file, and from it.

use std::{fs::File, io::BufWriter, path::Path, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Error,
    args::{ExportArgs, ImportArgs},
    ledger_source::Place,
    print, rebuild,
    signal::interruptible,
};
use crate::{
    env::{Env as _, SharedEnv, SystemEnv},
    events::Sinks,
    jobs::transfer::{self, Checked, Counts, ImportError, Imported, Step, file::Writer},
    projectors,
};

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Bytes of the file that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

pub(super) async fn export(args: ExportArgs) -> Result<(), Error> {
    let to = &args.to;
    let failed = || Error::io(format!("can't write {}", to.display()));
    if to.symlink_metadata().is_ok() {
        return Err(taken(to));
    }
    let store = Place::find(&args.store).await?.open_alone().await?;
    // Under another name first, so that there is a whole file or none. Mode 0600 is this library's promise.
    let folder = to.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(".livedrop-export-")
        .tempfile_in(folder)
        .map_err(failed())?;
    let env: SharedEnv = Arc::new(SystemEnv);
    let consumers = projectors::consumers(&env, &store, &Sinks::default());
    let out = BufWriter::with_capacity(BUFFER_BYTES, file.as_file());
    let failure = |error| Error::Export {
        to: to.clone(),
        source: error,
    };
    let writer = Writer::new(out, SystemEnv.now());
    let writer = writer.map_err(|error| failure(error.into()))?;
    let mut pace = Pace::default();
    let each = |table: crate::store::truth::TruthTable, rows| {
        pace.tell(|| format!("{} {}", rows, table.name()));
    };
    let counts = interruptible(transfer::export(&store, &consumers, writer, each)).await?;
    let counts = counts.map_err(failure)?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist_noclobber(to).map_err(|error| {
        if error.error.kind() == std::io::ErrorKind::AlreadyExists {
            taken(to)
        } else {
            failed()(error.error)
        }
    })?;
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed())?;
    print(&format!(
        "{}exported to {}\nit holds password hashes and the secrets of ledgers: keep it where only you can read it\n",
        table_of(&counts),
        to.display()
    ))
}

pub(super) async fn import(args: ImportArgs) -> Result<(), Error> {
    let from = &args.from;
    let file = File::open(from).map_err(Error::io(format!("can't read {}", from.display())))?;
    let failure = |source: ImportError| Error::Import {
        from: from.clone(),
        source: Box::new(source),
    };
    // Before a store is made for it.
    let checked = Checked::read(&file).map_err(|error| failure(error.into()))?;
    let store = Place::find(&args.store).await?.make_alone().await?;
    let env: SharedEnv = Arc::new(SystemEnv);
    // Without sinks: what was told stays told, and is not told again.
    let consumers = projectors::consumers(&env, &store, &Sinks::default());
    let mut pace = Pace::default();
    let each = |step: Step<'_>| pace.tell(|| told(step));
    let imported = transfer::import(&env, &store, &consumers, &checked, each);
    let Imported { rows, rebuilt } = match interruptible(imported).await? {
        Ok(imported) => imported,
        Err(error) => {
            if let ImportError::Different(difference) = &error {
                for row in &difference.named {
                    eprintln!("livedrop: {row}");
                }
            }
            return Err(failure(error));
        }
    };
    print(&format!(
        "{}imported from {}: every row was read again and is as in the file\n\n",
        table_of(&rows),
        from.display()
    ))?;
    rebuild::report(&rebuilt, &consumers)
}

fn taken(path: &Path) -> Error {
    Error::Usage(format!(
        "{} is there already, and nothing is overwritten: choose another name",
        path.display()
    ))
}

/// Rows of each table, for people.
pub(super) fn table<'a>(rows: impl Iterator<Item = (&'a str, u64)>) -> String {
    let line = |(table, rows): (&str, u64)| format!("{table:<24}{rows:>10}\n");
    let head = format!("{:<24}{:>10}\n", "table", "rows");
    std::iter::once(head).chain(rows.map(line)).collect()
}

fn table_of(counts: &Counts) -> String {
    table(counts.iter().map(|(table, rows)| (table.name(), *rows)))
}

fn told(step: Step<'_>) -> String {
    match step {
        Step::Put(put, total) => format!("{put} of {total} rows written"),
        Step::Compare => "comparing every row with the file".to_owned(),
        Step::Rebuild(done) => rebuild::so_far(done),
    }
}

/// Tells how far it is, not too often.
struct Pace(Instant);

impl Default for Pace {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Pace {
    fn tell(&mut self, text: impl FnOnce() -> String) {
        if self.0.elapsed() >= TELL_EVERY {
            self.0 = Instant::now();
            eprintln!("livedrop: {}", text());
        }
    }
}
