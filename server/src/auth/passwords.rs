//! Passwords: argon2id on a few threads of its own behind a bounded queue, so that a flood of sign-ins costs orders nothing.

use std::{
    fmt, panic,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::SetupError;
use crate::domain::account::Password;

/// Work that may wait. At 20 ms each and one thread, the last waits under 3 s, within any deadline worth waiting for.
const QUEUE_MAX: usize = 128;

/// When a caller who found the queue full may come back.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a hash costs; one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
}

impl PasswordCost {
    /// For real accounts: 19 MiB, twice.
    pub const STRONG: Self = Self {
        memory_kib: 19 * 1024,
        iterations: 2,
    };
    /// For tests and demos, which make thousands of accounts at once. Protects nothing.
    pub const CHEAP: Self = Self {
        memory_kib: 64,
        iterations: 1,
    };
}

/// Why a password was not hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many wait already; nothing was done.
    #[error("the password queue is full")]
    QueueFull,
    /// A stored hash or the hasher is broken.
    #[error("passwords do not work: {0}")]
    Failed(String),
}

type Job = Box<dyn FnOnce() + Send>;

/// Hashes and checks passwords. Its threads end when it is dropped.
pub struct Passwords {
    queue: mpsc::SyncSender<Job>,
    argon2: Argon2<'static>,
    /// The hash of no password: checked when there is no account, so that both take equal time.
    dummy: Arc<str>,
}

impl Passwords {
    /// Starts the threads: half as many as there are cores, at least one.
    ///
    /// # Errors
    /// If `cost` is out of argon2's range, or a thread can't be started.
    pub fn start(cost: PasswordCost) -> Result<Self, SetupError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::start_with(cost, (cores / 2).max(1), QUEUE_MAX)
    }

    fn start_with(
        cost: PasswordCost,
        threads: usize,
        queue_max: usize,
    ) -> Result<Self, SetupError> {
        let params =
            Params::new(cost.memory_kib, cost.iterations, 1, None).map_err(SetupError::crypto)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = argon2
            .hash_password(b"")
            .map_err(SetupError::crypto)?
            .to_string()
            .into();
        let (queue, jobs) = mpsc::sync_channel::<Job>(queue_max);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name("password".into())
                .spawn(move || work(&jobs))
                .map_err(SetupError::Thread)?;
        }
        Ok(Self {
            queue,
            argon2,
            dummy,
        })
    }

    /// A new hash of `password` with a random salt, in PHC form.
    ///
    /// # Errors
    /// If too many wait already, or the hasher fails.
    pub async fn hash(&self, password: &Password) -> Result<String, PasswordError> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        self.run(move || {
            argon2
                .hash_password(password.expose())
                .map(|hash| hash.to_string())
                .map_err(failed)
        })
        .await
    }

    /// Whether `password` is the one of `hash`. Without a hash it is not, which takes as long to find.
    ///
    /// # Errors
    /// If too many wait already, or `hash` is not in PHC form.
    pub async fn verify(
        &self,
        password: &Password,
        hash: Option<&str>,
    ) -> Result<bool, PasswordError> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let expected = hash.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        let is_right = self
            .run(move || is_right(&argon2, &password, &expected))
            .await?;
        Ok(is_right && hash.is_some())
    }

    async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            // Callers who gave up while they waited cost nothing.
            if !reply.is_closed() {
                let _ = reply.send(task());
            }
        };
        self.queue
            .try_send(Box::new(job))
            .map_err(|_| PasswordError::QueueFull)?;
        answer
            .await
            .unwrap_or_else(|_| Err(PasswordError::Failed("the hasher panicked".into())))
    }
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // The lock is held while waiting: one thread waits for a job, the others for the lock.
        let Ok(job) = jobs.lock().recv() else { return };
        // A panic must not cost a thread.
        let _ = panic::catch_unwind(panic::AssertUnwindSafe(job));
    }
}

fn is_right(
    argon2: &Argon2<'_>,
    password: &Password,
    expected: &str,
) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(expected).map_err(failed)?;
    match argon2.verify_password(password.expose(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl fmt::Display) -> PasswordError {
    PasswordError::Failed(error.to_string())
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("params", self.argon2.params())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text.into()).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::start(PasswordCost::CHEAP).unwrap();
        let (right, wrong) = (password("correct horse"), password("correct horsf"));
        let hash = passwords.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(&right).await.unwrap(), "salted");
        assert!(passwords.verify(&right, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&wrong, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&right, None).await.unwrap());
        assert!(matches!(
            passwords.verify(&right, Some("plain")).await,
            Err(PasswordError::Failed(_))
        ));
    }

    #[test]
    fn the_dummy_costs_what_an_account_costs() {
        let passwords = Passwords::start(PasswordCost::STRONG).unwrap();
        assert!(
            passwords
                .dummy
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            passwords.dummy
        );
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_panics_cost_no_thread() {
        let passwords = Arc::new(Passwords::start_with(PasswordCost::CHEAP, 1, 1).unwrap());
        let panicked = passwords.run::<()>(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(PasswordError::Failed(_))));

        // Occupy the one thread, then the one place in the queue.
        let (started, is_started) = oneshot::channel();
        let (release, is_released) = mpsc::channel::<()>();
        let busy = tokio::spawn({
            let passwords = Arc::clone(&passwords);
            async move {
                let block = move || {
                    let _ = started.send(());
                    let _ = is_released.recv();
                    Ok(())
                };
                passwords.run(block).await
            }
        });
        is_started.await.unwrap();
        let right = password("right");
        let mut waiting = Box::pin(passwords.hash(&right));
        assert!((&mut waiting).now_or_never().is_none());
        let refused = passwords.verify(&password("x"), None).await;
        assert!(matches!(refused, Err(PasswordError::QueueFull)));
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
        assert!(waiting.await.is_ok());
    }
}
