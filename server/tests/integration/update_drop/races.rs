//! Changes that meet others.

use std::time::Duration;

use futures::future::{join, join_all};
use livedrop::v1::{self, DropState};
use livedrop_server::{
    domain::{DropId, drop::FREEZE_AHEAD},
    ledger::{Terms, verify},
    store::SharedStore,
};

use super::{HOUR, cancel, change, far_drop, new_title, update};
use crate::harness::{Server, after, drop_request, eventually, get_drop, item, schedule};

#[tokio::test]
async fn of_many_changes_of_one_etag_one_is_made() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drop = far_drop(&creator).await;
    let titles: Vec<_> = (0..8).map(|n| format!("Title {n}")).collect();
    let updates = titles.iter().map(|title| {
        let wish = v1::UpdateDropRequest {
            etag: drop.etag.clone(),
            ..new_title(&drop, title)
        };
        update(&creator, wish)
    });
    let answers = join_all(updates).await;
    let won: Vec<_> = answers.iter().flatten().collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(error.reason_text(), Some("STALE_ETAG"));
    }
    assert_eq!(get_drop(&creator, &drop).await, *won[0]);

    // Without one each is made: none takes another's field back.
    let limits = (1..=4).map(|limit_per_buyer| {
        let wish = v1::UpdateDropRequest {
            limit_per_buyer,
            ..change(&drop, &["limit_per_buyer"])
        };
        update(&creator, wish)
    });
    let titles = titles
        .iter()
        .take(4)
        .map(|title| update(&creator, new_title(&drop, title)));
    let (limits, titles) = join(join_all(limits), join_all(titles)).await;
    let found = get_drop(&creator, &drop).await;
    assert!(
        limits.iter().chain(&titles).all(Result::is_ok),
        "{limits:?} {titles:?}"
    );
    assert!((1..=4).contains(&found.limit_per_buyer) && found.title.starts_with("Title"));
    server.stop().await;
}

#[tokio::test]
async fn a_cancellation_is_not_undone() {
    let server = Server::start().await;
    let creator = server.creator().await;
    for n in 0..10 {
        let drop = far_drop(&creator).await;
        let wish = v1::UpdateDropRequest {
            opens_at: after(HOUR + HOUR / 2),
            title: format!("Title {n}"),
            ..change(&drop, &["opens_at", "title"])
        };
        let (updated, cancelled) = join(update(&creator, wish), cancel(&creator, &drop)).await;
        assert_eq!(cancelled.unwrap().state(), DropState::Cancelled);
        let found = get_drop(&creator, &drop).await;
        assert_eq!(found.state(), DropState::Cancelled);
        match updated {
            Ok(updated) => assert_eq!(found.title, updated.title),
            Err(error) => {
                assert_eq!(error.reason_text(), Some("DROP_CANCELLED"));
                assert_eq!(found.title, drop.title);
            }
        }
    }
    server.stop().await;
}

/// The row's terms, and those that its ledger has taken over.
async fn terms(store: &SharedStore, drop_id: DropId) -> (Terms, Terms) {
    let row = store.get_drop(drop_id).await.unwrap().unwrap();
    let report = verify::verify(&**store, drop_id, |_, _| ()).await.unwrap();
    (Terms::of(&row), (**report.state.terms().unwrap()).clone())
}

#[tokio::test]
async fn what_is_frozen_is_the_last_change_that_was_answered() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let drops = (0..4).map(async |n| {
        let request = v1::ScheduleDropRequest {
            opens_at: after(FREEZE_AHEAD + Duration::from_millis(2_000 + 100 * n)),
            ..drop_request(vec![item(0, 5)])
        };
        let drop = schedule(&creator, request).await;
        assert!(!drop.frozen);
        let (mut threshold, mut made) = (0, 0);
        loop {
            let wish = v1::UpdateDropRequest {
                low_stock_threshold: threshold + 1,
                ..change(&drop, &["low_stock_threshold"])
            };
            match update(&creator, wish).await {
                Ok(_) => {
                    threshold += 1;
                    made += 1;
                }
                Err(error) => {
                    assert_eq!(error.reason_text(), Some("DROP_FROZEN"));
                    break;
                }
            }
        }
        assert!(made > 1, "{made}");
        let frozen = eventually(async || {
            let found = get_drop(&creator, &drop).await;
            (found.frozen && found.seq > 0).then_some(found)
        });
        assert_eq!(frozen.await.low_stock_threshold, threshold);
        let store = server.store();
        let (row, ledger) = terms(&store, drop.drop_id.parse().unwrap()).await;
        assert_eq!(row, ledger);
        assert_eq!(ledger.low_stock_threshold, threshold);
    });
    join_all(drops).await;
    server.stop().await;
}
