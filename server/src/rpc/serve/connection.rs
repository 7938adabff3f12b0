//! One connection from its handshake to its end.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use metrics::counter;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    prepare,
    sniff::sniff,
    unread::{Unread, Watched},
};
use crate::{
    rpc::{App, call::Peer, layers::front::SharedFront, limits::Limits, link::Link},
    telemetry::names,
};

/// Notes that a connection is closed against its client's will.
pub(super) fn cut(reason: &'static str) {
    counter!(names::CONNECTIONS_CUT, "reason" => reason).increment(1);
    tracing::debug!(reason, "connection cut");
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Connections {
    shared: Arc<Shared>,
}

struct Shared {
    front: SharedFront,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    protocols: auto::Builder<TokioExecutor>,
    stop: CancellationToken,
}

impl Connections {
    pub(super) fn new(app: &App, tls: Option<TlsAcceptor>, stop: CancellationToken) -> Self {
        let (front, limits) = (app.front.clone(), app.limits.clone());
        let protocols = protocols(&limits);
        Self {
            shared: Arc::new(Shared {
                front,
                limits,
                tls,
                protocols,
                stop,
            }),
        }
    }

    /// Serves one connection to its end.
    pub(super) fn serve(
        &self,
        stream: TcpStream,
        peer: Peer,
    ) -> impl Future<Output = ()> + Send + 'static {
        let shared = self.shared.clone();
        async move {
            prepare(&stream);
            let Some(tls) = &shared.tls else {
                return shared.greet(stream, peer).await;
            };
            match timeout(shared.limits.tls_handshake, tls.accept(stream)).await {
                Ok(Ok(stream)) => shared.greet(stream, peer).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_elapsed) => cut("tls_handshake"),
            }
        }
    }
}

/// Every limit is set: most defaults are open.
fn protocols(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_headers(64)
        .max_buf_size(64 * 1024)
        .keep_alive(true)
        .half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection)
        .max_pending_accept_reset_streams(20)
        // Without it a client can make us reset streams for ever ("MadeYouReset").
        .max_local_error_reset_streams(1_024)
        .max_header_list_size(16 * 1024)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        // Times the streams, this is what a client that does not read can keep.
        .max_send_buf_size(64 * 1024)
        .max_frame_size(16 * 1024)
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping);
    builder
}

impl Shared {
    async fn greet<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let first = timeout(self.limits.first_bytes, sniff(stream));
        match self.stop.run_until_cancelled(first).await {
            Some(Ok(Ok(stream))) => self.speak(stream, peer).await,
            Some(Err(_elapsed)) => cut("first_bytes"),
            // The client left, or the server stops before it said anything.
            Some(Ok(Err(_))) | None => {}
        }
    }

    async fn speak<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let unread = Unread::default();
        let link = Arc::new(Link::new(peer, &self.stop));
        let service = ConnectionService {
            front: self.front.clone(),
            link: link.clone(),
            unread: unread.clone(),
        };
        let mut connection = pin!(
            self.protocols
                .serve_connection(TokioIo::new(stream), service)
        );
        // Set when the connection is asked to end: what then still has to be cut, and when.
        let mut grace: Option<(Instant, &'static str)> = None;
        let mut old = pin!(sleep_until(
            Instant::now() + jittered(self.limits.connection_age)
        ));
        let mut check =
            tokio::time::interval((self.limits.unread / 4).max(Duration::from_millis(1)));
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "connection failed");
                    }
                    return;
                }
                () = self.stop.cancelled(), if grace.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    // The server bounds its own drain.
                    grace = Some((Instant::now() + self.limits.drain + Duration::from_secs(1), "drain"));
                }
                () = old.as_mut(), if grace.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    // Streams say goodbye; they would outlast any grace.
                    link.ending.cancel();
                    grace = Some((Instant::now() + self.limits.connection_grace, "age"));
                }
                now = check.tick() => {
                    if let Some((_, reason)) = grace.filter(|(end, _)| *end <= now) {
                        return cut(reason);
                    }
                    if unread.oldest().is_some_and(|since| now.saturating_duration_since(since) > self.limits.unread) {
                        return cut("unread");
                    }
                }
            }
        }
    }
}

/// By a tenth to either side, so that connections made together don't end together.
fn jittered(age: Duration) -> Duration {
    age.mul_f64(rand::random_range(0.9..1.1))
}

/// Answers the requests of one connection.
struct ConnectionService {
    front: SharedFront,
    link: Arc<Link>,
    unread: Unread,
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Watched>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Watched>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.front.answer(self.link.clone(), request);
        let unread = self.unread.clone();
        Box::pin(async move { Ok(answer.await?.map(|body| unread.watch(body))) })
    }
}
