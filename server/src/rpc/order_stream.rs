//! `WatchOrder` in frames.

use std::sync::Arc;

use futures::{StreamExt as _, future::Either, stream};
use livedrop_proto::v1::{self, watch_order_response::Frame};

use super::{
    fields::{to_span, to_time},
    order_answer,
    resume_token::OrderResume,
    stream::{Frames, OpenStream, Saying},
};
use crate::{
    auth::Keys,
    env::SharedEnv,
    service::{Context, Error, order_watch::OrderWatch},
    store::orders::{LedgerPlace, OrderRow},
};

/// What a stream tells of an order.
enum News {
    /// It goes on after a resume token.
    Resumed,
    /// The order as it was at some place of its ledger.
    Order(Box<OrderRow>),
}

/// Tells what `watch` sees; `after` is where a resumed stream goes on.
pub(super) fn frames(
    ctx: &Context,
    open: OpenStream,
    resume: OrderResume,
    after: Option<LedgerPlace>,
    watch: OrderWatch,
) -> Frames<v1::WatchOrderResponse> {
    let rows = stream::unfold(watch, |mut watch| async {
        let row = watch.next().await;
        Some((row.map(|row| News::Order(Box::new(row))), watch))
    });
    let news = match after {
        Some(_) => Either::Left(stream::iter([Ok::<_, Error>(News::Resumed)]).chain(rows)),
        None => Either::Right(rows),
    };
    let mut words = Words {
        env: ctx.env.clone(),
        keys: ctx.keys.clone(),
        resume,
        heartbeat_interval: to_span(open.heartbeat()),
        seen: after,
    };
    open.tell(news, move |said| words.frame(said))
}

/// Puts sayings into frames.
struct Words {
    env: SharedEnv,
    keys: Arc<Keys>,
    resume: OrderResume,
    heartbeat_interval: prost_types::Duration,
    /// The newest change told.
    seen: Option<LedgerPlace>,
}

impl Words {
    fn frame(&mut self, said: Saying<News>) -> v1::WatchOrderResponse {
        let frame = match said {
            Saying::News(News::Resumed) => Frame::Snapshot(self.snapshot(None)),
            Saying::News(News::Order(row)) => self.order(&row),
            Saying::Heartbeat => Frame::Heartbeat(v1::Heartbeat {}),
            Saying::Goodbye(goodbye) => Frame::Goodbye(goodbye),
        };
        let seen = self.seen.map(|place| self.resume.token(&self.keys, place));
        v1::WatchOrderResponse {
            resume_token: seen.unwrap_or_default(),
            server_time: Some(to_time(self.env.now())),
            frame: Some(frame),
        }
    }

    fn order(&mut self, row: &OrderRow) -> Frame {
        let order = order_answer::order(self.resume.caller, row);
        if self.seen.replace(row.updated).is_none() {
            return Frame::Snapshot(self.snapshot(Some(order)));
        }
        let LedgerPlace { seq, index } = row.updated;
        Frame::Change(v1::OrderChange {
            event_id: format!("{}/{seq}/{index}", row.drop_id),
            order: Some(order),
        })
    }

    fn snapshot(&self, order: Option<v1::Order>) -> v1::OrderSnapshot {
        v1::OrderSnapshot {
            order,
            heartbeat_interval: Some(self.heartbeat_interval),
        }
    }
}
