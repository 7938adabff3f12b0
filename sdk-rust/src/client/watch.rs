//! Following an order over as many streams as it takes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use livedrop_proto::v1::{
    self, ErrorReason, GoodbyeReason, OrderState, watch_order_response::Frame,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Streaming};

use super::Client;
use crate::{error::Error, session::Credential};

/// Until the server tells its own.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// Changes remembered, so that repeats are noticed. An order has fewer.
const EVENTS_MAX: usize = 100;
/// No server of ours asks for more.
const RECONNECT_AFTER_MAX: Duration = Duration::from_secs(60);

impl Client {
    /// Follows an order: [`OrderWatch::next`] gives its present version, then every change, in order and none skipped.
    ///
    /// The watch outlives streams: it goes on after a goodbye, a broken connection and the end of an access token.
    #[must_use]
    pub fn watch_order(
        &self,
        drop_id: impl Into<String>,
        order_id: impl Into<String>,
    ) -> OrderWatch {
        OrderWatch {
            client: self.clone(),
            request: v1::WatchOrderRequest {
                drop_id: drop_id.into(),
                order_id: order_id.into(),
                resume_token: String::new(),
            },
            until_final: false,
            is_over: false,
            open: None,
            silence_max: HEARTBEAT_INTERVAL * 2,
            failures: 0,
            newest: None,
            events: VecDeque::new(),
        }
    }
}

/// An order that is followed.
#[derive(Debug)]
pub struct OrderWatch {
    client: Client,
    request: v1::WatchOrderRequest,
    until_final: bool,
    is_over: bool,
    open: Option<OpenStream>,
    silence_max: Duration,
    /// Streams that ended badly since the last frame.
    failures: u32,
    newest: Option<v1::Order>,
    events: VecDeque<String>,
}

/// A stream, and the tokens it was opened with.
#[derive(Debug)]
struct OpenStream {
    frames: Streaming<v1::WatchOrderResponse>,
    credential: Option<Arc<Credential>>,
}

impl OrderWatch {
    /// Ends after the first version that is `PAID`, `CANCELLED`, `EXPIRED` or `REFUNDED`.
    #[must_use]
    pub fn until_final(mut self) -> Self {
        self.until_final = true;
        self
    }

    /// Goes on after a [`Self::resume_token`] that the app kept: then changes come, without the present version first.
    #[must_use]
    pub fn resuming(mut self, resume_token: impl Into<String>) -> Self {
        self.request.resume_token = resume_token.into();
        self
    }

    /// Where a later watch of this order can go on; empty before the first frame.
    #[must_use]
    pub fn resume_token(&self) -> &str {
        &self.request.resume_token
    }

    /// The next version of the order; `None` after the last, if it was asked to end. May be dropped while it waits, and asked again after
    /// an error: it goes on where it was.
    ///
    /// # Errors
    /// `ORDER_NOT_FOUND`, or a general one; a broken connection only when all attempts of the [`RetryPolicy`](crate::RetryPolicy) have
    /// failed.
    pub async fn next(&mut self) -> Result<Option<v1::Order>, Error> {
        while !self.is_over {
            let error = match self.frame().await {
                Ok(frame) => {
                    self.failures = 0;
                    match self.read(frame).await? {
                        Some(order) => return Ok(Some(order)),
                        None => continue,
                    }
                }
                Err(error) => error,
            };
            self.open = None;
            self.recover(error).await?;
        }
        Ok(None)
    }

    /// The next frame, of a new stream if none is open.
    async fn frame(&mut self) -> Result<v1::WatchOrderResponse, Error> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let stream = self.client.open_watch(&self.request).await?;
                self.open.insert(stream)
            }
        };
        let cut = |message: &str| Error::local(Code::Unavailable, message);
        match timeout(self.silence_max, open.frames.message()).await {
            Ok(Ok(Some(frame))) => Ok(frame),
            Ok(Ok(None)) => Err(cut("the stream ended without a goodbye")),
            Ok(Err(status)) => Err(Error::from_status(&status)),
            Err(_) => Err(cut("the stream went silent")),
        }
    }

    /// What a frame brings; a goodbye is followed.
    async fn read(&mut self, frame: v1::WatchOrderResponse) -> Result<Option<v1::Order>, Error> {
        self.request.resume_token = frame.resume_token;
        let order = match frame.frame {
            Some(Frame::Snapshot(snapshot)) => {
                let interval = snapshot.heartbeat_interval;
                let interval = interval.and_then(|it| Duration::try_from(it).ok());
                self.silence_max = interval.unwrap_or(HEARTBEAT_INTERVAL).saturating_mul(2);
                snapshot.order.filter(|it| Some(it) != self.newest.as_ref())
            }
            Some(Frame::Change(change)) if self.events.contains(&change.event_id) => None,
            Some(Frame::Change(change)) => {
                self.events.push_back(change.event_id);
                if self.events.len() > EVENTS_MAX {
                    self.events.pop_front();
                }
                change.order
            }
            Some(Frame::Goodbye(goodbye)) => {
                self.follow(&goodbye).await?;
                None
            }
            // The second is a frame of a newer server.
            Some(Frame::Heartbeat(_)) | None => None,
        };
        if let Some(order) = &order {
            self.newest = Some(order.clone());
            self.is_over = self.until_final && is_final(order.state());
        }
        Ok(order)
    }

    async fn follow(&mut self, goodbye: &v1::Goodbye) -> Result<(), Error> {
        let opened_with = self.open.take().and_then(|open| open.credential);
        if goodbye.reason() == GoodbyeReason::Reauthenticate
            && let Some(stale) = opened_with
        {
            let client = &self.client;
            match client.session.exchange(&client.connection, &stale).await {
                Err(error) if error.code() == Code::Unauthenticated => return Err(error),
                // Without a new token the server says what is wrong with the old one.
                Ok(()) | Err(_) => {}
            }
        }
        let after = goodbye.reconnect_after;
        let after = after.and_then(|it| Duration::try_from(it).ok());
        sleep(after.unwrap_or_default().min(RECONNECT_AFTER_MAX)).await;
        Ok(())
    }

    /// Waits until another stream may be opened; the error if none may.
    async fn recover(&mut self, error: Error) -> Result<(), Error> {
        if error.reason() == Some(ErrorReason::ResumeTokenExpired)
            && !self.request.resume_token.is_empty()
        {
            // From the start then: the present version tells all that was missed.
            self.request.resume_token.clear();
            return Ok(());
        }
        let connection = &self.client.connection;
        self.failures = self.failures.saturating_add(1);
        let may = error.is_retryable() && connection.policy.allows(self.failures);
        if !may || !connection.budget.take_repeat() {
            self.failures = 0;
            return Err(error);
        }
        let delay = connection.policy.delay(self.failures, error.retry_after());
        sleep(delay).await;
        Ok(())
    }
}

impl Client {
    /// Opens a stream, with one forced exchange of tokens if the server refuses them.
    async fn open_watch(&self, request: &v1::WatchOrderRequest) -> Result<OpenStream, Error> {
        let connection = &self.connection;
        connection.budget.put_call();
        let credential = self.session.credential(connection).await;
        let error = match self.open_with(request, credential.clone()).await {
            Ok(open) => return Ok(open),
            Err(error) => error,
        };
        let Some(stale) = credential.filter(|_| error.code() == Code::Unauthenticated) else {
            return Err(error);
        };
        match self.session.exchange(connection, &stale).await {
            Ok(()) => self.open_with(request, self.session.current()).await,
            // The server's own words about this call say more.
            Err(why) if why.code() == Code::Unauthenticated => Err(error),
            Err(why) => Err(why),
        }
    }

    async fn open_with(
        &self,
        request: &v1::WatchOrderRequest,
        credential: Option<Arc<Credential>>,
    ) -> Result<OpenStream, Error> {
        // The request carries no deadline: that would be the stream's.
        let mut request = Request::new(request.clone());
        if let Some(bearer) = credential.as_ref().and_then(|it| it.bearer.clone()) {
            request.metadata_mut().insert("authorization", bearer);
        }
        let mut orders = self.raw_orders();
        let opened = timeout(self.connection.attempt_timeout, orders.watch_order(request));
        match opened.await {
            Ok(Ok(answer)) => Ok(OpenStream {
                frames: answer.into_inner(),
                credential,
            }),
            Ok(Err(status)) => Err(Error::from_status(&status)),
            Err(_) => Err(Error::timed_out()),
        }
    }
}

fn is_final(state: OrderState) -> bool {
    match state {
        OrderState::Paid | OrderState::Cancelled | OrderState::Expired | OrderState::Refunded => {
            true
        }
        OrderState::Unspecified
        | OrderState::Held
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::RefundPending => false,
    }
}
