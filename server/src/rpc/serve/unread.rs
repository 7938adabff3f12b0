//! Finds clients that don't read. An answer that the transport can't get rid of waits in memory, and HTTP/2 has no deadline for it: a
//! client with a closed window would keep megabytes for as long as it likes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::Instant;
use tonic::{Status, body::Body};

/// The answers of one connection that are on their way out.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread {
    // A place per answer: since when the transport has had something of it that is not sent. Places are used again, so there are as
    // many as there were answers at once.
    places: Arc<Mutex<Vec<Place>>>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Free,
    /// The service has nothing to send now.
    Idle,
    /// The transport holds something since then.
    Since(Instant),
}

impl Unread {
    /// Watches an answer until it is dropped.
    pub(super) fn watch(&self, body: Body) -> Watched {
        let mut places = self.places.lock();
        let free = places.iter().position(|place| matches!(place, Place::Free));
        let place = free.unwrap_or_else(|| {
            places.push(Place::Free);
            places.len() - 1
        });
        drop(places);
        let watched = Watched {
            body,
            unread: self.clone(),
            place,
        };
        watched.note(Place::Since(Instant::now()));
        watched
    }

    /// Since when the oldest unread answer has been waiting.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let places = self.places.lock();
        let since = |place: &Place| match place {
            Place::Since(since) => Some(*since),
            Place::Free | Place::Idle => None,
        };
        places.iter().filter_map(since).min()
    }
}

/// An answer that is watched. Each time the transport asks for more it has got rid of what it had.
#[derive(Debug)]
pub(super) struct Watched {
    body: Body,
    unread: Unread,
    place: usize,
}

impl Watched {
    fn note(&self, new: Place) {
        if let Some(place) = self.unread.places.lock().get_mut(self.place) {
            *place = new;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.note(Place::Free);
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.note(if polled.is_pending() {
            Place::Idle
        } else {
            Place::Since(Instant::now())
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_nobody_takes_is_noticed() {
        let unread = Unread::default();
        assert!(unread.oldest().is_none());
        let start = Instant::now();
        let mut first = unread.watch(Body::new(http_body_util::Full::new(Bytes::from_static(
            b"x",
        ))));
        let second = unread.watch(Body::empty());
        assert_eq!(unread.oldest(), Some(start));
        drop(second);
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        first.frame().await.unwrap().unwrap();
        assert_eq!(
            unread.oldest(),
            Some(Instant::now()),
            "taking a frame is progress"
        );
        drop(first);
        assert!(unread.oldest().is_none());

        let silent = futures::stream::pending::<Result<Frame<Bytes>, Status>>();
        let mut idle = unread.watch(Body::new(http_body_util::StreamBody::new(silent)));
        assert!(idle.frame().now_or_never().is_none());
        assert!(
            unread.oldest().is_none(),
            "waiting for the service is no fault of the client"
        );
    }
}
