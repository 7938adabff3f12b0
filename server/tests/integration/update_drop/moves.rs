//! Drops that are to open at another time, and those who watch them.

use std::time::{Duration, SystemTime};

use livedrop::v1::{self, DropChangeKind as Kind, DropState};
use livedrop_server::domain::drop::FREEZE_AHEAD;

use super::{HOUR, far_drop, moved, new_title, update};
use crate::{
    harness::{
        Server, after, answered, drop_request, eventually, get_drop, home::Home, item, open_drop,
        place, reason, schedule,
    },
    watch_drop::watched,
};

fn as_time(time: Option<livedrop::prost_types::Timestamp>) -> SystemTime {
    time.unwrap().try_into().unwrap()
}

/// When the drop opened, by its ledger.
async fn opened_at(server: &Server, drop: &v1::Drop) -> SystemTime {
    let request = v1::ListLedgerRecordsRequest {
        drop_id: drop.drop_id.clone(),
        ..Default::default()
    };
    let reader = server.stranger();
    let page = answered(|| reader.list_ledger_records(request.clone())).await;
    let is_opening = |record: &&v1::LedgerRecord| {
        let kinds = record.entries.iter().map(v1::LedgerEntry::kind);
        kinds
            .into_iter()
            .any(|kind| kind == v1::LedgerEntryKind::WentLive)
    };
    let records = page.unwrap().records;
    let record = records.iter().find(is_opening).expect("it opened");
    let micros = u64::try_from(record.recorded_at_us).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

#[tokio::test]
async fn a_drop_moved_to_the_next_seconds_is_frozen_at_once_and_opens_then() {
    let server = Server::start().await;
    let (creator, buyer) = (server.creator().await, server.person().await);
    let drop = far_drop(&creator).await;
    let mut watch = server.stranger().watch_drop(&drop.drop_id);
    assert_eq!(watch.next().await.unwrap().drop, watched(&drop));

    let sooner = update(&creator, moved(&drop, after(Duration::from_secs(6)))).await;
    let sooner = sooner.unwrap();
    assert_eq!(
        (sooner.state(), sooner.frozen),
        (DropState::Scheduled, true)
    );
    assert_eq!(
        reason(place(&buyer, &drop, &[(1, 1)]).await),
        "DROP_NOT_OPEN"
    );
    let later = update(&creator, moved(&drop, after(HOUR))).await;
    assert_eq!(reason(later), "DROP_FROZEN");

    let mut kinds = Vec::new();
    while kinds.last() != Some(&Kind::WentLive) {
        let news = watch.next().await.unwrap();
        if let Some(change) = news.change {
            kinds.push(change.kind());
            assert_eq!(news.drop.opens_at, sooner.opens_at);
        }
    }
    assert_eq!(kinds, [Kind::Updated, Kind::WentLive]);
    place(&buyer, &drop, &[(1, 1)]).await.unwrap();
    let opened_at = opened_at(&server, &drop).await;
    let due = as_time(sooner.opens_at);
    // It is milliseconds where nobody else is at work.
    assert!(opened_at >= due && opened_at < due + Duration::from_secs(20));
    server.stop().await;
}

#[tokio::test]
async fn a_drop_moved_to_now_is_live() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = far_drop(&creator).await;
    let wish = moved(&drop, Some(livedrop::prost_types::Timestamp::default()));
    let live = update(&creator, wish.clone()).await.unwrap();
    assert_eq!((live.state(), live.frozen), (DropState::Live, true));
    // A repeat asks for what is so.
    assert_eq!(update(&creator, wish).await.unwrap(), live);
    server.stop().await;
}

/// Its freeze was armed when it was made. Nothing must come of that.
#[tokio::test]
async fn a_drop_moved_away_is_left_alone_by_its_old_alarms() {
    let home = Home::new().await;
    let server = Server::at(&home).await;
    let creator = server.creator().await;
    let request = v1::ScheduleDropRequest {
        opens_at: after(FREEZE_AHEAD + Duration::from_secs(6)),
        ends_at: after(3 * HOUR),
        ..drop_request(vec![item(0, 5)])
    };
    let drop = schedule(&creator, request).await;
    assert!(!drop.frozen);
    let later = update(&creator, moved(&drop, after(2 * HOUR)))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(get_drop(&creator, &drop).await, later);
    assert!(!later.frozen);
    server.stop().await;
    // The table of times still has the old row.
    let server = Server::at(&home).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(get_drop(&server.stranger(), &drop).await, later);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_comes_back_opens_moved_drops_at_their_new_time() {
    let home = Home::new().await;
    let server = Server::at(&home).await;
    let creator = server.creator().await;
    let (soon, far) = (far_drop(&creator).await, far_drop(&creator).await);
    let soon = update(&creator, moved(&soon, after(Duration::from_secs(5)))).await;
    let soon = soon.unwrap();
    let far = update(&creator, moved(&far, after(HOUR + HOUR / 2)))
        .await
        .unwrap();
    server.stop().await;

    let server = Server::at(&home).await;
    let reader = server.stranger();
    let live = eventually(async || {
        let drop = get_drop(&reader, &soon).await;
        (drop.state() == DropState::Live).then_some(drop)
    });
    assert_eq!(live.await.opens_at, soon.opens_at);
    assert!(opened_at(&server, &soon).await >= as_time(soon.opens_at));
    assert_eq!(get_drop(&reader, &far).await, far);
    server.stop().await;
}

#[tokio::test]
async fn watchers_are_told_before_and_after_the_freeze() {
    let server = Server::start().await;
    let creator = server.creator().await;
    for drop in [
        far_drop(&creator).await,
        open_drop(&creator, &[(0, 5)]).await,
    ] {
        let mut watches = [0, 1].map(|_| server.stranger().watch_drop(&drop.drop_id));
        for watch in &mut watches {
            watch.next().await.unwrap();
        }
        for title in ["Second", "Third"] {
            let changed = update(&creator, new_title(&drop, title)).await.unwrap();
            for watch in &mut watches {
                let news = watch.next().await.unwrap();
                let change = news.change.unwrap();
                assert_eq!(
                    (change.kind(), change.state()),
                    (Kind::Updated, drop.state())
                );
                assert_eq!(news.drop, watched(&changed));
            }
        }
    }
    server.stop().await;
}

/// What another server holds in memory is as old as a second.
#[tokio::test]
async fn another_server_shows_a_change_too() {
    let home = Home::new().await;
    if home.shared().await.is_none() {
        // A file has one process.
        return;
    }
    let start = || Server::at_with(&home, |config| config.payments.provider = None);
    let (one, other) = (start().await, start().await);
    let creator = one.creator().await;
    let at_other = other.stranger().with_tokens(creator.tokens().unwrap());
    let (live, far) = (
        open_drop(&creator, &[(0, 5)]).await,
        far_drop(&creator).await,
    );
    for drop in [&live, &far] {
        let mut watch = at_other.watch_drop(&drop.drop_id);
        watch.next().await.unwrap();
        let changed = update(&creator, new_title(drop, "Second")).await.unwrap();
        let news = loop {
            let news = watch.next().await.unwrap();
            if news.change.is_some() {
                break news;
            }
        };
        assert_eq!(news.change.unwrap().kind(), Kind::Updated);
        assert_eq!(
            (&news.drop.title, &news.drop.etag),
            (&changed.title, &changed.etag)
        );
        let read = eventually(async || {
            let read = get_drop(&at_other, drop).await;
            (read.title == "Second").then_some(read)
        });
        let wish = v1::UpdateDropRequest {
            etag: read.await.etag,
            ..new_title(drop, "Third")
        };
        assert_eq!(update(&at_other, wish).await.unwrap().title, "Third");
    }
    // Moved there, it opens here too.
    let sooner = moved(&far, after(Duration::from_secs(3)));
    update(&at_other, sooner).await.unwrap();
    let live = eventually(async || {
        let drop = get_drop(&creator, &far).await;
        (drop.state() == DropState::Live).then_some(())
    });
    live.await;
    one.stop().await;
    other.stop().await;
}
