//! What the layers know about a call, in one request extension: each extension costs an allocation.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::HeaderValue;
use tokio::time::Instant;

use crate::{
    auth::Caller,
    rpc::{link::Link, policy::Method},
    service::Error,
};

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The address the connection comes from; never read from a header.
    pub ip: IpAddr,
}

impl Peer {
    /// What limits per address count by: an IPv4 address, or an IPv6 /64, since each customer has at least one of those.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        match self.ip.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

/// The id in `x-correlation-id`: the client's if well formed, else made here. Finds a call's log lines.
#[derive(Debug, Clone)]
pub struct CorrelationId(HeaderValue);

impl CorrelationId {
    /// The header it travels in, both ways.
    pub const HEADER: http::HeaderName = http::HeaderName::from_static("x-correlation-id");

    /// The id the request brings if it is 1 to 64 of `A-Za-z0-9._-`, else a new one.
    #[must_use]
    pub fn of(headers: &http::HeaderMap) -> Self {
        match headers.get(Self::HEADER) {
            Some(sent) if Self::is_well_formed(sent.as_bytes()) => Self(sent.clone()),
            Some(_) | None => Self::random(),
        }
    }

    fn is_well_formed(id: &[u8]) -> bool {
        (1..=64).contains(&id.len())
            && id
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    }

    fn random() -> Self {
        let mut digits = [0; 16];
        let hex = hex::encode_to_slice(rand::random::<[u8; 8]>(), &mut digits).map(|()| digits);
        // Hex digits of half the length always fit and are a header value; the fallback can't happen and harms nobody.
        Self(
            hex.ok()
                .and_then(|hex| HeaderValue::from_bytes(&hex).ok())
                .unwrap_or(HeaderValue::from_static("none")),
        )
    }

    /// As a header value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// One call on its way through the layers. Later layers fill in what they find out.
#[derive(Debug, Clone)]
pub struct Call {
    /// The connection it came by.
    pub link: Arc<Link>,
    /// Speaks grpc-web, as browsers do.
    pub is_web: bool,
    /// For the logs and the response.
    pub correlation_id: CorrelationId,
    /// When the request's head arrived.
    pub arrived_at: Instant,
    /// When the answer is of no use any more.
    pub deadline: Instant,
    /// The method called; `None` until known, or if there is no such method.
    pub method: Option<&'static Method>,
    // Shared, so that the log line at the end knows what a layer below found out. A field of the span would be dearer: its text is
    // made again each time one is added.
    caller: Arc<OnceLock<Caller>>,
}

impl Call {
    /// A call that just arrived. Until its deadline is read it has the longest.
    #[must_use]
    pub fn new(link: Arc<Link>, headers: &http::HeaderMap, deadline_max: Duration) -> Self {
        let arrived_at = Instant::now();
        let content_type = headers.get(http::header::CONTENT_TYPE);
        Self {
            link,
            is_web: content_type
                .is_some_and(|sent| sent.as_bytes().starts_with(b"application/grpc-web")),
            correlation_id: CorrelationId::of(headers),
            arrived_at,
            deadline: arrived_at + deadline_max,
            method: None,
            caller: Arc::default(),
        }
    }

    /// Who calls; `None` until known, or if nobody signed in.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        self.caller.get().copied()
    }

    /// Notes who calls, once.
    pub(super) fn set_caller(&self, caller: Caller) {
        // There is one layer that does, and it passes each call once.
        let _ = self.caller.set(caller);
    }
}

/// Who calls.
///
/// # Errors
/// `Unauthenticated` if nobody signed in, which the policy excludes for all methods but public ones.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Error> {
    request
        .extensions()
        .get::<Call>()
        .and_then(Call::caller)
        .ok_or(Error::Unauthenticated)
}

/// How long the caller still waits; zero if the time is up or, as in a test without layers, nobody has said.
#[must_use]
pub fn time_left<T>(request: &tonic::Request<T>) -> Duration {
    let call = request.extensions().get::<Call>();
    call.map_or(Duration::ZERO, |call| {
        call.deadline.saturating_duration_since(Instant::now())
    })
}

/// Whom a public method's limits count by: the address's network. `None` without layers, as in a unit test.
#[must_use]
pub fn network<T>(request: &tonic::Request<T>) -> Option<IpAddr> {
    request
        .extensions()
        .get::<Call>()
        .map(|call| call.link.peer.network())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn id_for(sent: &str) -> CorrelationId {
        let mut headers = HeaderMap::new();
        headers.insert(
            CorrelationId::HEADER,
            HeaderValue::from_bytes(sent.as_bytes()).unwrap(),
        );
        CorrelationId::of(&headers)
    }

    #[test]
    fn a_well_formed_correlation_id_is_taken_over() {
        for good in ["a", "A-1_b.2", &"x".repeat(64)] {
            assert_eq!(id_for(good).as_str(), good);
        }
        for bad in ["", "a b", "a\u{e9}", "<script>", &"x".repeat(65)] {
            let made = id_for(bad);
            assert_ne!(made.as_str(), bad);
            assert_eq!(made.as_str().len(), 16);
        }
        let none = HeaderMap::new();
        assert_ne!(
            CorrelationId::of(&none).as_str(),
            CorrelationId::of(&none).as_str()
        );
    }

    #[test]
    fn addresses_count_by_network() {
        let network = |ip: &str| {
            Peer {
                ip: ip.parse().unwrap(),
            }
            .network()
            .to_string()
        };
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
