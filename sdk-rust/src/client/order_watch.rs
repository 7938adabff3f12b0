//! Following an order.

use futures_core::Stream;
use livedrop_proto::v1::{self, OrderState, watch_order_response::Frame};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Client,
    resuming::{Resuming, Said, Watch},
    watch_stream::WatchStream,
};
use crate::error::Error;

impl Client {
    /// Follows an order: [`OrderWatch::next`] gives its present version, then every change, in order and none skipped.
    ///
    /// The watch outlives streams: it goes on after a goodbye, a broken connection and the end of an access token.
    #[must_use]
    pub fn watch_order(
        &self,
        drop_id: impl Into<String>,
        order_id: impl Into<String>,
    ) -> OrderWatch {
        let request = v1::WatchOrderRequest {
            drop_id: drop_id.into(),
            order_id: order_id.into(),
            resume_token: String::new(),
        };
        OrderWatch {
            inner: Resuming::new(self.clone(), request),
            until_final: false,
            is_over: false,
            newest: None,
        }
    }
}

/// An order that is followed.
#[derive(Debug)]
pub struct OrderWatch {
    inner: Resuming<v1::WatchOrderRequest>,
    until_final: bool,
    is_over: bool,
    newest: Option<v1::Order>,
}

impl OrderWatch {
    /// Ends after the first version that is `PAID`, `CANCELLED`, `EXPIRED` or `REFUNDED`.
    #[must_use]
    pub fn until_final(mut self) -> Self {
        self.until_final = true;
        self
    }

    /// Goes on after a [`Self::resume_token`] that the app kept: then changes come, without the present version first.
    #[must_use]
    pub fn resuming(mut self, resume_token: impl Into<String>) -> Self {
        self.inner.request.resume_token = resume_token.into();
        self
    }

    /// Where a later watch of this order can go on; empty before the first frame.
    #[must_use]
    pub fn resume_token(&self) -> &str {
        &self.inner.request.resume_token
    }

    /// The next version of the order; `None` after the last, if it was asked to end. May be dropped while it waits, and asked again after
    /// an error: it goes on where it was.
    ///
    /// # Errors
    /// `ORDER_NOT_FOUND`, or a general one; a broken connection only when all attempts of the [`RetryPolicy`](crate::RetryPolicy) have
    /// failed.
    pub async fn next(&mut self) -> Result<Option<v1::Order>, Error> {
        while !self.is_over {
            let order = self.inner.next().await?;
            if self.newest.as_ref() == Some(&order) {
                continue;
            }
            self.is_over = self.until_final && is_final(order.state());
            self.newest = Some(order.clone());
            return Ok(Some(order));
        }
        Ok(None)
    }

    /// The same, as a stream. It ends with the watch or with its first error; [`Self::next`] can go on after one.
    pub fn into_stream(self) -> impl Stream<Item = Result<v1::Order, Error>> + Send + Unpin {
        WatchStream::Idle(self, |mut watch| {
            Box::pin(async move {
                let order = watch.next().await;
                (watch, order)
            })
        })
    }
}

impl Watch for v1::WatchOrderRequest {
    type Frame = v1::WatchOrderResponse;
    type News = v1::Order;

    async fn open(
        client: &Client,
        request: Request<Self>,
    ) -> Result<Response<Streaming<Self::Frame>>, Status> {
        client.raw_orders().watch_order(request).await
    }

    fn resume_token(&mut self) -> &mut String {
        &mut self.resume_token
    }

    fn read(frame: Self::Frame) -> (String, Said<v1::Order>) {
        let said = match frame.frame {
            Some(Frame::Snapshot(snapshot)) => Said::Begun {
                heartbeat_interval: snapshot.heartbeat_interval,
                news: snapshot.order,
            },
            Some(Frame::Change(v1::OrderChange { event_id, order })) => match order {
                Some(news) => Said::News { event_id, news },
                None => Said::Nothing,
            },
            Some(Frame::Goodbye(goodbye)) => Said::Goodbye(goodbye),
            Some(Frame::Heartbeat(_)) | None => Said::Nothing,
        };
        (frame.resume_token, said)
    }
}

fn is_final(state: OrderState) -> bool {
    match state {
        OrderState::Paid | OrderState::Cancelled | OrderState::Expired | OrderState::Refunded => {
            true
        }
        OrderState::Unspecified
        | OrderState::Held
        | OrderState::PaymentPending
        | OrderState::ActionRequired
        | OrderState::PaymentUnknown
        | OrderState::RefundPending => false,
    }
}
