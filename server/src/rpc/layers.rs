//! What each gRPC call passes before it reaches its service, outermost first:
//!
//! [`front`] correlation id, CORS, which half of the port → tonic-web → [`guard`] span, metrics, panics, foreign statuses →
//! [`flood`] calls per network → [`authenticate`] → [`flood`] calls per caller, credentials per network → [`admit`] load and deadline.
//!
//! All of them but `guard` and `admit` decide at once and add no future of their own.

pub(crate) mod admit;
pub(crate) mod authenticate;
pub(crate) mod flood;
pub(crate) mod front;
pub(crate) mod guard;
mod leftover;

use std::convert::Infallible;

use futures::future::{Either, Ready, ready};
use http::Response;
use tonic::body::Body;
use tonic_web::GrpcWebService;

use self::{
    admit::Admit,
    authenticate::{Authenticate, Verify},
    flood::{CallerGuard, Credentials, CredentialsGuard, Flood, NetworkGuard},
    guard::Guard,
};
use super::limits::Limits;

/// The answer of a layer that decides at once, or the future of the one below.
type Decided<F> = Either<Ready<Result<Response<Body>, Infallible>>, F>;

fn refuse<F>(status: tonic::Status) -> Decided<F> {
    Either::Left(ready(Ok(status.into_http())))
}

type Limited<S> = CallerGuard<Credentials<CredentialsGuard<S>, S>>;

/// The gRPC half of the port.
pub(crate) type Stack<S> = GrpcWebService<Guard<NetworkGuard<Authenticate<Limited<Admit<S>>>>>>;

/// Wraps the services, see the module.
pub(crate) fn stack<S: Clone>(
    services: S,
    limits: &Limits,
    flood: &Flood,
    verify: Verify,
) -> Stack<S> {
    let admitted = Admit::new(services, limits);
    let credentials = Credentials {
        limited: flood.credentials(admitted.clone()),
        open: admitted,
    };
    let limited = flood.callers(credentials);
    let authenticated = Authenticate {
        inner: limited,
        verify,
    };
    let guarded = Guard::new(flood.networks(authenticated));
    tower::Layer::layer(&tonic_web::GrpcWebLayer::new(), guarded)
}
