//! The first layer: makes the [`Call`], splits the port into its two halves, and sees that every answer carries its correlation id and
//! reaches browsers.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::IntoResponse as _;
use futures::future::BoxFuture;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, VARY},
};
use hyper::body::Incoming;
use tonic::{body::Body, service::Routes};
use tower::{Layer as _, Service, ServiceExt as _};
use tower_http::cors::{AllowOrigin, Cors, CorsLayer};

use super::{Stack, leftover::Leftover};
use crate::rpc::{
    call::{Call, CorrelationId},
    link::Link,
    origins::Origins,
    policy,
};

/// How long browsers remember a preflight; two hours is the most that all of them accept.
const PREFLIGHT_AGE: Duration = Duration::from_secs(2 * 60 * 60);

/// Both halves of the port, without connections.
#[derive(Clone)]
pub(crate) struct Front {
    halves: Halves,
    cors: Cors<Halves>,
    deadline_max: Duration,
}

impl Front {
    pub(crate) fn new(
        grpc: Stack<Routes>,
        web: axum::Router,
        allowed_origins: Origins,
        deadline_max: Duration,
    ) -> Self {
        let halves = Halves { grpc, web };
        Self {
            cors: cors(allowed_origins).layer(halves.clone()),
            halves,
            deadline_max,
        }
    }

    /// Answers a request.
    pub(crate) fn answer(
        &self,
        link: Arc<Link>,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
        let call = Call::new(link, request.headers(), self.deadline_max);
        let id = call.correlation_id.header();
        request.extensions_mut().insert(call);
        // Only browsers send an origin; the others are spared the headers for them.
        let answer = if request.headers().contains_key(ORIGIN) {
            futures::future::Either::Left(self.cors.clone().call(request))
        } else {
            futures::future::Either::Right(self.halves.clone().call(request))
        };
        async move {
            let mut response = answer.await?;
            response.headers_mut().insert(CorrelationId::HEADER, id);
            Ok(response)
        }
    }
}

/// An allow-list, empty for "same origin only". Without the exposed headers a page sees each error as "unknown".
fn cors(allowed_origins: Origins) -> CorsLayer {
    let name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| {
            allowed_origins.allow(origin)
        }))
        // PUT sends pictures.
        .allow_methods([Method::POST, Method::GET, Method::PUT])
        .allow_headers([
            CONTENT_TYPE,
            AUTHORIZATION,
            CorrelationId::HEADER,
            name("x-grpc-web"),
            name("x-user-agent"),
            name("grpc-timeout"),
            name("traceparent"),
        ])
        .expose_headers([
            name("grpc-status"),
            name("grpc-message"),
            name("grpc-status-details-bin"),
            CorrelationId::HEADER,
        ])
        .max_age(PREFLIGHT_AGE)
}

/// gRPC by content type; all else is plain HTTP.
#[derive(Clone)]
struct Halves {
    grpc: Stack<Routes>,
    web: axum::Router,
}

impl Service<Request<Incoming>> for Halves {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        // Both halves are always ready: neither queues.
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let speech = Speech::of(&request);
        if matches!(speech, Speech::Grpc) && request.method() == Method::POST {
            return Box::pin(self.grpc.call(Leftover::of(request)));
        }
        // A page may send `text/plain` without a preflight, so a method must not answer to it.
        let refusal = match (speech, policy::find(request.uri().path())) {
            (Speech::Grpc, _) => Some((StatusCode::METHOD_NOT_ALLOWED, "calls are POST requests")),
            (Speech::Broken, _) | (Speech::Plain, Some(_)) => {
                Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, HOW_TO_CALL))
            }
            (Speech::Plain, None) => None,
        };
        if let Some(refusal) = refusal {
            return Box::pin(std::future::ready(Ok(refusal
                .into_response()
                .map(Body::new))));
        }
        let varies = !request.headers().contains_key(ORIGIN);
        let answer = self
            .web
            .clone()
            .oneshot(Leftover::of(request).map(axum::body::Body::new));
        Box::pin(async move {
            let mut response = answer.await?.map(Body::new);
            // An answer kept by a cache must not be given to a page that asks with an origin; those with one say so already.
            if varies {
                let origin = HeaderValue::from_static("origin");
                response.headers_mut().append(VARY, origin);
            }
            Ok(response)
        })
    }
}

const HOW_TO_CALL: &str =
    "calls are gRPC (application/grpc, over HTTP/2) or grpc-web (application/grpc-web+proto)";

/// What a request is, by its content type.
#[derive(Debug, Clone, Copy)]
enum Speech {
    /// A call, native or grpc-web.
    Grpc,
    /// Means to be a call, and can't be understood.
    Broken,
    Plain,
}

impl Speech {
    fn of<B>(request: &Request<B>) -> Self {
        let sent = request.headers().get(CONTENT_TYPE);
        let Some(rest) = sent.and_then(|sent| sent.as_bytes().strip_prefix(b"application/grpc"))
        else {
            return Self::Plain;
        };
        match rest {
            b"-web" | b"-web+proto" | b"-web-text" | b"-web-text+proto" => Self::Grpc,
            [] | [b'+' | b';', ..] if request.version() == Version::HTTP_2 => Self::Grpc,
            _ => Self::Broken,
        }
    }
}

/// A [`Front`] that all connections share.
pub(crate) type SharedFront = Arc<Front>;
