//! The one handle through which time, ids, randomness, sleeping and spawning come in, so that a simulation can own them all.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::domain::Timestamp;

/// A boxed future, as [`Env`] takes and gives them.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// The world outside, as far as `ledger`, `jobs` and the services may see it.
pub trait Env: Send + Sync + fmt::Debug {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Ends after `span`.
    fn sleep(&self, span: Duration) -> BoxFuture<()>;
    /// Runs a task to its end, whatever happens to the caller. `name` shows in diagnostics.
    fn spawn(&self, name: &'static str, task: BoxFuture<()>);
    /// Fills `bytes` from a cryptographically secure source.
    fn fill_random(&self, bytes: &mut [u8]);
    /// A new time-ordered id (UUIDv7).
    fn uuid(&self) -> Uuid;
}

/// Shared handle on an [`Env`].
pub type SharedEnv = Arc<dyn Env>;

/// 16 or 32 random bytes.
pub fn random<const N: usize>(env: &dyn Env) -> [u8; N] {
    let mut bytes = [0; N];
    env.fill_random(&mut bytes);
    bytes
}

/// The real world: the system's clock and randomness, tokio's timers and tasks.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEnv;

impl Env for SystemEnv {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, span: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(span))
    }

    fn spawn(&self, _name: &'static str, task: BoxFuture<()>) {
        tokio::spawn(task);
    }

    #[expect(
        clippy::expect_used,
        reason = "a machine without randomness can't make tokens or ids: stopping is right"
    )]
    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system's random source works");
    }

    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}
