//! Many drops at once: by id, by creator, by state and time.

use std::time::Duration;

use futures::{StreamExt as _, future::join_all, stream};
use livedrop::{
    Client, Code,
    prost_types::Timestamp,
    v1::{self, DropState},
};

use crate::harness::{
    Server, after, answered, drop_request, eventually, get_drop, home::Home, item, open_drop,
    place, request_id, schedule,
};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

async fn opens_in(creator: &Client, span: Duration) -> v1::Drop {
    let request = v1::ScheduleDropRequest {
        opens_at: after(span),
        ends_at: after(span + HOUR),
        ..drop_request(vec![item(0, 5)])
    };
    schedule(creator, request).await
}

async fn end(creator: &Client, drop: &v1::Drop) {
    let request = v1::EndDropRequest {
        drop_id: drop.drop_id.clone(),
    };
    answered(|| creator.end_drop(request.clone()))
        .await
        .unwrap();
}

async fn cancel(creator: &Client, drop: &v1::Drop) {
    let request = v1::CancelDropRequest {
        request_id: request_id(),
        drop_id: drop.drop_id.clone(),
    };
    answered(|| creator.cancel_drop(request.clone()))
        .await
        .unwrap();
}

fn of_state(state: DropState) -> v1::ListDropsRequest {
    v1::ListDropsRequest {
        state: state.into(),
        ..Default::default()
    }
}

fn of_creator(creator_id: &str) -> v1::ListDropsRequest {
    v1::ListDropsRequest {
        creator_id: creator_id.to_owned(),
        ..Default::default()
    }
}

/// The pages that a request gets.
async fn pages(client: &Client, request: &v1::ListDropsRequest) -> Vec<Vec<v1::Drop>> {
    let (mut pages, mut request) = (Vec::new(), request.clone());
    loop {
        let page = answered(|| client.list_drops(request.clone()))
            .await
            .unwrap();
        pages.push(page.drops);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return pages;
        }
    }
}

fn ids<'a>(drops: impl IntoIterator<Item = &'a v1::Drop>) -> Vec<&'a str> {
    drops.into_iter().map(|it| it.drop_id.as_str()).collect()
}

/// Lists follow what was answered within a moment: waits until this one has these drops, whole.
async fn lists(client: &Client, request: &v1::ListDropsRequest, expected: &[&v1::Drop]) {
    let found = eventually(async || {
        let found = pages(client, request).await.concat();
        (ids(&found) == ids(expected.iter().copied())).then_some(found)
    });
    for (found, expected) in found.await.iter().zip(expected) {
        assert_eq!(*found, get_drop(client, expected).await);
    }
}

#[tokio::test]
async fn a_creators_drops_come_newest_first_in_pages_of_any_size() {
    let server = Server::start().await;
    let (ann, bob) = (server.creator().await, server.creator().await);
    let reader = server.stranger();
    let of_bob = open_drop(&bob, &[(0, 5)]).await;
    // Texts as long as may be: a page of two hundred would not fit.
    let drops = stream::iter(0..130_u64).map(|n| {
        let request = v1::ScheduleDropRequest {
            description: "\u{1f600}".repeat(5_000),
            opens_at: after(HOUR * u32::try_from(n + 1).unwrap()),
            ends_at: after(HOUR * 200),
            ..drop_request(vec![item(0, 5)])
        };
        schedule(&ann, request)
    });
    let mut drops: Vec<_> = drops.buffered(8).collect().await;
    let made = |drop: &v1::Drop| {
        let at = drop.created_at.unwrap();
        (at.seconds, at.nanos, drop.drop_id.clone())
    };
    drops.sort_by_key(made);
    drops.reverse();
    for drop in [&drops[3], &drops[129]] {
        cancel(&ann, drop).await;
    }
    let all = of_creator(&drops[0].creator_id);
    eventually(async || (pages(&reader, &all).await.concat().len() == 130).then_some(())).await;
    for page_size in [0, 7, 50, 130, 1_000] {
        let request = v1::ListDropsRequest {
            page_size,
            ..all.clone()
        };
        let pages = pages(&reader, &request).await;
        assert_eq!(ids(pages.iter().flatten()), ids(&drops), "{page_size}");
        let wanted = match page_size {
            0 => 50,
            size => usize::try_from(size).unwrap(),
        };
        let longest = pages.iter().map(Vec::len).max().unwrap();
        // About a mebibyte of texts.
        assert_eq!(longest, wanted.min(52), "{page_size}");
    }
    lists(&reader, &of_creator(&of_bob.creator_id), &[&of_bob]).await;

    let cancelled = v1::ListDropsRequest {
        state: DropState::Cancelled.into(),
        ..all.clone()
    };
    let found = pages(&reader, &cancelled).await.concat();
    assert_eq!(ids(&found), ids([&drops[3], &drops[129]]));
    // From the time of one on, and before that of another.
    let mut by_time: Vec<_> = drops.iter().collect();
    by_time.sort_by_key(|it| it.opens_at.unwrap().seconds);
    let between = v1::ListDropsRequest {
        opens_after: by_time[10].opens_at,
        opens_before: by_time[20].opens_at,
        ..all
    };
    let found = pages(&reader, &between).await.concat();
    let expected: Vec<_> = drops
        .iter()
        .filter(|it| by_time[10..20].contains(it))
        .collect();
    assert_eq!(ids(&found), ids(expected));
    lists(&reader, &of_creator(&request_id()), &[]).await;
    server.stop().await;
}

#[tokio::test]
async fn drops_of_a_state_come_by_time() {
    let home = Home::new().await;
    let server = Server::at(&home).await;
    let (ann, bob) = (server.creator().await, server.creator().await);
    let reader = server.stranger();
    for state in [
        DropState::Scheduled,
        DropState::Live,
        DropState::Ended,
        DropState::Cancelled,
    ] {
        lists(&reader, &of_state(state), &[]).await;
    }
    let mut scheduled = Vec::new();
    for span in [40 * DAY, HOUR, 100 * DAY, 2 * HOUR, 3 * DAY] {
        scheduled.push(opens_in(&ann, span).await);
    }
    let mut open = Vec::new();
    for creator in [&ann, &bob, &ann, &bob] {
        open.push(open_drop(creator, &[(0, 5), (100, 5)]).await);
    }
    end(&ann, &open[0]).await;
    end(&bob, &open[3]).await;
    cancel(&ann, &open[2]).await;
    cancel(&ann, &scheduled[0]).await;
    place(&server.person().await, &open[1], &[(0, 2)])
        .await
        .unwrap();

    let [_, one, hundred, two, three] = [0, 1, 2, 3, 4].map(|at| &scheduled[at]);
    let check = async |reader: &Client| {
        lists(
            reader,
            &of_state(DropState::Scheduled),
            &[one, two, three, hundred],
        )
        .await;
        lists(reader, &of_state(DropState::Live), &[&open[1]]).await;
        lists(reader, &of_state(DropState::Ended), &[&open[3], &open[0]]).await;
        lists(
            reader,
            &of_state(DropState::Cancelled),
            &[&scheduled[0], &open[2]],
        )
        .await;
    };
    check(&reader).await;
    // A hundred days are more than a page looks through.
    let found = pages(&reader, &of_state(DropState::Scheduled)).await;
    assert!(
        found.len() > 3 && found.iter().any(Vec::is_empty),
        "{}",
        found.len()
    );
    for page_size in [1, 2, 3] {
        let request = v1::ListDropsRequest {
            page_size,
            ..of_state(DropState::Scheduled)
        };
        let found = pages(&reader, &request).await;
        assert!(
            found
                .iter()
                .all(|page| page.len() <= usize::try_from(page_size).unwrap())
        );
        assert_eq!(ids(found.iter().flatten()), ids([one, two, three, hundred]));
    }
    let range = v1::ListDropsRequest {
        opens_after: two.opens_at,
        opens_before: hundred.opens_at,
        ..of_state(DropState::Scheduled)
    };
    lists(&reader, &range, &[two, three]).await;
    let of_bob = v1::ListDropsRequest {
        creator_id: open[1].creator_id.clone(),
        ..of_state(DropState::Live)
    };
    lists(&reader, &of_bob, &[&open[1]]).await;

    // Each drop is listed where it is, and not where it was.
    let wish = |drop: &v1::Drop, opens_at: Option<Timestamp>, ends_at| v1::UpdateDropRequest {
        drop_id: drop.drop_id.clone(),
        update_mask: Some(livedrop::prost_types::FieldMask {
            paths: vec!["opens_at".into(), "ends_at".into()],
        }),
        opens_at,
        ends_at,
        ..Default::default()
    };
    for (drop, span) in [
        (one, 50 * DAY),
        (hundred, HOUR),
        (one, 60 * DAY),
        (one, 50 * DAY),
    ] {
        let wish = wish(drop, after(span), after(span + HOUR));
        answered(|| ann.update_drop(wish.clone())).await.unwrap();
    }
    lists(
        &reader,
        &of_state(DropState::Scheduled),
        &[hundred, two, three, one],
    )
    .await;
    server.stop().await;

    let server = Server::at(&home).await;
    let reader = server.stranger();
    lists(
        &reader,
        &of_state(DropState::Scheduled),
        &[hundred, two, three, one],
    )
    .await;
    lists(&reader, &of_state(DropState::Live), &[&open[1]]).await;
    lists(&reader, &of_state(DropState::Ended), &[&open[3], &open[0]]).await;
    server.stop().await;
}

#[tokio::test]
async fn a_page_token_is_good_for_its_filter_only() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let reader = server.stranger();
    let mut drops = Vec::new();
    for n in 1..=3 {
        drops.push(opens_in(&creator, HOUR * n).await);
    }
    let with = |request: &v1::ListDropsRequest, token: &str| v1::ListDropsRequest {
        page_size: 1,
        page_token: token.to_owned(),
        ..request.clone()
    };
    let by_state = of_state(DropState::Scheduled);
    let by_creator = of_creator(&drops[0].creator_id);
    eventually(async || (pages(&reader, &by_creator).await.concat().len() == 3).then_some(()))
        .await;
    let mut tokens = Vec::new();
    for request in [&by_state, &by_creator] {
        let token = eventually(async || {
            let page = reader.list_drops(with(request, "")).await.unwrap();
            (!page.next_page_token.is_empty()).then_some(page.next_page_token)
        });
        tokens.push(token.await);
    }
    let both = v1::ListDropsRequest {
        creator_id: drops[0].creator_id.clone(),
        ..by_state.clone()
    };
    let timed = v1::ListDropsRequest {
        opens_after: after(HOUR),
        ..by_state.clone()
    };
    // Of another list of another call.
    let records = v1::ListLedgerRecordsRequest {
        drop_id: open_drop(&creator, &[(0, 5)]).await.drop_id,
        page_size: 1,
        page_token: String::new(),
    };
    let foreign = reader.list_ledger_records(records).await.unwrap();
    let other_server = Server::foreign().await;
    let refused = [
        (&by_state, tokens[1].as_str()),
        (&by_creator, &tokens[0]),
        (&both, &tokens[0]),
        (&both, &tokens[1]),
        (&timed, &tokens[0]),
        (&by_state, &tokens[0][1..]),
        (&by_state, &foreign.next_page_token),
        (&by_state, "x"),
    ];
    for (request, token) in refused {
        assert!(!token.is_empty());
        let error = reader.list_drops(with(request, token)).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.violations()[0].field, "page_token");
    }
    let other_reader = other_server.stranger();
    let elsewhere = other_reader.list_drops(with(&by_state, &tokens[0]));
    assert_eq!(
        elsewhere.await.unwrap_err().violations()[0].field,
        "page_token"
    );
    // The size may change between pages, and so may the reader.
    for (request, token) in [(&by_state, &tokens[0]), (&by_creator, &tokens[1])] {
        let rest = v1::ListDropsRequest {
            page_size: 50,
            ..with(request, token)
        };
        let found = creator.list_drops(rest).await.unwrap().drops;
        assert!(found.len() >= 2 && found.len() <= 3, "{found:?}");
    }
    other_server.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn what_can_not_be_listed_is_refused() {
    let server = Server::start().await;
    let reader = server.stranger();
    let bad = v1::ListDropsRequest {
        state: 77,
        creator_id: "me".into(),
        opens_after: Some(Timestamp {
            seconds: -1,
            nanos: 0,
        }),
        opens_before: Some(Timestamp {
            seconds: 1,
            nanos: -1,
        }),
        page_size: -1,
        page_token: String::new(),
    };
    let turned = v1::ListDropsRequest {
        opens_after: after(HOUR),
        opens_before: after(Duration::from_secs(1)),
        ..of_state(DropState::Live)
    };
    let none: &[&str] = &["state"];
    for (request, expected) in [
        (v1::ListDropsRequest::default(), none),
        (
            bad,
            &[
                "creator_id",
                "opens_after",
                "opens_before",
                "page_size",
                "state",
            ],
        ),
        (turned, &["opens_before"]),
    ] {
        let error = reader.list_drops(request).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let mut fields: Vec<_> = error.violations().iter().map(|it| &it.field).collect();
        fields.sort();
        assert_eq!(fields, expected);
    }
    server.stop().await;
}

#[tokio::test]
async fn drops_are_got_by_their_ids() {
    let server = Server::start().await;
    let creator = server.creator().await;
    let reader = server.stranger();
    let [live, ended] = [
        open_drop(&creator, &[(0, 5), (100, 5)]).await,
        open_drop(&creator, &[(0, 5)]).await,
    ];
    let far = opens_in(&creator, HOUR).await;
    place(&server.person().await, &live, &[(0, 2)])
        .await
        .unwrap();
    end(&creator, &ended).await;
    let nobody = request_id();
    let asked = [
        &far.drop_id,
        &nobody,
        &live.drop_id,
        &far.drop_id,
        &ended.drop_id,
        &nobody,
    ];
    let request = v1::BatchGetDropsRequest {
        drop_ids: asked.map(Clone::clone).to_vec(),
    };
    let found = answered(|| reader.batch_get_drops(request.clone()))
        .await
        .unwrap();
    let one_by_one = join_all([&far, &live, &ended].map(|drop| get_drop(&reader, drop))).await;
    assert_eq!(found.drops, one_by_one);
    assert_eq!(found.missing_drop_ids, [nobody.as_str()]);

    let bad = |drop_ids: Vec<String>| reader.batch_get_drops(v1::BatchGetDropsRequest { drop_ids });
    let many = vec![request_id(); 51];
    for (drop_ids, field) in [
        (Vec::new(), "drop_ids"),
        (many, "drop_ids"),
        (vec![request_id(), "x".into()], "drop_ids[1]"),
    ] {
        let error = bad(drop_ids).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.violations()[0].field, field);
    }
    let fifty: Vec<_> = (0..50).map(|_| request_id()).collect();
    let found = bad(fifty.clone()).await.unwrap();
    assert_eq!(found.missing_drop_ids, fifty);
    server.stop().await;
}
