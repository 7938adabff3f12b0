//! Streaming calls: what all of them keep to, whatever they tell.
//!
//! The layers' bounds end with the head of an answer, so a stream has its own here: a seat, heartbeats, an age, and an end before its
//! access token's, its connection's and its server's. A stream that ends on purpose says goodbye first.

mod seats;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use livedrop_proto::v1::{self, GoodbyeReason};
use metrics::{Counter, counter};
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Status};
use tracing::{Instrument as _, Span};

use self::seats::{Seat, Seats};
use super::{call::Call, fields::to_span, limits::Limits, link::Link, status};
use crate::{
    domain::Timestamp,
    service::Error,
    telemetry::{names, panic_text},
};

/// How long before its access token a stream ends: a client needs a moment to get the next one.
const BEFORE_TOKEN: Duration = Duration::from_secs(30);

/// What a stream says next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Saying<T> {
    /// What it is there for.
    News(T),
    /// Nothing has happened.
    Heartbeat,
    /// Its last word.
    Goodbye(v1::Goodbye),
}

/// The frames of a stream.
pub(super) type Frames<F> = BoxStream<'static, Result<F, Status>>;

/// Opens streams.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    seats: Seats,
    heartbeat: Duration,
    age: Duration,
    age_web: Duration,
}

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            seats: Seats::new(limits),
            heartbeat: limits.watch_heartbeat,
            age: limits.watch_age,
            age_web: limits.watch_age_web,
        }
    }

    /// The right to answer this call, which came `now`, with a stream.
    pub(super) fn open<T>(
        &self,
        request: &Request<T>,
        now: Timestamp,
    ) -> Result<OpenStream, Status> {
        let Some(call) = request.extensions().get::<Call>() else {
            return Err(status::internal("call without its extension"));
        };
        let method = call.method.map_or("unknown", |method| method.name());
        let account_id = call.caller().map(|caller| caller.account_id);
        let seat = self.seats.take(&call.link, account_id, method)?;
        let age = if call.is_web {
            self.age_web.mul_f64(rand::random_range(0.4..1.0))
        } else {
            self.age.mul_f64(rand::random_range(0.9..1.0))
        };
        let token = call
            .caller()
            .map(|caller| until_goodbye(caller.expires_at.since(now)));
        let (span, reason) = match token {
            Some(token) if token < age => (token, GoodbyeReason::Reauthenticate),
            Some(_) | None => (age, GoodbyeReason::MaxAge),
        };
        Ok(OpenStream {
            _seat: seat,
            link: call.link.clone(),
            heartbeat: self.heartbeat,
            ends_at: Instant::now() + span,
            reason,
            has_begun: false,
            frames: FrameMetrics::new(method),
        })
    }
}

/// How long a stream lasts whose token has so long left. Even one that is about to end is good for a first frame.
fn until_goodbye(left: Duration) -> Duration {
    left - BEFORE_TOKEN.min(left / 2)
}

/// A stream's right to be open, and when it ends.
#[derive(Debug)]
pub(super) struct OpenStream {
    _seat: Seat,
    link: Arc<Link>,
    heartbeat: Duration,
    ends_at: Instant,
    reason: GoodbyeReason,
    has_begun: bool,
    frames: FrameMetrics,
}

type News<T> = BoxStream<'static, Result<T, Error>>;

impl OpenStream {
    /// A frame comes at least this often.
    pub(super) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Tells `news` until the stream's time is up; `frame` puts each saying into the words of its call. An error ends the stream, and so
    /// does a panic in either.
    pub(super) fn tell<T: Send + 'static, F: Send + 'static>(
        self,
        news: impl Stream<Item = Result<T, Error>> + Send + 'static,
        mut frame: impl FnMut(Saying<T>) -> F + Send + 'static,
    ) -> Frames<F> {
        // The layers' span ends with the head of the answer.
        let span = Span::current();
        let within = span.clone();
        let said = stream::unfold(Some((self, news.boxed())), move |state| {
            next(state).instrument(within.clone())
        });
        let frames = said.map(move |said| said.map(&mut frame));
        AssertUnwindSafe(frames)
            .catch_unwind()
            .map(move |caught| {
                caught.unwrap_or_else(|panic| {
                    let _entered = span.enter();
                    Err(status::internal(panic_text(&*panic)))
                })
            })
            .boxed()
    }

    async fn ended(&self) -> GoodbyeReason {
        tokio::select! {
            () = self.link.ending.cancelled() => {
                if self.link.stopping.is_cancelled() {
                    GoodbyeReason::Shutdown
                } else {
                    GoodbyeReason::MaxAge
                }
            }
            () = sleep_until(self.ends_at) => self.reason,
        }
    }
}

/// What a stream goes on with; nothing after its last saying.
type State<T> = Option<(OpenStream, News<T>)>;

async fn next<T>(state: State<T>) -> Option<(Result<Saying<T>, Status>, State<T>)> {
    let (mut open, mut news) = state?;
    let silent_until = Instant::now() + open.heartbeat;
    let said = tokio::select! {
        biased;
        // News that never pause must not keep a stream from its end; only the first frame goes before it.
        reason = open.ended(), if open.has_begun => Saying::Goodbye(goodbye(reason)),
        told = news.next() => match told? {
            Ok(told) => Saying::News(told),
            Err(error) => return Some((Err(error.into()), None)),
        },
        reason = open.ended() => Saying::Goodbye(goodbye(reason)),
        () = sleep_until(silent_until) => Saying::Heartbeat,
    };
    open.has_begun = true;
    open.frames.count(&said);
    let is_last = matches!(said, Saying::Goodbye(_));
    Some((Ok(said), (!is_last).then_some((open, news))))
}

fn goodbye(reason: GoodbyeReason) -> v1::Goodbye {
    // Those that end one by one may come back at once; those that end together must not come back together.
    let seconds = match reason {
        GoodbyeReason::Reauthenticate | GoodbyeReason::Unspecified => 0.0,
        GoodbyeReason::MaxAge => rand::random_range(0.0..1.0),
        GoodbyeReason::Shutdown => rand::random_range(1.0..5.0),
    };
    v1::Goodbye {
        reason: reason.into(),
        reconnect_after: Some(to_span(Duration::from_secs_f64(seconds))),
    }
}

/// Counters of one stream's frames, resolved once.
struct FrameMetrics {
    news: Counter,
    heartbeats: Counter,
    goodbyes: Counter,
}

impl FrameMetrics {
    fn new(method: &'static str) -> Self {
        let of = |kind| counter!(names::STREAM_FRAMES, "method" => method, "kind" => kind);
        Self {
            news: of("news"),
            heartbeats: of("heartbeat"),
            goodbyes: of("goodbye"),
        }
    }

    fn count<T>(&self, said: &Saying<T>) {
        match said {
            Saying::News(_) => self.news.increment(1),
            Saying::Heartbeat => self.heartbeats.increment(1),
            Saying::Goodbye(_) => self.goodbyes.increment(1),
        }
    }
}

impl std::fmt::Debug for FrameMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FrameMetrics")
    }
}

#[cfg(test)]
mod tests;
