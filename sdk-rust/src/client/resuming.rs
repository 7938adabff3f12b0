//! Following something over as many streams as it takes.

use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

use livedrop_proto::v1::{self, ErrorReason, GoodbyeReason};
use tokio::time::{sleep, timeout};
use tonic::{Code, Request, Response, Status, Streaming};

use super::Client;
use crate::{error::Error, session::Credential};

/// Until the server tells its own.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);
/// Changes remembered, so that repeats are noticed: those after the newest token, which are few.
const EVENTS_MAX: usize = 100;
/// No server of ours asks for more.
const RECONNECT_AFTER_MAX: Duration = Duration::from_secs(60);

/// A call that is answered with a stream, and can go on after any frame of it.
pub(super) trait Watch: Clone + Send + Sync + 'static {
    type Frame: Send + 'static;
    type News;

    fn open(
        client: &Client,
        request: Request<Self>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Frame>>, Status>> + Send;

    fn resume_token(&mut self) -> &mut String;

    /// A frame's token, and what it says.
    fn read(frame: Self::Frame) -> (String, Said<Self::News>);
}

/// What a frame says.
pub(super) enum Said<N> {
    /// The first frame: how things are, if the call had no token.
    Begun {
        heartbeat_interval: Option<prost_types::Duration>,
        news: Option<N>,
    },
    /// Something new. A repeat carries the same id; what has none is no less true when it is told twice.
    News {
        event_id: String,
        news: N,
    },
    Goodbye(v1::Goodbye),
    /// A heartbeat, or a frame of a newer server.
    Nothing,
}

/// A watch that outlives its streams.
#[derive(Debug)]
pub(super) struct Resuming<W: Watch> {
    client: Client,
    pub(super) request: W,
    open: Option<OpenStream<W::Frame>>,
    silence_max: Duration,
    /// Streams that ended badly since the last frame.
    failures: u32,
    events: VecDeque<String>,
}

/// A stream, and the tokens it was opened with.
#[derive(Debug)]
struct OpenStream<F> {
    frames: Streaming<F>,
    credential: Option<Arc<Credential>>,
}

impl<W: Watch> Resuming<W> {
    pub(super) const fn new(client: Client, request: W) -> Self {
        Self {
            client,
            request,
            open: None,
            silence_max: HEARTBEAT_INTERVAL.saturating_mul(2),
            failures: 0,
            events: VecDeque::new(),
        }
    }

    /// The next piece of news. May be dropped while it waits, and asked again after an error: it goes on where it was.
    pub(super) async fn next(&mut self) -> Result<W::News, Error> {
        loop {
            let error = match self.frame().await {
                Ok(frame) => {
                    self.failures = 0;
                    match self.read(frame).await? {
                        Some(news) => return Ok(news),
                        None => continue,
                    }
                }
                Err(error) => error,
            };
            self.open = None;
            self.recover(error).await?;
        }
    }

    /// The next frame, of a new stream if none is open.
    async fn frame(&mut self) -> Result<W::Frame, Error> {
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let stream = open(&self.client, &self.request).await?;
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
    async fn read(&mut self, frame: W::Frame) -> Result<Option<W::News>, Error> {
        let (token, said) = W::read(frame);
        *self.request.resume_token() = token;
        Ok(match said {
            Said::Begun {
                heartbeat_interval,
                news,
            } => {
                let interval = heartbeat_interval.and_then(|it| Duration::try_from(it).ok());
                self.silence_max = interval.unwrap_or(HEARTBEAT_INTERVAL).saturating_mul(2);
                news
            }
            Said::News { event_id, .. } if self.events.contains(&event_id) => None,
            Said::News { event_id, news } => {
                if !event_id.is_empty() {
                    self.events.push_back(event_id);
                }
                if self.events.len() > EVENTS_MAX {
                    self.events.pop_front();
                }
                Some(news)
            }
            Said::Goodbye(goodbye) => {
                self.come_back(&goodbye).await?;
                None
            }
            Said::Nothing => None,
        })
    }

    async fn come_back(&mut self, goodbye: &v1::Goodbye) -> Result<(), Error> {
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
        let token = self.request.resume_token();
        if error.reason() == Some(ErrorReason::ResumeTokenExpired) && !token.is_empty() {
            // From the start then: how things are tells all that was missed.
            token.clear();
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

/// Opens a stream, with one forced exchange of tokens if the server refuses them.
async fn open<W: Watch>(client: &Client, request: &W) -> Result<OpenStream<W::Frame>, Error> {
    let connection = &client.connection;
    connection.budget.put_call();
    let credential = client.session.credential(connection).await;
    let error = match open_with(client, request, credential.clone()).await {
        Ok(open) => return Ok(open),
        Err(error) => error,
    };
    let Some(stale) = credential.filter(|_| error.code() == Code::Unauthenticated) else {
        return Err(error);
    };
    match client.session.exchange(connection, &stale).await {
        Ok(()) => open_with(client, request, client.session.current()).await,
        // The server's own words about this call say more.
        Err(why) if why.code() == Code::Unauthenticated => Err(error),
        Err(why) => Err(why),
    }
}

async fn open_with<W: Watch>(
    client: &Client,
    request: &W,
    credential: Option<Arc<Credential>>,
) -> Result<OpenStream<W::Frame>, Error> {
    // The request carries no deadline: that would be the stream's.
    let mut request = Request::new(request.clone());
    if let Some(bearer) = credential.as_ref().and_then(|it| it.bearer.clone()) {
        request.metadata_mut().insert("authorization", bearer);
    }
    let opened = timeout(client.connection.attempt_timeout, W::open(client, request));
    match opened.await {
        Ok(Ok(answer)) => Ok(OpenStream {
            frames: answer.into_inner(),
            credential,
        }),
        Ok(Err(status)) => Err(Error::from_status(&status)),
        Err(_) => Err(Error::timed_out()),
    }
}
