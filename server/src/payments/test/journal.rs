//! Where facts become durable: one thread puts everything that waits into the file with one write and one fsync.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    thread::JoinHandle,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    file::{self, FileError},
    line::Line,
};

/// Most calls that wait for the file; beyond it they wait to get in.
const QUEUE_MAX: usize = 1024;

/// The provider's memory beyond its process.
#[derive(Debug)]
pub(super) enum Journal {
    /// None: everything is forgotten.
    Memory,
    File(Writer),
}

#[derive(Debug)]
pub(super) struct Writer {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Lines of one call, and who waits for them.
#[derive(Debug)]
pub(super) struct Job {
    lines: Vec<u8>,
    done: oneshot::Sender<()>,
}

/// A place in the queue. The order of [`submit`](Self::submit) is the order in the file.
#[derive(Debug)]
pub(super) enum Slot<'a> {
    Memory,
    File(mpsc::Permit<'a, Job>),
}

/// The file could not be written; it takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// Resolves when the lines, and all before them, are on disk.
#[derive(Debug)]
pub(super) struct Written(Option<oneshot::Receiver<()>>);

impl Journal {
    /// Opens the file, or makes it; hands its lines to `take`; cuts off a torn end.
    pub(super) fn open(
        path: &Path,
        take: impl FnMut(Line) -> Result<(), String>,
    ) -> Result<Self, FileError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            // It holds the secrets of 3-D Secure pages.
            .mode(0o600)
            .open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FileError::Locked,
            TryLockError::Error(error) => error.into(),
        })?;
        let whole = file::read(&file, take)?;
        if file.metadata()?.len() > whole {
            file.set_len(whole)?;
            file.sync_all()?;
        }
        File::open(folder)?.sync_all()?;
        Self::on(file)
    }

    /// Appends to a file that is open.
    pub(super) fn on(file: File) -> Result<Self, FileError> {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("test-provider".to_owned())
            .spawn(move || write_all(&file, jobs))?;
        Ok(Self::File(Writer {
            queue: Some(queue),
            thread: Some(thread),
        }))
    }

    pub(super) async fn reserve(&self) -> Result<Slot<'_>, Broken> {
        match self {
            Self::Memory => Ok(Slot::Memory),
            Self::File(writer) => {
                let queue = writer.queue.as_ref().ok_or(Broken)?;
                queue.reserve().await.map(Slot::File).map_err(|_| Broken)
            }
        }
    }
}

impl Slot<'_> {
    /// Queues whole lines; none, to wait for those of others.
    pub(super) fn submit(self, lines: Vec<u8>) -> Written {
        match self {
            Self::Memory => Written(None),
            Self::File(permit) => {
                let (done, written) = oneshot::channel();
                permit.send(Job { lines, done });
                Written(Some(written))
            }
        }
    }
}

impl Written {
    pub(super) async fn wait(self) -> Result<(), Broken> {
        match self.0 {
            None => Ok(()),
            Some(written) => written.await.map_err(|_| Broken),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // It empties the queue and ends.
            drop(thread.join());
        }
    }
}

/// Ends with the queue, or with the first failure: what is on disk is not known from then on, so nobody is answered any more.
fn write_all(file: &File, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(QUEUE_MAX);
    let mut bytes = Vec::new();
    while jobs.blocking_recv_many(&mut group, QUEUE_MAX) > 0 {
        bytes.clear();
        group
            .iter()
            .for_each(|job| bytes.extend_from_slice(&job.lines));
        if let Err(error) = write(file, &bytes) {
            tracing::error!(%error, "the test provider's file can't be written: it answers no more");
            return;
        }
        for job in group.drain(..) {
            // Whoever waited may have gone.
            let _ = job.done.send(());
        }
    }
}

fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.write_all(bytes)?;
    file.sync_data()
}
