//! Around everything a call does: its span, its metrics, its line in the log, and the promise that whatever happens inside becomes one
//! of our statuses.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::Service;
use tracing::{Instrument as _, Span};

use crate::{
    rpc::{
        call::Call,
        metrics::{RpcMetrics, code_name},
        policy, status,
    },
    telemetry::panic_text,
};

/// See the module.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    metrics: Arc<RpcMetrics>,
}

impl<S> Guard<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            metrics: Arc::new(RpcMetrics::new()),
        }
    }
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<ObservedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<ObservedBody>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let index = policy::find(request.uri().path());
        let method = index.and_then(|index| policy::METHODS.get(index));
        let name = method.map_or("unknown", |method| method.name());
        let call = request.extensions_mut().get_mut::<Call>().map(|call| {
            call.method = method;
            call.clone()
        });
        // At the level of errors, so that it is there for every line that is printed.
        let id = call.as_ref().map(|call| call.correlation_id.as_str());
        let span = tracing::error_span!("rpc", method = name, correlation_id = id);
        let mut observed = Observed::new(self.metrics.clone(), index, call, span.clone());
        let answer = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| self.inner.call(request))));
        let answer = async move {
            let answer = match answer {
                Ok(answer) => AssertUnwindSafe(answer).catch_unwind().await,
                Err(panic) => Err(panic),
            };
            let mut response = match answer {
                Ok(Ok(response)) => ours(response),
                Err(panic) => status::internal(panic_text(&*panic)).into_http(),
            };
            // A status among the headers ends the call; else it comes after the messages.
            observed.note(response.headers_mut());
            let observed = if observed.code.is_some() {
                None
            } else {
                Some(observed)
            };
            Ok(response.map(|inner| ObservedBody { inner, observed }))
        };
        Box::pin(answer.instrument(span))
    }
}

/// Replaces a head that says "failed" in words of tonic's.
fn ours(response: Response<Body>) -> Response<Body> {
    match foreign(response.headers()) {
        Some(status) => status.into_http(),
        None => response,
    }
}

/// What to say instead of these headers or trailers; `None` if they are fine.
fn foreign(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get(Status::GRPC_STATUS)?;
    if code == "0" || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let status = Status::from_header_map(headers)?;
    status::ours_for(status.code(), status.message())
}

/// One call being watched. Counted as CANCELLED if it is dropped before its status is known: the client has gone.
struct Observed {
    metrics: Arc<RpcMetrics>,
    index: Option<usize>,
    call: Option<Call>,
    span: Span,
    begun_at: Instant,
    code: Option<Code>,
}

impl Observed {
    fn new(metrics: Arc<RpcMetrics>, index: Option<usize>, call: Option<Call>, span: Span) -> Self {
        metrics.begun();
        let begun_at = call
            .as_ref()
            .map_or_else(Instant::now, |call| call.arrived_at);
        Self {
            metrics,
            index,
            call,
            span,
            begun_at,
            code: None,
        }
    }

    fn note(&mut self, headers: &HeaderMap) {
        let code = headers.get(Status::GRPC_STATUS);
        self.code = code
            .map(|code| Code::from_bytes(code.as_bytes()))
            .or(self.code);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let took = self.begun_at.elapsed();
        self.metrics.ended(self.index, code, took);
        let (name, ms) = (code_name(code), took.as_secs_f64() * 1e3);
        let caller = self.call.as_ref().and_then(Call::caller);
        let account_id = caller.map(|caller| tracing::field::display(caller.account_id));
        self.span.in_scope(|| {
            if matches!(
                code,
                Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable
            ) {
                tracing::info!(code = name, ms, account_id, "call failed");
            } else {
                tracing::debug!(code = name, ms, account_id, "call");
            }
        });
    }
}

/// An answer's messages and trailers on their way out.
pub(crate) struct ObservedBody {
    inner: Body,
    observed: Option<Observed>,
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        let Poll::Ready(Some(Ok(mut frame))) = polled else {
            return polled;
        };
        if let Some(trailers) = frame.trailers_mut() {
            let observed = self.observed.take();
            let span = observed
                .as_ref()
                .map_or_else(Span::none, |call| call.span.clone());
            if let Some(status) = span.in_scope(|| foreign(trailers)) {
                trailers.clear();
                // Only fails for text that is no header value, which ours always is.
                let _ = status.add_header(trailers);
            }
            if let Some(mut observed) = observed {
                observed.note(trailers);
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
