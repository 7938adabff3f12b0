//! One try of one call, and what its failure means.
//!
//! Purchases, payments and cancellations use the generated client, signed by the SDK. The SDK's own calls hide what a rush has to see and do:
//! each single try and its latency, calls dropped in mid-flight, twins of one request. The rules of retrying are the SDK's. All else
//! goes through the SDK.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::bail;
use livedrop::{Client, RetryPolicy, v1::GetDropRequest};
use livedrop_proto::ERROR_DOMAIN;
use rand::{Rng, RngExt};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use super::{notes::Refused, shop::Shop};

/// A call without an answer is given up after this; the server's own limit is 10 s.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a try failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server said no; trying again is useless.
    Refused(String),
    /// Nothing was done; to be tried again after the delay.
    Busy(Duration),
    /// It may have taken effect; to be tried again with the same request id, after the delay if there is one.
    Unknown(Option<Duration>),
}

impl Failure {
    /// Reads a status as the contract's table of errors says.
    pub(crate) fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let reason = details
            .error_info()
            .filter(|info| info.domain == ERROR_DOMAIN)
            .map(|info| info.reason.clone());
        let delay = details.retry_info().and_then(|info| info.retry_delay);
        match (status.code(), reason) {
            // No reason: not the server speaks, but a broken connection.
            (Code::Unavailable | Code::DeadlineExceeded, _) | (_, None) => Self::Unknown(delay),
            (Code::ResourceExhausted, Some(reason)) if reason != "TOO_LARGE" => {
                Self::Busy(delay.unwrap_or(Duration::from_millis(50)))
            }
            (_, Some(reason)) => Self::Refused(reason),
        }
    }

    /// How long to wait before try number `tried + 1`; `None`: do not try again.
    pub(crate) fn pause(&self, tried: u32, rng: &mut impl Rng) -> Option<Duration> {
        let jitter = rng.random_range(0.5..1.5);
        // Doubles from 20 ms up to a second: a killed server is back within one.
        let backoff = Duration::from_millis(20 << tried.min(6))
            .min(Duration::from_secs(1))
            .mul_f64(jitter);
        match self {
            Self::Refused(_) => None,
            Self::Busy(delay) => Some(delay.mul_f64(jitter.max(1.0))),
            Self::Unknown(delay) => Some(delay.unwrap_or_default().max(backoff)),
        }
    }
}

/// What became of a call that was repeated until it was answered.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    /// OK, and how long the answered try took.
    Done(T, Duration),
    /// No, and how long the answered try took.
    Refused(Refused, Duration),
    /// None in time.
    Unknown,
}

/// Sends a call until it is answered or the deadline has passed. `call` makes try number `sent`, counted from where earlier ones ended. A
/// try not answered within `patience` is dropped and not repeated.
pub(crate) async fn repeat<T, F: Future<Output = Result<Response<T>, Status>>>(
    shop: &Shop,
    rng: &mut impl Rng,
    sent: &mut u32,
    patience: Duration,
    mut call: impl FnMut(u32) -> F,
) -> Reply<T> {
    while Instant::now() < shop.deadline {
        let tried = *sent;
        *sent += 1;
        let start = Instant::now();
        let failure = match timeout(patience, call(tried)).await {
            Err(_) => return Reply::Unknown,
            Ok(Ok(response)) => return Reply::Done(response.into_inner(), start.elapsed()),
            Ok(Err(status)) => Failure::of(&status),
        };
        if matches!(failure, Failure::Unknown(_)) {
            shop.tally.unanswered.fetch_add(1, Relaxed);
        }
        let Some(pause) = failure.pause(tried, rng) else {
            let Failure::Refused(reason) = failure else {
                return Reply::Unknown;
            };
            let refused = Refused {
                reason,
                is_promise: tried > 0,
            };
            return Reply::Refused(refused, start.elapsed());
        };
        shop.tally.retries.fetch_add(1, Relaxed);
        sleep(pause).await;
    }
    Reply::Unknown
}

/// Opens the connections that all buyers share, to one endpoint after the other. Each connects at its first call, and again when it breaks.
pub(crate) fn connections(endpoints: &[String], count: u16) -> anyhow::Result<Vec<Client>> {
    let retry = RetryPolicy::default().attempts(20).without_budget();
    let connect = |endpoint: &String| {
        let builder = Client::builder(endpoint.as_str())
            .retry(retry.clone())
            .operation_timeout(Duration::from_secs(60));
        Ok(builder.build()?)
    };
    let endpoints = endpoints.iter().cycle();
    endpoints.take(count.into()).map(connect).collect()
}

/// Whether a Live Drop server answers at all. A malformed request costs it nothing.
pub(crate) async fn reach(endpoint: &str, within: Duration) -> anyhow::Result<()> {
    let client = Client::builder(endpoint)
        .retry(RetryPolicy::never())
        .operation_timeout(within)
        .build()?;
    match client.get_drop(GetDropRequest::default()).await {
        Err(error) if error.code() != Code::InvalidArgument => {
            bail!("no Live Drop server answers at {endpoint}: {error}")
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How often each thing was seen, in the order of its name.
pub(crate) fn count<T: Ord>(things: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    things.fold(BTreeMap::new(), |mut counts, thing| {
        *counts.entry(thing).or_default() += 1;
        counts
    })
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn only_what_the_server_refused_is_final() {
        let told = |code, reason: &str| {
            let details = ErrorDetails::with_error_info(
                reason,
                ERROR_DOMAIN,
                std::collections::HashMap::new(),
            );
            Failure::of(&Status::with_error_details(code, "", details))
        };
        assert_eq!(
            told(Code::FailedPrecondition, "SOLD_OUT"),
            Failure::Refused("SOLD_OUT".into())
        );
        assert_eq!(
            told(Code::Unavailable, "UNAVAILABLE"),
            Failure::Unknown(None)
        );
        assert!(matches!(
            told(Code::ResourceExhausted, "OVERLOADED"),
            Failure::Busy(_)
        ));
        assert!(matches!(
            told(Code::ResourceExhausted, "TOO_LARGE"),
            Failure::Refused(_)
        ));
        for code in [
            Code::Unknown,
            Code::Internal,
            Code::Cancelled,
            Code::ResourceExhausted,
        ] {
            assert_eq!(
                Failure::of(&Status::new(code, "connection lost")),
                Failure::Unknown(None)
            );
        }
    }
}
