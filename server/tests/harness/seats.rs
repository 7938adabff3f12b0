//! Numbers that one test at a time has, among all test processes on this machine. Who has one holds a file lock, which the system takes
//! back whatever becomes of the test.

use std::{
    fs::{File, TryLockError},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

/// Nobody waits longer for one: a test that has its own for so long hangs.
const FREE_WITHIN: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// So many numbers, from 0, with their locks in a folder.
pub(crate) struct Seats {
    pub(crate) folder: PathBuf,
    pub(crate) count: usize,
}

/// A number that nobody else has.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) number: usize,
    lock: Arc<File>,
}

impl Seats {
    /// Waits for one; the lowest first, so that few are used where few are needed.
    pub(crate) async fn take(&self) -> Seat {
        std::fs::create_dir_all(&self.folder).unwrap();
        let until = Instant::now() + FREE_WITHIN;
        loop {
            if let Some(seat) = (0..self.count).find_map(|number| self.try_take(number)) {
                return seat;
            }
            assert!(Instant::now() < until, "nothing became free in time");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    pub(crate) fn try_take(&self, number: usize) -> Option<Seat> {
        let path = self.folder.join(format!("{number}.lock"));
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let lock = options.open(&path).unwrap();
        match lock.try_lock() {
            Ok(()) => Some(Seat {
                number,
                lock: Arc::new(lock),
            }),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => panic!("{}: {error}", path.display()),
        }
    }
}

impl Seat {
    /// The lock as a process' standard input: one that outlives its test, which was killed, keeps the seat.
    pub(crate) fn stdin(&self) -> Stdio {
        self.lock.try_clone().unwrap().into()
    }

    /// Keeps the seat until the test's runtime ends: servers in this process run so long, whoever drops their handles.
    pub(crate) fn keep(&self) {
        let lock = Arc::clone(&self.lock);
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(lock);
        });
    }
}
