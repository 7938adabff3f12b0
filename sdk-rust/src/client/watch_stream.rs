//! A watch as a stream, for those who combine streams.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::error::Error;

/// The watch comes back with its answer, to be asked again.
pub(super) type Asked<W, T> = Pin<Box<dyn Future<Output = (W, Result<Option<T>, Error>)> + Send>>;

/// Asks a watch for as long as it is polled, and ends with its end or its first error.
pub(super) enum WatchStream<W, T> {
    Idle(W, fn(W) -> Asked<W, T>),
    Asking(Asked<W, T>, fn(W) -> Asked<W, T>),
    Over,
}

impl<W: Unpin, T> Stream for WatchStream<W, T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut *self, Self::Over) {
                Self::Idle(watch, ask) => *self = Self::Asking(ask(watch), ask),
                Self::Asking(mut asked, ask) => {
                    let Poll::Ready((watch, answer)) = asked.as_mut().poll(cx) else {
                        *self = Self::Asking(asked, ask);
                        return Poll::Pending;
                    };
                    if matches!(answer, Ok(Some(_))) {
                        *self = Self::Idle(watch, ask);
                    }
                    return Poll::Ready(answer.transpose());
                }
                Self::Over => return Poll::Ready(None),
            }
        }
    }
}
