//! Appends per second of the embedded store on disk, with fsync: `cargo bench -p livedrop-bench --bench store [-- DIR]`.
//! DIR (default: the temporary directory) says which disk. No criterion: what counts is the throughput of many callers at once.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hdrhistogram::Histogram;
use livedrop_server::{
    domain::{DropId, Timestamp},
    store::{
        Append, LedgerRecord, LedgerStore,
        embedded::{EmbeddedStore, Options},
    },
};
use tokio::time::Instant;
use uuid::Uuid;

const WARM_UP: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(4);

fn record(ledger_id: DropId, seq: u64, bytes: usize) -> LedgerRecord {
    LedgerRecord {
        ledger_id,
        seq,
        format: 1,
        fold_version: 1,
        writer_id: Uuid::new_v4(),
        batch_id: Uuid::new_v4(),
        recorded_at: Timestamp::from_micros(0),
        available: 1,
        held: 2,
        sold: 3,
        prev_hash: [1; 32],
        hash: [2; 32],
        body: vec![3; bytes].into(),
    }
}

/// One ledger's writer: appends one record after the other. Gives the latencies in microseconds.
async fn write(store: Arc<EmbeddedStore>, bytes: usize) -> anyhow::Result<Histogram<u64>> {
    let ledger_id = DropId::new(Uuid::new_v4());
    let mut latencies = Histogram::new(3)?;
    let started = Instant::now();
    for seq in 1.. {
        let record = record(ledger_id, seq, bytes);
        let before = Instant::now();
        anyhow::ensure!(store.append(&record).await? == Append::Appended);
        if started.elapsed() > WARM_UP + SPAN {
            break;
        }
        if started.elapsed() > WARM_UP {
            latencies.record(u64::try_from(before.elapsed().as_micros())?)?;
        }
    }
    Ok(latencies)
}

async fn measure(parent: &std::path::Path, bytes: usize, callers: usize) -> anyhow::Result<()> {
    let dir = tempfile::tempdir_in(parent)?;
    let store = Arc::new(EmbeddedStore::open(dir.path(), Options::default())?);
    let writers: Vec<_> = (0..callers)
        .map(|_| tokio::spawn(write(Arc::clone(&store), bytes)))
        .collect();
    let mut all = Histogram::<u64>::new(3)?;
    for writer in writers {
        all.add(writer.await??)?;
    }
    let [p50, p99] =
        [0.5, 0.99].map(|quantile| Duration::from_micros(all.value_at_quantile(quantile)));
    let rate = all.len() as f64 / SPAN.as_secs_f64();
    println!(
        "{bytes:>6} B  {callers:>3} callers  {rate:>8.0} appends/s  p50 {p50:>8.1?}  p99 {p99:>8.1?}"
    );
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let parent = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let parent = parent.map_or_else(std::env::temp_dir, PathBuf::from);
    for bytes in [200, 16 << 10] {
        for callers in [1, 64] {
            measure(&parent, bytes, callers).await?;
        }
    }
    Ok(())
}
