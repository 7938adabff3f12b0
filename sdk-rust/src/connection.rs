//! One connection and the loop that sends a request over it until the outcome is clear. Knows no user: the session gives the token.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use uuid::Uuid;

use crate::{
    call::Call,
    error::Error,
    retry::{Budget, RetryPolicy},
};

/// An `authorization` header.
pub(crate) type Bearer = MetadataValue<Ascii>;

/// A connection to one server, shared by sessions.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    pub(crate) endpoint: String,
    pub(crate) attempt_timeout: Duration,
    pub(crate) operation_timeout: Duration,
    pub(crate) policy: RetryPolicy,
    pub(crate) budget: Budget,
}

/// A logical call on its way: one request id, one deadline, however often it is sent.
#[derive(Debug)]
pub(crate) struct Sending<C> {
    request: C,
    request_id: Option<String>,
    /// Sends whose outcome is unknown, the caller's own before this call included.
    retry_count: i32,
    attempts: u32,
    pub(crate) deadline: Instant,
}

impl Connection {
    /// Gives the request its id and starts its clock.
    pub(crate) fn start<C: Call>(&self, mut request: C, timeout: Duration) -> Sending<C> {
        self.budget.put_call();
        let request_id = request.request_id().map(|id| {
            if id.is_empty() {
                *id = Uuid::new_v4().to_string();
            }
            id.clone()
        });
        Sending {
            retry_count: request.retry_count().copied().unwrap_or_default(),
            request,
            request_id,
            attempts: 0,
            deadline: Instant::now() + timeout,
        }
    }

    /// Sends until there is an answer, a definite refusal, or no attempt, time or budget left.
    pub(crate) async fn send<C: Call>(
        &self,
        sending: &mut Sending<C>,
        bearer: Option<&Bearer>,
    ) -> Result<C::Response, Error> {
        loop {
            let error = match self.attempt(sending, bearer).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match self.delay(sending, &error) {
                Some(delay) => sleep(delay).await,
                None => return Err(sending.fail(error)),
            }
        }
    }

    async fn attempt<C: Call>(
        &self,
        sending: &mut Sending<C>,
        bearer: Option<&Bearer>,
    ) -> Result<C::Response, Error> {
        let left = sending.deadline.saturating_duration_since(Instant::now());
        let time = self.attempt_timeout.min(left);
        sending.attempts = sending.attempts.saturating_add(1);
        let mut message = sending.request.clone();
        if let Some(retry_count) = message.retry_count() {
            *retry_count = sending.retry_count;
        }
        let mut request = tonic::Request::new(message);
        request.set_timeout(time);
        if let Some(bearer) = bearer {
            let headers = request.metadata_mut();
            headers.insert("authorization", bearer.clone());
        }
        // The header tells the server; the timer also covers the time until there is a connection.
        let answer = timeout(time, C::send(self.channel.clone(), request)).await;
        let error = match answer {
            Ok(Ok(response)) => return Ok(response.into_inner()),
            Ok(Err(status)) => Error::from_status(&status),
            Err(_) => Error::timed_out(),
        };
        if error.may_have_taken_effect() {
            sending.retry_count = sending.retry_count.saturating_add(1);
        }
        Err(error)
    }

    /// How long to wait before the next attempt; `None` if there is none.
    fn delay<C>(&self, sending: &Sending<C>, error: &Error) -> Option<Duration> {
        if !error.is_retryable() || !self.policy.allows(sending.attempts) {
            return None;
        }
        let delay = self.policy.delay(sending.attempts, error.retry_after());
        let left = sending.deadline.saturating_duration_since(Instant::now());
        (delay < left && self.budget.take_repeat()).then_some(delay)
    }
}

impl<C> Sending<C> {
    /// Completes an error with the call's id and history.
    pub(crate) fn fail(&self, error: Error) -> Error {
        error.of_call(self.request_id.clone(), self.retry_count)
    }
}
