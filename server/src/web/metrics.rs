//! `/metrics` on a port of its own, for the operator's network only.

use std::{io, net::SocketAddr};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The port of `/metrics`, bound.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
}

impl MetricsServer {
    /// Binds the port. Keep it on a loopback or internal address: it has no limits and asks nobody who they are.
    ///
    /// # Errors
    /// If the address can't be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until told to stop.
    ///
    /// # Errors
    /// None that last: failed accepts are retried.
    pub async fn serve(self, metrics: PrometheusHandle, stop: CancellationToken) -> io::Result<()> {
        let render = move || {
            let text = metrics.render();
            std::future::ready((
                [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
                text,
            ))
        };
        let router = Router::new().route("/metrics", get(render));
        axum::serve(self.listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }
}
