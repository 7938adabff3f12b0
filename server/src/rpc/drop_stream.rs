//! `WatchDrop` in frames. What a frame says is encoded once for all who watch the drop; only its token and time are each reader's own.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use livedrop_proto::{
    codec::Shared,
    v1::{self, watch_drop_response::Frame},
};
use prost::Message as _;

use super::{
    drop_answer,
    fields::{to_span, to_time},
    resume_token::DropResume,
    stream::{Frames, OpenStream, Saying},
};
use crate::{
    auth::Keys,
    env::SharedEnv,
    service::{
        Context, DropWatch,
        drop_watch::{DropNews, Seen},
    },
};

/// Tells what `watch` sees.
pub(super) fn frames(
    ctx: &Context,
    open: OpenStream,
    resume: DropResume,
    watch: DropWatch,
) -> Frames<Shared<v1::WatchDropResponse>> {
    let news = stream::unfold(watch, |mut watch| async {
        let news = watch.next().await;
        Some((news, watch))
    });
    let mut words = Words {
        env: ctx.env.clone(),
        keys: ctx.keys.clone(),
        resume,
        heartbeat_interval: to_span(open.heartbeat()),
        token: String::new(),
    };
    open.tell(news, move |said| words.frame(said))
}

/// Puts sayings into frames.
struct Words {
    env: SharedEnv,
    keys: Arc<Keys>,
    resume: DropResume,
    heartbeat_interval: prost_types::Duration,
    /// Goes on after what was told last.
    token: String,
}

impl Words {
    fn frame(&mut self, said: Saying<(DropNews, Seen)>) -> Shared<v1::WatchDropResponse> {
        let common = match said {
            Saying::News((news, seen)) => {
                self.token = self.resume.token(&self.keys, seen);
                self.news(&news)
            }
            Saying::Heartbeat => encoded(Frame::Heartbeat(v1::Heartbeat {})).into(),
            Saying::Goodbye(goodbye) => encoded(Frame::Goodbye(goodbye)).into(),
        };
        let own = v1::WatchDropResponse {
            resume_token: self.token.clone(),
            server_time: Some(to_time(self.env.now())),
            frame: None,
        };
        Shared::of(own.encode_to_vec().into(), common)
    }

    fn news(&self, news: &DropNews) -> Bytes {
        match news {
            DropNews::Snapshot(told) => told.encoded(|details| {
                let drop = drop_answer::drop(details);
                encoded(self.snapshot(Some(drop)))
            }),
            DropNews::Resumed => encoded(self.snapshot(None)).into(),
            DropNews::Change(told) => told.encoded(|change| {
                let change = drop_answer::change(self.resume.drop_id, change);
                encoded(Frame::Change(change))
            }),
            DropNews::Row(told) => {
                told.encoded(|details| encoded(Frame::Change(drop_answer::row_change(details))))
            }
            DropNews::Stock(told) => {
                told.encoded(|details| encoded(Frame::Stock(drop_answer::stock(details))))
            }
        }
    }

    fn snapshot(&self, drop: Option<v1::Drop>) -> Frame {
        Frame::Snapshot(v1::DropSnapshot {
            drop,
            heartbeat_interval: Some(self.heartbeat_interval),
        })
    }
}

/// What a frame says, without its token and time.
fn encoded(frame: Frame) -> Vec<u8> {
    let response = v1::WatchDropResponse {
        frame: Some(frame),
        ..v1::WatchDropResponse::default()
    };
    response.encode_to_vec()
}
