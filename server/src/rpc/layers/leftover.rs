//! The rest of a request that was refused before all of it had come.
//!
//! Over HTTP/1.1 a server that closes then resets the connection under a client that is still sending, and the client loses the refusal:
//! a page would see a broken connection, and try again. So the rest is read and thrown away, up to a bound. HTTP/2 needs nothing like it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

/// Read for nobody, at most: no message is larger by honest mistake.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// For this long at most. Shorter than any drain, so that no stop waits for it.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// A request's body, read to its end whoever drops it before.
#[derive(Debug)]
pub(crate) struct Leftover {
    /// Taken when it is dropped.
    body: Option<Incoming>,
    is_read: bool,
}

impl Leftover {
    pub(super) fn of(request: Request<Incoming>) -> Request<Self> {
        let is_read = request.version() < Version::HTTP_2;
        request.map(|body| Self {
            body: Some(body),
            is_read,
        })
    }
}

impl Body for Leftover {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let unread = self.body.take().filter(|body| !body.is_end_stream());
        if let (true, Some(body), Ok(runtime)) = (self.is_read, unread, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(READ_WITHIN, read(body)));
        }
    }
}

async fn read(mut body: Incoming) {
    let mut left = BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let count = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(count) else {
            return;
        };
        left = rest;
    }
}
