//! The accept loop. Ours because no ready-made one has all of it: caps, a deadline for the first bytes, an age, every HTTP/2 limit.

mod connection;
mod seats;
mod sniff;
mod unread;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::{connection::Connections, seats::Seats};
use super::{App, call::Peer};

/// After a failed accept, as when descriptors have run out: without it the loop would spin until one is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often counters of the flood guards are cleared of those who have gone.
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// The system's queue of connections not yet accepted: a rush knocks all at once.
const BACKLOG: u32 = 4_096;

/// A bound public port.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: App,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl Server {
    /// Binds `address`, from then on clients can connect; nobody is served before [`Server::serve`]. With `tls` nothing else is spoken.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub fn bind(
        address: SocketAddr,
        app: App,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()?
        } else {
            tokio::net::TcpSocket::new_v6()?
        };
        // A restart must not wait for old connections to time out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            tls: tls.map(TlsAcceptor::from),
            app,
        })
    }

    /// Where it listens: the port is known even if 0 was asked for.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then accepts no more, lets calls in progress finish for at most [`Limits::drain`](super::Limits::drain), and
    /// returns. Say "not ready" before `stop`, so that clients have somewhere else to go.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { listener, tls, app } = self;
        let seats = Seats::new(app.limits.connections, app.limits.connections_per_network);
        let connections = Connections::new(&app, tls, stop.clone());
        let mut open = JoinSet::new();
        let mut forget = tokio::time::interval(FORGET_EVERY);
        forget.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = forget.tick() => {
                    app.flood.forget_idle();
                    continue;
                }
                Some(_ended) = open.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = Peer { ip: address.ip() };
                    let Some(seat) = seats.take(peer.network()) else {
                        connection::cut("cap");
                        continue;
                    };
                    let connection = connections.serve(stream, peer);
                    open.spawn(async move {
                        connection.await;
                        drop(seat);
                    });
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE))
                        .await;
                }
            }
        }
        drop(listener);
        let all_ended = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(app.limits.drain, all_ended)
            .await
            .is_err()
        {
            tracing::warn!(
                connections = open.len(),
                "connections cut: they did not finish in time"
            );
            open.shutdown().await;
        }
    }
}

/// The client changed its mind while it waited to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Without it a first frame waits for the client's delayed acknowledgement, tens of milliseconds.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
}

/// TLS for the public port from a certificate chain and its key, both PEM.
///
/// # Errors
/// If they can't be read or don't belong together.
pub fn tls_config(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem).collect();
    let key = PrivateKeyDer::from_pem_slice(key_pem)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A certificate or key is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not PEM.
    #[error("certificate or key is not readable PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// Not a pair, or of a kind we don't take.
    #[error("certificate and key can't be used")]
    Unusable(#[from] rustls::Error),
}
