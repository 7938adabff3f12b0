//! Following a drop.

use futures_core::Stream;
use livedrop_proto::v1::{self, watch_drop_response::Frame};
use tonic::{Request, Response, Status, Streaming};

use super::{
    Client,
    resuming::{Resuming, Said, Watch},
    watch_stream::WatchStream,
};
use crate::error::Error;

impl Client {
    /// Follows a drop: [`DropWatch::next`] gives it as it is, then after each change of its state, in order and none skipped, and with its
    /// newest stock. Nobody need be signed in.
    ///
    /// The watch outlives streams: it goes on after a goodbye, a broken connection and the end of an access token. It has no end of its
    /// own; drop it when you have seen enough.
    #[must_use]
    pub fn watch_drop(&self, drop_id: impl Into<String>) -> DropWatch {
        let request = v1::WatchDropRequest {
            drop_id: drop_id.into(),
            resume_token: String::new(),
        };
        DropWatch {
            inner: Resuming::new(self.clone(), request),
            newest: None,
        }
    }
}

/// A drop that is followed.
#[derive(Debug)]
pub struct DropWatch {
    inner: Resuming<v1::WatchDropRequest>,
    newest: Option<v1::Drop>,
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DropNews {
    /// The drop, as it is then.
    pub drop: v1::Drop,
    /// What has happened to it; `None` if only its stock has changed, and of the first news.
    pub change: Option<v1::DropChange>,
}

impl DropWatch {
    /// The next news. May be dropped while it waits, and asked again after an error: it goes on where it was.
    ///
    /// # Errors
    /// `DROP_NOT_FOUND`, or a general one; a broken connection only when all attempts of the [`RetryPolicy`](crate::RetryPolicy) have
    /// failed.
    pub async fn next(&mut self) -> Result<DropNews, Error> {
        loop {
            let told = self.inner.next().await?;
            let mut drop = self.newest.clone().unwrap_or_default();
            let change = told.put_into(&mut drop);
            let is_same = self.newest.as_ref() == Some(&drop);
            self.newest = Some(drop.clone());
            if change.is_some() || !is_same {
                return Ok(DropNews { drop, change });
            }
        }
    }

    /// The same, as a stream. It ends with its first error; [`Self::next`] can go on after one.
    pub fn into_stream(self) -> impl Stream<Item = Result<DropNews, Error>> + Send + Unpin {
        WatchStream::Idle(self, |mut watch| {
            Box::pin(async move {
                let news = watch.next().await.map(Some);
                (watch, news)
            })
        })
    }
}

/// What a frame says of a drop.
#[derive(Debug)]
pub(super) enum Told {
    Drop(v1::Drop),
    Change(v1::DropChange),
    Stock(v1::DropStock),
}

impl Told {
    /// Makes `drop` what it is now; the change, if it is one.
    fn put_into(self, drop: &mut v1::Drop) -> Option<v1::DropChange> {
        match self {
            Self::Drop(newest) => {
                *drop = newest;
                None
            }
            Self::Change(mut change) => {
                if let Some(newest) = change.drop.take() {
                    *drop = newest;
                } else {
                    drop.state = change.state;
                    drop.sold_out = change.sold_out;
                    drop.seq = drop.seq.max(change.seq);
                }
                Some(change)
            }
            Self::Stock(stock) => {
                drop.seq = drop.seq.max(stock.seq);
                drop.sold_out = stock.sold_out;
                for told in stock.items {
                    let item = drop.items.iter_mut().find(|it| it.item_id == told.item_id);
                    if let Some(item) = item {
                        item.stock = told.stock;
                    }
                }
                None
            }
        }
    }
}

impl Watch for v1::WatchDropRequest {
    type Frame = v1::WatchDropResponse;
    type News = Told;

    async fn open(
        client: &Client,
        request: Request<Self>,
    ) -> Result<Response<Streaming<Self::Frame>>, Status> {
        client.raw_drops().watch_drop(request).await
    }

    fn resume_token(&mut self) -> &mut String {
        &mut self.resume_token
    }

    fn read(frame: Self::Frame) -> (String, Said<Told>) {
        let said = match frame.frame {
            Some(Frame::Snapshot(snapshot)) => Said::Begun {
                heartbeat_interval: snapshot.heartbeat_interval,
                news: snapshot.drop.map(Told::Drop),
            },
            Some(Frame::Change(change)) => Said::News {
                event_id: change.event_id.clone(),
                news: Told::Change(change),
            },
            Some(Frame::Stock(stock)) => Said::News {
                event_id: String::new(),
                news: Told::Stock(stock),
            },
            Some(Frame::Goodbye(goodbye)) => Said::Goodbye(goodbye),
            Some(Frame::Heartbeat(_)) | None => Said::Nothing,
        };
        (frame.resume_token, said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_make_the_drop_what_it_is() {
        let stock = |available| {
            Some(v1::ItemStock {
                available,
                ..Default::default()
            })
        };
        let item = |id: &str, available| v1::DropItem {
            item_id: id.into(),
            stock: stock(available),
            ..Default::default()
        };
        let mut drop = v1::Drop {
            title: "kept".into(),
            items: vec![item("a", 5), item("b", 7)],
            seq: 3,
            ..Default::default()
        };
        let change = v1::DropChange {
            state: v1::DropState::Live.into(),
            sold_out: true,
            seq: 4,
            ..Default::default()
        };
        let told = Told::Change(change.clone()).put_into(&mut drop);
        assert_eq!(told, Some(change));
        assert_eq!(
            (drop.state(), drop.sold_out, drop.seq),
            (v1::DropState::Live, true, 4)
        );

        let told = v1::DropStock {
            seq: 6,
            sold_out: false,
            items: vec![v1::DropStockItem {
                item_id: "b".into(),
                stock: stock(1),
            }],
        };
        assert_eq!(Told::Stock(told).put_into(&mut drop), None);
        assert_eq!(drop.items, [item("a", 5), item("b", 1)]);
        assert_eq!(
            (drop.title.as_str(), drop.sold_out, drop.seq),
            ("kept", false, 6)
        );

        let newest = v1::Drop {
            title: "new".into(),
            ..Default::default()
        };
        let change = v1::DropChange {
            drop: Some(newest.clone()),
            ..Default::default()
        };
        assert!(Told::Change(change).put_into(&mut drop).is_some());
        assert_eq!(drop, newest);
    }
}
