//! A signed-in user: the tokens, and how they stay fresh.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use livedrop_proto::v1;
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};
use tonic::Code;

use crate::{
    connection::{Bearer, Connection},
    error::Error,
};

/// For this long after an exchange that got lost on the way, the server answers a repeat (10 s); later it ends the family.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(8);

/// A pair of tokens in use.
pub(crate) struct Credential {
    tokens: v1::Tokens,
    /// `None` if the token can't be a header, which the server never makes.
    pub(crate) bearer: Option<Bearer>,
    /// From when on the pair should be exchanged, and when the access token ends.
    life: Option<(Instant, Instant)>,
}

impl Credential {
    fn new(tokens: v1::Tokens, just_issued: bool) -> Self {
        let bearer = Bearer::try_from(format!("Bearer {}", tokens.access_token));
        let bearer = bearer.ok().map(|mut bearer| {
            bearer.set_sensitive(true);
            bearer
        });
        let ends_at = tokens.access_token_expires_at;
        let ends_at = ends_at.and_then(|at| SystemTime::try_from(at).ok());
        let left = ends_at.map(|at| {
            at.duration_since(SystemTime::now())
                .unwrap_or(Duration::ZERO)
        });
        // A fresh pair that looks expired means a wrong clock here: then only a refusal starts an exchange.
        let left = left.filter(|left| !(just_issued && left.is_zero()));
        let now = Instant::now();
        Self {
            tokens,
            bearer,
            life: left.and_then(|left| {
                let due = now.checked_add(left.mul_f64(0.8))?;
                Some((due, now.checked_add(left)?))
            }),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.tokens).finish()
    }
}

type Current = Option<Arc<Credential>>;

/// One user's tokens, shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Session {
    current: watch::Sender<Current>,
    /// Held by the one exchange at a time; keeps how the last one ended.
    turn: Mutex<Result<(), Error>>,
    /// Exchanges completed.
    rounds: AtomicU64,
}

impl Session {
    /// A session with tokens that the app kept, or with none.
    pub(crate) fn new(tokens: Option<v1::Tokens>) -> Arc<Self> {
        let current = tokens.map(|tokens| Arc::new(Credential::new(tokens, false)));
        Arc::new(Self {
            current: watch::Sender::new(current),
            turn: Mutex::new(Ok(())),
            rounds: AtomicU64::new(0),
        })
    }

    pub(crate) fn current(&self) -> Current {
        self.current.borrow().clone()
    }

    pub(crate) fn tokens(&self) -> Option<v1::Tokens> {
        let current = self.current.borrow();
        current.as_ref().map(|it| it.tokens.clone())
    }

    pub(crate) fn set(&self, tokens: Option<v1::Tokens>, just_issued: bool) {
        let next = tokens.map(|tokens| Arc::new(Credential::new(tokens, just_issued)));
        self.current.send_replace(next);
    }

    pub(crate) fn changes(&self) -> TokenChanges {
        TokenChanges(self.current.subscribe())
    }

    /// The credential to call with. Exchanges it in the background when it is due, and first if it has ended.
    pub(crate) async fn credential(self: &Arc<Self>, connection: &Arc<Connection>) -> Current {
        let current = self.current()?;
        let Some((due, ends)) = current.life else {
            return Some(current);
        };
        let now = Instant::now();
        if now >= ends {
            // If this fails the server refuses the old token, and the call tells why.
            let _ = self.exchange(connection, &current).await;
            return self.current();
        }
        if now >= due && self.turn.try_lock().is_ok() {
            drop(self.spawn_exchange(connection, &current));
        }
        Some(current)
    }

    /// Replaces `stale` by the next pair. Many callers make one exchange.
    ///
    /// # Errors
    /// `Unauthenticated` if the session has ended: the user has to sign in.
    pub(crate) async fn exchange(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        stale: &Arc<Credential>,
    ) -> Result<(), Error> {
        let task = self.spawn_exchange(connection, stale);
        let aborted = |_| Error::local(Code::Unavailable, "the exchange of tokens was stopped");
        task.await.map_err(aborted)?
    }

    /// In a task of its own: a caller that goes away must not lose the answer, for the old token is used up then.
    fn spawn_exchange(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        stale: &Arc<Credential>,
    ) -> tokio::task::JoinHandle<Result<(), Error>> {
        let round = self.rounds.load(Ordering::Acquire);
        let (session, connection) = (Arc::clone(self), Arc::clone(connection));
        let stale = Arc::clone(stale);
        tokio::spawn(async move { session.exchange_once(&connection, &stale, round).await })
    }

    async fn exchange_once(
        &self,
        connection: &Connection,
        stale: &Arc<Credential>,
        round: u64,
    ) -> Result<(), Error> {
        let mut last = self.turn.lock().await;
        if self.rounds.load(Ordering::Acquire) != round {
            return last.clone();
        }
        if !self.is_current(stale) {
            return Ok(());
        }
        let request = v1::RefreshTokenRequest {
            refresh_token: stale.tokens.refresh_token.clone(),
        };
        let mut sending = connection.start(request, EXCHANGE_TIMEOUT);
        let answer = connection.send(&mut sending, None).await;
        let outcome = match answer.map(|answer| answer.tokens) {
            Ok(Some(tokens)) => {
                self.replace(stale, Some(Credential::new(tokens, true)));
                Ok(())
            }
            Ok(None) => Err(Error::local(Code::Internal, "the answer has no tokens")),
            Err(error) => {
                if error.code() == Code::Unauthenticated {
                    self.replace(stale, None);
                }
                Err(error)
            }
        };
        self.rounds.fetch_add(1, Ordering::Release);
        last.clone_from(&outcome);
        outcome
    }

    fn is_current(&self, credential: &Arc<Credential>) -> bool {
        let current = self.current.borrow();
        current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, credential))
    }

    /// Unless the app signed in or out meanwhile.
    fn replace(&self, stale: &Arc<Credential>, next: Option<Credential>) {
        self.current.send_if_modified(|current| {
            let unchanged = current.as_ref().is_some_and(|it| Arc::ptr_eq(it, stale));
            if unchanged {
                *current = next.map(Arc::new);
            }
            unchanged
        });
    }
}

/// Tells when a session's tokens change, so that an app can keep the newest.
#[derive(Debug)]
pub struct TokenChanges(watch::Receiver<Current>);

impl TokenChanges {
    /// Waits for the next change: new tokens, or `Some(None)` when the session has ended and the user has to sign in. `None` when all
    /// clones of the client are gone. Of changes in quick succession only the newest is told.
    pub async fn next(&mut self) -> Option<Option<v1::Tokens>> {
        self.0.changed().await.ok()?;
        let current = self.0.borrow_and_update();
        Some(current.as_ref().map(|it| it.tokens.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::{Budget, RetryPolicy};

    fn tokens(left: i64) -> v1::Tokens {
        let now = prost_types::Timestamp::from(SystemTime::now());
        v1::Tokens {
            access_token: "a".into(),
            access_token_expires_at: Some(prost_types::Timestamp {
                seconds: now.seconds + left,
                ..now
            }),
            ..Default::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_is_due_after_four_fifths_of_its_life() {
        let now = Instant::now();
        let (due, ends) = Credential::new(tokens(900), true).life.unwrap();
        let second = Duration::from_secs(1);
        assert!((due - now).abs_diff(Duration::from_secs(720)) < second);
        assert!((ends - now).abs_diff(Duration::from_secs(900)) < second);
    }

    #[tokio::test]
    async fn tokens_that_were_replaced_meanwhile_are_not_exchanged() {
        let policy = RetryPolicy::never();
        let connection = Arc::new(Connection {
            // Nobody listens: an exchange would fail.
            channel: tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy(),
            endpoint: String::new(),
            attempt_timeout: Duration::from_secs(1),
            operation_timeout: Duration::from_secs(1),
            budget: Budget::new(&policy),
            policy,
        });
        let session = Session::new(Some(tokens(900)));
        let stale = session.current().unwrap();
        session.exchange(&connection, &stale).await.unwrap_err();
        session.set(Some(tokens(900)), true);
        session.exchange(&connection, &stale).await.unwrap();
    }

    #[test]
    fn a_wrong_clock_does_not_start_exchanges() {
        assert!(Credential::new(tokens(-900), true).life.is_none());
        assert!(Credential::new(tokens(-900), false).life.is_some());
        assert!(Credential::new(v1::Tokens::default(), false).life.is_none());
    }
}
