//! Somebody who watches a drop, by the generated client: the SDK hides the frames that are counted here.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use livedrop::{
    Client,
    prost_types::Timestamp,
    v1::{
        DropChangeKind, DropState, DropStock, WatchDropRequest, WatchDropResponse,
        watch_drop_response::Frame,
    },
};
use tonic::Streaming;

/// A stream that has begun.
pub(super) struct Watcher(Streaming<WatchDropResponse>);

/// How late something was told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Late {
    /// When the server made the frame.
    pub(super) made: Duration,
    /// When the watcher had read it.
    pub(super) read: Duration,
}

impl Late {
    fn of(since: SystemTime, made: Option<Timestamp>) -> anyhow::Result<Self> {
        let read = SystemTime::now();
        let made = SystemTime::try_from(made.context("a frame without its time")?)?;
        let after = |it: SystemTime| it.duration_since(since).unwrap_or_default();
        Ok(Self {
            made: after(made),
            read: after(read),
        })
    }
}

/// What a watcher has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Id and kind of each change, as they came.
    pub(super) changes: Vec<(String, DropChangeKind)>,
    /// Places in the ledger of all frames, as they came.
    pub(super) places: Vec<i64>,
    /// Frames of stock.
    pub(super) stocks: u64,
    /// The stock after the end.
    pub(super) last: DropStock,
    /// How late after the opening it was told.
    pub(super) opening: Late,
    /// How late after the end it was told.
    pub(super) end: Late,
}

impl Watcher {
    /// Begins to watch a drop that is not open yet.
    pub(super) async fn open(client: &Client, drop_id: &str) -> anyhow::Result<Self> {
        let request = WatchDropRequest {
            drop_id: drop_id.to_owned(),
            resume_token: String::new(),
        };
        let answer = client.raw_drops().watch_drop(request).await;
        let mut frames = answer.context("WatchDrop")?.into_inner();
        let first = frames.message().await?.and_then(|it| it.frame);
        let Some(Frame::Snapshot(snapshot)) = first else {
            bail!("no snapshot, but {first:?}");
        };
        let drop = snapshot.drop.context("a snapshot of nothing")?;
        anyhow::ensure!(drop.state() == DropState::Scheduled, "{drop:?}");
        Ok(Self(frames))
    }

    /// Watches until the drop has ended, and the stock was told after that.
    pub(super) async fn follow(mut self, opens_at: SystemTime) -> anyhow::Result<Seen> {
        let mut seen = Seen::default();
        while let Some(told) = self.0.message().await? {
            let made = told.server_time;
            match told.frame {
                Some(Frame::Change(change)) => {
                    let kind = change.kind();
                    match kind {
                        DropChangeKind::WentLive => seen.opening = Late::of(opens_at, made)?,
                        DropChangeKind::Ended => {
                            let since = change.occurred_at.context("a change without its time")?;
                            seen.end = Late::of(since.try_into()?, made)?;
                        }
                        DropChangeKind::Unspecified
                        | DropChangeKind::Updated
                        | DropChangeKind::LowStock
                        | DropChangeKind::SoldOut
                        | DropChangeKind::Restocked
                        | DropChangeKind::Cancelled => {}
                    }
                    seen.places.push(change.seq);
                    seen.changes.push((change.event_id, kind));
                }
                Some(Frame::Stock(stock)) => {
                    seen.stocks += 1;
                    seen.places.push(stock.seq);
                    if seen.changes.last().is_some_and(|(_, kind)| is_end(*kind)) {
                        seen.last = stock;
                        return Ok(seen);
                    }
                }
                Some(Frame::Heartbeat(_)) => {}
                Some(other @ (Frame::Snapshot(_) | Frame::Goodbye(_))) => {
                    bail!("after {} changes came {other:?}", seen.changes.len())
                }
                None => bail!("an empty frame"),
            }
        }
        bail!("the stream ended after {:?}", seen.changes)
    }
}

fn is_end(kind: DropChangeKind) -> bool {
    kind == DropChangeKind::Ended
}
