//! Waiting to be told to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Error;

/// Ctrl-C and SIGTERM. Once made, neither ends the process by itself any more.
#[derive(Debug)]
pub(super) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl EndSignals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C ends a tool in good order: the store it may have opened is closed, as at any other end.
pub(super) async fn interruptible<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        done = work => Ok(done),
        _ = tokio::signal::ctrl_c() => Err(Error::Io { what: "stopped".to_owned(), source: io::ErrorKind::Interrupted.into() }),
    }
}
