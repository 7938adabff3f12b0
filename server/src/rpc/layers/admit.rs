//! The last layer before the services: no more calls at once than the process can finish, and none beyond its deadline.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Request, Response};
use tokio::{sync::Semaphore, time::Instant};
use tonic::body::Body;
use tower::Service;

use super::{Decided, refuse};
use crate::{
    rpc::{call::Call, limits::Limits, policy::Kind, status},
    service::Error,
};

/// When a full server has room again, roughly.
const RETRY_WHEN_FULL: Duration = Duration::from_millis(250);

/// Bounds work and time. A call counts, and its deadline applies, until the head of its answer: streams are bounded by their own means.
#[derive(Debug, Clone)]
pub(crate) struct Admit<S> {
    inner: S,
    places: Arc<Semaphore>,
    deadline_default: Duration,
    deadline_max: Duration,
}

impl<S> Admit<S> {
    pub(super) fn new(inner: S, limits: &Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.in_flight.min(Semaphore::MAX_PERMITS)));
        Self {
            inner,
            places,
            deadline_default: limits.deadline_default,
            deadline_max: limits.deadline_max,
        }
    }
}

impl<S> Service<Request<Body>> for Admit<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Decided<BoxFuture<'static, Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Ok(asked) = asked_timeout(request.headers()) else {
            return refuse(status::to_status(Error::invalid(
                "grpc-timeout",
                "must be 1 to 8 digits and one of HMSmun",
            )));
        };
        let Some(call) = request.extensions_mut().get_mut::<Call>() else {
            return refuse(status::internal("call without its extension"));
        };
        let deadline = call.arrived_at
            + asked
                .unwrap_or(self.deadline_default)
                .min(self.deadline_max);
        call.deadline = deadline;
        let place = if call
            .method
            .is_some_and(|method| method.kind == Kind::Infrastructure)
        {
            None
        } else {
            match self.places.clone().try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_full) => return refuse(status::overloaded(RETRY_WHEN_FULL)),
            }
        };
        // Checked before the service sees the call: a timeout polls its future first, which may have an effect.
        if deadline <= Instant::now() {
            return refuse(status::deadline_exceeded());
        }
        let answer = self.inner.call(request);
        Decided::Right(Box::pin(async move {
            let answer = tokio::time::timeout_at(deadline, answer).await;
            drop(place);
            answer.unwrap_or_else(|_elapsed| Ok(status::deadline_exceeded().into_http()))
        }))
    }
}

/// The header is there and makes no sense.
#[derive(Debug, PartialEq, Eq)]
struct Malformed;

/// The header `grpc-timeout`: at most 8 digits and a unit. `None` without the header.
fn asked_timeout(headers: &http::HeaderMap) -> Result<Option<Duration>, Malformed> {
    let mut sent = headers.get_all("grpc-timeout").iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    if sent.next().is_some() {
        return Err(Malformed);
    }
    let (unit, digits) = value.as_bytes().split_last().ok_or(Malformed)?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let count = digits
        .iter()
        .fold(0_u64, |count, digit| count * 10 + u64::from(digit - b'0'));
    let span = match unit {
        b'H' => Duration::from_secs(count * 3_600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return Err(Malformed),
    };
    Ok(Some(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_digits_and_a_unit() {
        let parse = |text: &str| {
            let headers = [(
                http::HeaderName::from_static("grpc-timeout"),
                text.parse().unwrap(),
            )];
            asked_timeout(&headers.into_iter().collect())
        };
        assert_eq!(parse("3H"), Ok(Some(Duration::from_secs(10_800))));
        assert_eq!(parse("2M"), Ok(Some(Duration::from_secs(120))));
        assert_eq!(parse("1S"), Ok(Some(Duration::from_secs(1))));
        assert_eq!(parse("250m"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(parse("7u"), Ok(Some(Duration::from_micros(7))));
        assert_eq!(parse("1n"), Ok(Some(Duration::from_nanos(1))));
        assert_eq!(
            parse("99999999H"),
            Ok(Some(Duration::from_secs(99_999_999 * 3_600)))
        );
        for bad in [
            "",
            "S",
            "1",
            "1 S",
            "-1S",
            "+1S",
            "1.5S",
            "123456789S",
            "1s",
            "1h",
            "1SS",
        ] {
            assert_eq!(parse(bad), Err(Malformed), "{bad}");
        }
        assert_eq!(asked_timeout(&http::HeaderMap::new()), Ok(None));
    }
}
