//! Following a drop.

mod restarts;

use std::time::Duration;

use futures::future::join_all;
use livedrop::{
    Client, Code,
    prost_types::Timestamp,
    tonic::{Request, Status, Streaming, transport::Endpoint},
    v1::{
        self, DropChangeKind as Kind, DropState, drop_service_client::DropServiceClient,
        watch_drop_response::Frame,
    },
};
use livedrop_server::store::{Cas, drops::DropTime, drops::DropTimeKey};
use tokio::{sync::Barrier, time::timeout};
use tonic_types::StatusExt as _;

use crate::harness::{
    Server, after, drop_request, get_drop, item, open_drop, place, request_id, schedule, stock,
};

type Frames = Streaming<v1::WatchDropResponse>;

/// Longer than any change takes; machines are slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens a stream by hand.
async fn watch(client: &Client, drop: &v1::Drop, resume_token: &str) -> Result<Frames, Status> {
    let mut request = Request::new(v1::WatchDropRequest {
        drop_id: drop.drop_id.clone(),
        resume_token: resume_token.to_owned(),
    });
    client.authorize(&mut request).await;
    let answer = client.raw_drops().watch_drop(request).await?;
    Ok(answer.into_inner())
}

/// The next frame that is no heartbeat, and its resume token.
async fn next(frames: &mut Frames) -> (String, Frame) {
    loop {
        let frame = timeout(PATIENCE, frames.message()).await;
        let frame = frame.expect("a frame in time").unwrap();
        let frame = frame.expect("the stream goes on");
        assert!(frame.server_time.is_some() && !frame.resume_token.is_empty());
        let told = frame.frame.unwrap();
        if !matches!(told, Frame::Heartbeat(_)) {
            return (frame.resume_token, told);
        }
    }
}

async fn snapshot(frames: &mut Frames) -> (String, v1::DropSnapshot) {
    match next(frames).await {
        (token, Frame::Snapshot(snapshot)) => (token, snapshot),
        (_, other) => panic!("{other:?}"),
    }
}

/// All that is told until a change of this kind and then a stock, with its tokens; the stock is the last.
async fn until(frames: &mut Frames, last: Kind) -> (Vec<(String, v1::DropChange)>, v1::DropStock) {
    let mut changes: Vec<(String, v1::DropChange)> = Vec::new();
    loop {
        match next(frames).await {
            (token, Frame::Change(change)) => changes.push((token, change)),
            (_, Frame::Stock(stock)) => {
                let at = changes
                    .last()
                    .map(|(_, change)| (change.kind(), change.seq));
                if at.is_some_and(|(kind, seq)| kind == last && seq <= stock.seq) {
                    return (changes, stock);
                }
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

fn kinds(changes: &[(String, v1::DropChange)]) -> Vec<Kind> {
    changes.iter().map(|(_, change)| change.kind()).collect()
}

/// The stock must be that of the drop.
fn agree(told: &v1::DropStock, drop: &v1::Drop) {
    assert_eq!((told.seq, told.sold_out), (drop.seq, drop.sold_out));
    let stocks = drop.items.iter().map(|it| v1::DropStockItem {
        item_id: it.item_id.clone(),
        stock: it.stock,
    });
    assert_eq!(told.items, stocks.collect::<Vec<_>>());
}

async fn restock(creator: &Client, drop: &v1::Drop, unit_count: i64) -> v1::Drop {
    let request = v1::RestockDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
        item_id: drop.items[0].item_id.clone(),
        unit_count,
        reason: String::new(),
    };
    creator.restock_drop(request).await.unwrap().drop.unwrap()
}

async fn end(creator: &Client, drop: &v1::Drop) -> v1::Drop {
    let drop_id = drop.drop_id.clone();
    let ended = creator.end_drop(v1::EndDropRequest { drop_id }).await;
    ended.unwrap().drop.unwrap()
}

async fn cancel(creator: &Client, drop: &v1::Drop) -> v1::Drop {
    let request = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    };
    creator.cancel_drop(request).await.unwrap().drop.unwrap()
}

/// A drop as frames have it: what stands beside it is for pages.
pub(crate) fn watched(drop: &v1::Drop) -> v1::Drop {
    v1::Drop {
        creator: None,
        products: Vec::new(),
        ..drop.clone()
    }
}

const LIFE: [Kind; 3] = [Kind::SoldOut, Kind::Restocked, Kind::Ended];

/// Sells out, is restocked and ended; the drop then.
async fn live_a_life(creator: &Client, buyer: &Client, drop: &v1::Drop) -> v1::Drop {
    place(buyer, drop, &[(0, 2)]).await.unwrap();
    restock(creator, drop, 3).await;
    end(creator, drop).await;
    get_drop(buyer, drop).await
}

#[tokio::test]
async fn every_change_comes_and_the_stock_follows() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 2)]).await;
    // Anyone may watch.
    let mut frames = watch(&server.stranger(), &drop, "").await.unwrap();
    let (_, begun) = snapshot(&mut frames).await;
    assert_eq!(begun.drop, Some(watched(&drop)));
    assert_eq!(begun.heartbeat_interval.unwrap().seconds, 15);

    let over = live_a_life(&creator, &ann, &drop).await;
    let (changes, stock_told) = until(&mut frames, Kind::Ended).await;
    assert_eq!(kinds(&changes), LIFE);
    let states: Vec<_> = changes
        .iter()
        .map(|(_, it)| (it.state(), it.sold_out, it.unit_count))
        .collect();
    let live = DropState::Live;
    assert_eq!(
        states,
        [
            (live, true, 0),
            (live, false, 3),
            (DropState::Ended, false, 0)
        ]
    );
    assert_eq!(changes[1].1.item_id, drop.items[0].item_id);
    let seqs: Vec<_> = changes.iter().map(|(_, change)| change.seq).collect();
    assert!(seqs.is_sorted() && changes.iter().all(|(_, it)| it.occurred_at.is_some()));
    agree(&stock_told, &over);

    // Who comes late sees the end.
    let mut late = watch(&ann, &drop, "").await.unwrap();
    let (_, seen) = snapshot(&mut late).await;
    assert_eq!(seen.drop, Some(watched(&over)));
    let nothing = v1::Drop {
        drop_id: livedrop::Uuid::now_v7().to_string(),
        ..Default::default()
    };
    let error = watch(&ann, &nothing, "").await.unwrap_err();
    let info = error.get_details_error_info().unwrap();
    assert_eq!(
        (error.code(), &*info.reason),
        (Code::NotFound, "DROP_NOT_FOUND")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_resumed_stream_goes_on_without_loss() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 2)]).await;
    let (token, _) = snapshot(&mut watch(&ann, &drop, "").await.unwrap()).await;
    let over = live_a_life(&creator, &ann, &drop).await;

    let mut told = Vec::new();
    // Twice, for a token may be used again; the second time by a stranger, for everyone sees the same.
    for client in [&ann, &server.stranger()] {
        let mut frames = watch(client, &drop, &token).await.unwrap();
        let (same, begun) = snapshot(&mut frames).await;
        assert!(same == token && begun.drop.is_none());
        let (changes, stock_told) = until(&mut frames, Kind::Ended).await;
        assert_eq!(kinds(&changes), LIFE);
        agree(&stock_told, &over);
        // And from its middle.
        let mut rest = watch(client, &drop, &changes[0].0).await.unwrap();
        snapshot(&mut rest).await;
        let (rest, _) = until(&mut rest, Kind::Ended).await;
        assert_eq!(rest, changes[1..]);
        told.push(changes);
    }
    assert_eq!(told[0], told[1]);
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_token_is_refused() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    let drop = open_drop(&creator, &[(0, 5)]).await;
    let other = open_drop(&creator, &[(0, 5)]).await;
    let (token, _) = snapshot(&mut watch(&ann, &drop, "").await.unwrap()).await;
    let mut forged = token.clone().into_bytes();
    forged[5] = if forged[5] == b'A' { b'B' } else { b'A' };
    let (forged, long) = (String::from_utf8(forged).unwrap(), "A".repeat(300));
    for (drop, token) in [
        (&other, token.as_str()),
        (&drop, &forged),
        (&drop, "nonsense"),
        (&drop, &long),
    ] {
        let error = watch(&ann, drop, token).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let details = error.get_details_bad_request().unwrap();
        assert_eq!(details.field_violations[0].field, "resume_token");
    }
    let bad = v1::Drop {
        drop_id: "x".into(),
        ..Default::default()
    };
    let error = watch(&ann, &bad, "").await.unwrap_err();
    let details = error.get_details_bad_request().unwrap();
    assert_eq!(details.field_violations[0].field, "drop_id");
    server.stop().await;
}

/// Microseconds since 1970.
fn micros(time: Option<Timestamp>) -> i64 {
    let time = time.unwrap();
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000
}

#[tokio::test]
async fn an_opening_is_told_to_all_who_wait() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let request = v1::ScheduleDropRequest {
        opens_at: after(Duration::from_secs(3)),
        ..drop_request(vec![item(0, 5)])
    };
    let drop = schedule(&creator, request).await;
    let stranger = server.stranger();
    let mut streams = join_all((0..20).map(|_| watch(&stranger, &drop, ""))).await;
    let waiting = streams.iter_mut().map(async |frames| {
        let frames = frames.as_mut().unwrap();
        let (_, begun) = snapshot(frames).await;
        assert_eq!(begun.drop.unwrap().state(), DropState::Scheduled);
        loop {
            let frame = frames.message().await.unwrap().unwrap();
            if let Some(Frame::Change(change)) = frame.frame {
                assert_eq!(
                    (change.kind(), change.state()),
                    (Kind::WentLive, DropState::Live)
                );
                return micros(frame.server_time) - micros(drop.opens_at);
            }
        }
    });
    let late = timeout(PATIENCE, join_all(waiting)).await.unwrap();
    // It is 50 ms at most where nobody else is at work; tests share the machine with others.
    assert!(
        late.iter().all(|it| (0..1_000_000).contains(it)),
        "{late:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_drop_is_watched_before_it_has_a_ledger() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let hours = |n: u64| after(Duration::from_secs(n * 3_600));
    let request = v1::ScheduleDropRequest {
        opens_at: hours(2),
        ends_at: hours(3),
        ..drop_request(vec![item(0, 5)])
    };
    let cancelled = schedule(&creator, request.clone()).await;
    let mut frames = watch(&creator, &cancelled, "").await.unwrap();
    let (token, begun) = snapshot(&mut frames).await;
    assert_eq!(begun.drop, Some(watched(&cancelled)));
    let after_it = cancel(&creator, &cancelled).await;
    let mut resumed = watch(&creator, &cancelled, &token).await.unwrap();
    snapshot(&mut resumed).await;
    for frames in [&mut frames, &mut resumed] {
        let (_, Frame::Change(change)) = next(frames).await else {
            panic!("no change");
        };
        assert_eq!((change.kind(), change.seq), (Kind::Cancelled, 0));
        assert_eq!(change.drop, Some(watched(&after_it)));
    }

    // One that comes to open sooner, and does.
    let request = v1::ScheduleDropRequest {
        request_id: request_id(),
        ..request
    };
    let drop = schedule(&creator, request).await;
    let mut frames = watch(&creator, &drop, "").await.unwrap();
    snapshot(&mut frames).await;
    let store = server.store();
    let mut row = store
        .get_drop(drop.drop_id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    row.version += 1;
    row.op_id = livedrop::Uuid::now_v7();
    row.opens_at = row.created_at + Duration::from_secs(900);
    assert_eq!(store.update_drop(&row).await.unwrap(), Cas::Done);
    let (_, Frame::Change(change)) = next(&mut frames).await else {
        panic!("no change");
    };
    assert_eq!(change.kind(), Kind::Updated);
    assert_eq!(micros(change.drop.unwrap().opens_at), row.opens_at.micros());
    row.version += 1;
    row.op_id = livedrop::Uuid::now_v7();
    row.opens_at = row.created_at;
    let key = DropTimeKey {
        opens_at: row.opens_at,
        drop_id: row.drop_id,
    };
    let time = DropTime {
        key,
        ends_at: row.ends_at,
    };
    store.put_drop_time(time, row.changed_at).await.unwrap();
    assert_eq!(store.update_drop(&row).await.unwrap(), Cas::Done);
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        if let (_, Frame::Change(change)) = next(&mut frames).await {
            kinds.push(change.kind());
        }
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [Kind::Updated, Kind::WentLive]);
    // A server that stops waits for all who have its store.
    std::mem::drop(store);
    server.stop().await;
}

#[tokio::test]
async fn a_reader_who_sleeps_misses_stock_and_no_change() {
    let server = Server::start().await;
    let (creator, ann) = (server.creator().await, server.person().await);
    // The stock of so many items soon fills what a connection holds.
    let drop = open_drop(&creator, &[(0, 100); 100]).await;
    let small = Endpoint::from_shared(server.endpoint()).unwrap();
    let small = small.initial_stream_window_size(16 * 1024).connect_lazy();
    let request = v1::WatchDropRequest {
        drop_id: drop.drop_id.clone(),
        resume_token: String::new(),
    };
    let answer = DropServiceClient::new(small).watch_drop(request).await;
    let mut frames = answer.unwrap().into_inner();
    snapshot(&mut frames).await;
    for n in 0..40 {
        place(&ann, &drop, &[(n, 1)]).await.unwrap();
        if n % 20 == 0 {
            restock(&creator, &drop, 1).await;
        }
        // The stock is shown again after 50 ms.
        tokio::time::sleep(Duration::from_millis(55)).await;
    }
    end(&creator, &drop).await;
    let over = get_drop(&ann, &drop).await;
    let (mut changes, mut stocks) = (Vec::new(), 0);
    let newest = loop {
        match next(&mut frames).await {
            (_, Frame::Change(change)) => changes.push(change.kind()),
            (_, Frame::Stock(stock)) => {
                stocks += 1;
                if stock.seq >= over.seq {
                    break stock;
                }
            }
            (_, other) => panic!("{other:?}"),
        }
    };
    assert_eq!(changes, [Kind::Restocked, Kind::Restocked, Kind::Ended]);
    agree(&newest, &over);
    assert!(stocks < 30, "{stocks} of about 40 stocks");
    server.stop().await;
}

#[tokio::test]
async fn a_small_rush_is_seen_by_all_to_its_end() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let buyers = join_all((0..5).map(|_| server.person())).await;
    let drop = open_drop(&creator, &[(0, 50)]).await;
    let ready = Barrier::new(201);
    let connections: Vec<_> = (0..4).map(|_| server.stranger()).collect();
    let watching = (0..200).map(async |n: usize| {
        let mut frames = watch(&connections[n % 4], &drop, "").await.unwrap();
        let (_, begun) = snapshot(&mut frames).await;
        ready.wait().await;
        let mut seen = vec![begun.drop.unwrap().seq];
        let mut changes = Vec::new();
        loop {
            match next(&mut frames).await {
                (_, Frame::Change(change)) => {
                    seen.push(change.seq);
                    changes.push((change.event_id.clone(), change.kind()));
                }
                (_, Frame::Stock(stock)) => {
                    seen.push(stock.seq);
                    if changes.last().is_some_and(|(_, kind)| *kind == Kind::Ended) {
                        return (seen, changes, stock);
                    }
                }
                (_, other) => panic!("{other:?}"),
            }
        }
    });
    let buying = async {
        ready.wait().await;
        let rush = buyers.iter().map(async |buyer| {
            for _ in 0..10 {
                place(buyer, &drop, &[(0, 1)]).await.unwrap();
            }
        });
        join_all(rush).await;
        end(&creator, &drop).await;
        get_drop(&creator, &drop).await
    };
    let (told, over) = tokio::join!(join_all(watching), buying);
    assert_eq!(stock(&over, 0), (0, 0, 50));
    for (seen, changes, stock_told) in &told {
        assert!(seen.is_sorted(), "{seen:?}");
        assert_eq!(changes, &told[0].1, "the same for all");
        let kinds: Vec<_> = changes.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds, [Kind::SoldOut, Kind::Ended]);
        agree(stock_told, &over);
    }
    server.stop().await;
}
