//! Every bound between the socket and the services, in one place.

use std::time::Duration;

/// How often something may happen: `burst` times at once, then once per `period`. Both above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls at once.
    pub burst: u32,
    /// Time after which one more is allowed.
    pub period: Duration,
}

impl Rate {
    const fn new(burst: u32, period: Duration) -> Self {
        Self { burst, period }
    }

    /// For people.
    pub(crate) fn rule(&self) -> String {
        format!("{} at once, then one every {:?}", self.burst, self.period)
    }
}

/// What the server takes. The defaults are [`Limits::strict`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections of this process. An idle one costs about 15 KiB. Default 10,000; keep it below the descriptor limit.
    pub connections: usize,
    /// Open connections per network (an IPv4 address or an IPv6 /64). Default 100.
    pub connections_per_network: usize,
    /// From the accepted connection (with TLS: from the handshake) to bytes that tell its protocol. Default 10 s.
    pub first_bytes: Duration,
    /// For the TLS handshake. Default 5 s.
    pub tls_handshake: Duration,
    /// For an HTTP/1.1 request's head. Default 10 s.
    pub header_read: Duration,
    /// How often an HTTP/2 client is asked whether it lives, and how long it has to answer. Default 10 s each: a silent one is gone after 20 s.
    pub ping: Duration,
    /// How long a client may leave an answer unread. Default 30 s.
    pub unread: Duration,
    /// After this a connection is asked to reconnect, so that load spreads; jittered by a tenth. Default 15 min.
    pub connection_age: Duration,
    /// What a connection past its age has left for its open calls. Default 60 s.
    pub connection_grace: Duration,
    /// Calls at once on one connection. Default 100.
    pub streams_per_connection: u32,
    /// Calls at once in this process; more are told to come back. Default 4,000, less than a second of work.
    pub in_flight: usize,
    /// A call's time if it does not say. Default 10 s.
    pub deadline_default: Duration,
    /// A call's time at most. Default 30 s.
    pub deadline_max: Duration,
    /// Calls from one network. Default 2,000 at once, then 1,000 per second: a school or a mobile operator behind one address.
    pub per_network: Rate,
    /// Calls of one account; of one network where nobody is signed in. Default 200 at once, then 50 per second.
    pub per_caller: Rate,
    /// Sign-ins, sign-ups, refreshes and sign-outs from one network. Default 30 at once, then 2 per second.
    pub credentials: Rate,
    /// Open streams, such as those of `WatchOrder`, in this process; more are told to come back. One costs about 10 KiB. Default 20,000.
    pub watches: usize,
    /// Open streams on one connection; below `streams_per_connection`, so that calls have room beside them. Default 50.
    pub watches_per_connection: usize,
    /// Open streams of one account. Default 100: a few devices, or a partner's back office.
    pub watches_per_caller: usize,
    /// After this silence a stream says that it lives. Default 15 s: proxies end what is silent for a minute.
    pub watch_heartbeat: Duration,
    /// How long a stream lasts; up to a tenth less, so that streams opened together don't end together. Default 60 min. Access tokens and
    /// connections may end before.
    pub watch_age: Duration,
    /// The same for grpc-web, up to three fifths less: a browser's memory grows with the answer. Default 5 min, so 2 to 5 min.
    pub watch_age_web: Duration,
    /// Calls in progress get this long when the server stops. Default 20 s.
    pub drain: Duration,
}

impl Limits {
    /// For the open internet.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            connections: 10_000,
            connections_per_network: 100,
            first_bytes: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(5),
            header_read: Duration::from_secs(10),
            ping: Duration::from_secs(10),
            unread: Duration::from_secs(30),
            connection_age: Duration::from_secs(15 * 60),
            connection_grace: Duration::from_secs(60),
            streams_per_connection: 100,
            in_flight: 4_000,
            deadline_default: Duration::from_secs(10),
            deadline_max: Duration::from_secs(30),
            per_network: Rate::new(2_000, Duration::from_millis(1)),
            per_caller: Rate::new(200, Duration::from_millis(20)),
            credentials: Rate::new(30, Duration::from_millis(500)),
            watches: 20_000,
            watches_per_connection: 50,
            watches_per_caller: 100,
            watch_heartbeat: Duration::from_secs(15),
            watch_age: Duration::from_secs(60 * 60),
            watch_age_web: Duration::from_secs(5 * 60),
            drain: Duration::from_secs(20),
        }
    }

    /// For development and load tests, where thousands of buyers come from one address.
    #[must_use]
    pub const fn generous() -> Self {
        let open = Rate::new(1_000_000, Duration::from_micros(1));
        Self {
            connections_per_network: 10_000,
            streams_per_connection: 1_000,
            in_flight: 20_000,
            watches_per_connection: 500,
            watches_per_caller: 1_000,
            per_network: open,
            per_caller: open,
            credentials: open,
            drain: Duration::from_secs(4),
            ..Self::strict()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::strict()
    }
}
