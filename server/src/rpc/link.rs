//! What calls know of the connection they came by.

use std::sync::atomic::AtomicUsize;

use tokio_util::sync::CancellationToken;

use super::call::Peer;

/// A connection, seen from its calls.
#[derive(Debug)]
pub struct Link {
    /// The other end.
    pub peer: Peer,
    /// Cancelled when the connection is asked to end: for its age, or with the server.
    pub(super) ending: CancellationToken,
    /// Cancelled when the server begins to stop.
    pub(super) stopping: CancellationToken,
    /// Streams that are open on it.
    pub(super) watches: AtomicUsize,
}

impl Link {
    /// A new connection of a server that stops with `stopping`.
    #[must_use]
    pub fn new(peer: Peer, stopping: &CancellationToken) -> Self {
        Self {
            peer,
            ending: stopping.child_token(),
            stopping: stopping.clone(),
            watches: AtomicUsize::new(0),
        }
    }
}
