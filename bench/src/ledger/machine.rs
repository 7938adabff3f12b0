//! What the numbers were measured on: they mean nothing without it.

use std::{
    fs::{File, read_to_string},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

/// Writes whose fsync is timed.
const WRITES: usize = 200;
/// The size of each: a small record.
const BYTES: usize = 4096;

/// One line on each part of the machine. Blocks for as long as the disk takes.
pub(super) fn describe(disk: &Path) -> anyhow::Result<Vec<String>> {
    let cpu = first_of("/proc/cpuinfo", "model name");
    let cores = std::thread::available_parallelism()?;
    let memory = first_of("/proc/meminfo", "MemTotal");
    let memory = memory.split_whitespace().next().unwrap_or_default();
    let memory = memory.parse::<u64>().unwrap_or(0) as f64 / f64::from(1 << 20);
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or("?");
    let [p50, p99] = fsync(disk)?;
    Ok(vec![
        format!("machine: {cores} cores ({cpu}), {memory:.0} GiB; load before the run {load}"),
        format!(
            "disk: {BYTES} B and fdatasync p50 {p50:.1?}, p99 {p99:.1?} ({})",
            disk.display()
        ),
    ])
}

/// The value after a name in one of `/proc`'s files.
fn first_of(file: &str, name: &str) -> String {
    let text = read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_once(':'));
    value.map_or("?", |(_, value)| value.trim()).to_owned()
}

/// Times of a small write with fdatasync at the end of a file: median and 99th percentile.
fn fsync(disk: &Path) -> anyhow::Result<[Duration; 2]> {
    let dir = tempfile::tempdir_in(disk)?;
    let path: PathBuf = dir.path().join("fsync");
    let mut file = File::create(path)?;
    let mut times = Vec::new();
    for _ in 0..WRITES {
        let begun = Instant::now();
        file.write_all(&[7; BYTES])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times.get(WRITES * share / 100).copied().unwrap_or_default();
    Ok([at(50), at(99)])
}
