//! What an index finds, and in which order.

use uuid::Uuid;

use super::*;
use crate::{
    domain::{AccountId, Timestamp},
    search::{Document, Kind, PriceRange, words},
};

const ANN: AccountId = AccountId::new(Uuid::from_u128(0xa));
const BOB: AccountId = AccountId::new(Uuid::from_u128(0xb));

fn progress(generation: u128) -> Progress {
    Progress {
        generation: Uuid::from_u128(generation),
        read_to: Timestamp::from_micros(77),
    }
}

fn document(id: u128, title: &str) -> Document {
    Document {
        kind: Kind::Product,
        id: Uuid::from_u128(id),
        creator_id: ANN,
        title: words(title),
        keywords: Vec::new(),
        text: Vec::new(),
        tags: Vec::new(),
        currency: "EUR".parse().unwrap(),
        prices: vec![500],
        state: "active",
        is_buyable: false,
        at: Timestamp::from_micros(i64::try_from(id).unwrap()),
    }
}

fn of(text: &str) -> Query {
    Query {
        words: Some(words(text)),
        ..any()
    }
}

fn any() -> Query {
    Query {
        kind: Kind::Product,
        words: None,
        creator_id: None,
        tag: None,
        prices: None,
        states: Vec::new(),
        is_buyable: false,
    }
}

async fn index(documents: impl IntoIterator<Item = Document>) -> TantivyIndex {
    let index = TantivyIndex::open(None).unwrap();
    let changes = documents.into_iter().map(|it| Change::Put(Box::new(it)));
    index.write(changes.collect(), None).await.unwrap();
    index
}

async fn ids(index: &TantivyIndex, query: Query) -> Vec<u128> {
    let found = index.find(query, None, 100).await.unwrap();
    found.into_iter().map(|place| place.id.as_u128()).collect()
}

#[tokio::test]
async fn words_and_their_beginnings_are_found_wherever_they_are() {
    let index = index([
        Document {
            keywords: words("cotton M"),
            text: words("Warm for the winter"),
            ..document(1, "Black Hoodie")
        },
        document(2, "Black caf\u{e9} mug \u{1f525}"),
        document(3, "\u{6771}\u{4eac}\u{30bf}\u{30ef}\u{30fc} print"),
    ])
    .await;
    for (text, expected) in [
        ("black", &[2, 1][..]),
        ("BLACK hood", &[1]),
        ("hood winter cott", &[1]),
        ("black missing", &[]),
        ("cafe", &[2]),
        ("\u{1f525}", &[2]),
        ("\u{6771}\u{4eac}", &[3]),
        ("lack", &[]),
        // One letter is a word, not the beginning of one.
        ("m", &[1]),
        ("b", &[]),
        ("title:black OR mug", &[]),
        ("!?", &[]),
    ] {
        assert_eq!(ids(&index, of(text)).await, expected, "{text}");
    }
    assert_eq!(ids(&index, any()).await, [3, 2, 1]);
}

#[tokio::test]
async fn what_is_named_so_comes_before_what_says_so() {
    let index = index([
        document(1, "red hat"),
        Document {
            keywords: words("red"),
            ..document(2, "hat")
        },
        Document {
            text: words("a red hat"),
            ..document(3, "thing")
        },
        document(4, "hat red"),
    ])
    .await;
    assert_eq!(ids(&index, of("red hat")).await, [4, 1, 2, 3]);
}

#[tokio::test]
async fn filters_fit_all_at_once() {
    let (euro, dollar) = ("EUR".parse().unwrap(), "USD".parse().unwrap());
    let index = index([
        Document {
            tags: vec!["new in".to_owned()],
            prices: vec![100, 900],
            ..document(1, "a")
        },
        Document {
            creator_id: BOB,
            state: "archived",
            ..document(2, "b")
        },
        Document {
            kind: Kind::Drop,
            is_buyable: true,
            state: "live",
            ..document(3, "c")
        },
        Document {
            currency: dollar,
            ..document(4, "d")
        },
    ])
    .await;
    let prices = |currency, from, to| Query {
        prices: Some(PriceRange { currency, from, to }),
        ..any()
    };
    let cases = [
        (any(), &[4, 2, 1][..]),
        (
            Query {
                creator_id: Some(BOB),
                ..any()
            },
            &[2],
        ),
        (
            Query {
                tag: Some("new in".to_owned()),
                ..any()
            },
            &[1],
        ),
        (
            Query {
                tag: Some("new".to_owned()),
                ..any()
            },
            &[],
        ),
        (
            Query {
                states: vec!["archived", "live"],
                ..any()
            },
            &[2],
        ),
        (
            Query {
                kind: Kind::Drop,
                is_buyable: true,
                ..any()
            },
            &[3],
        ),
        (prices(euro, 500, 500), &[2]),
        (prices(euro, 100, 500), &[2, 1]),
        (prices(euro, 101, 499), &[]),
        (prices(euro, 0, i64::MAX), &[2, 1]),
        (prices(dollar, 0, i64::MAX), &[4]),
        (
            Query {
                creator_id: Some(BOB),
                ..prices(dollar, 0, i64::MAX)
            },
            &[],
        ),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&index, query.clone()).await, expected, "{query:?}");
    }
}

/// Whatever is added or removed between the pages, and in however many pieces the index lies.
#[tokio::test]
async fn pages_have_each_document_once() {
    let index = index([]).await;
    // Many of the same time: their ids tell them apart.
    let documents = |ids: std::ops::Range<u128>| {
        ids.map(|id| {
            let it = Document {
                at: Timestamp::from_micros(i64::try_from(id / 10).unwrap()),
                ..document(id, "hat")
            };
            Change::Put(Box::new(it))
        })
    };
    for from in [0, 10, 20, 30] {
        let some = documents(from..from + 10).collect();
        index.write(some, None).await.unwrap();
    }
    for size in [1, 7, 40, 41] {
        let (mut found, mut after) = (Vec::new(), None);
        for page in 0.. {
            let places = index.find(of("hat"), after, size).await.unwrap();
            found.extend(places.iter().map(|place| place.id.as_u128()));
            after = places.last().copied();
            if places.len() < size {
                break;
            }
            // Ahead of all that is left.
            let id = 1_000 + page;
            index
                .write(documents(id..id + 1).collect(), None)
                .await
                .unwrap();
        }
        let new: Vec<_> = (1_000..1_100)
            .map(|id| Change::Remove(Uuid::from_u128(id)))
            .collect();
        index.write(new, None).await.unwrap();
        assert_eq!(found, (0..40).rev().collect::<Vec<_>>(), "pages of {size}");
    }
}

#[tokio::test]
async fn the_last_change_counts() {
    let index = index([document(1, "hat"), document(2, "hat")]).await;
    let again = Change::Put(Box::new(document(1, "cap")));
    index.write(vec![again.clone(), again], None).await.unwrap();
    assert_eq!(ids(&index, of("hat")).await, [2]);
    assert_eq!(ids(&index, of("cap")).await, [1]);
    let put = Change::Put(Box::new(Document {
        creator_id: BOB,
        ..document(3, "hat")
    }));
    let changes = vec![put, Change::RemoveAllOf(ANN)];
    index.write(changes, None).await.unwrap();
    assert_eq!(ids(&index, any()).await, [3]);
    let changes = vec![
        Change::Remove(Uuid::from_u128(3)),
        Change::Put(Box::new(document(3, "new"))),
    ];
    index.write(changes, None).await.unwrap();
    assert_eq!(ids(&index, of("new")).await, [3]);
}

#[tokio::test]
async fn an_index_comes_back_as_far_as_it_had_come() {
    let folder = TempDir::new().unwrap();
    let open = || TantivyIndex::open(Some(folder.path())).unwrap();
    let first = open();
    assert_eq!(first.progress().await.unwrap(), None);
    let put = Change::Put(Box::new(document(1, "hat")));
    first.write(vec![put], Some(progress(1))).await.unwrap();
    // One process has it; another one makes its own.
    assert_eq!(open().progress().await.unwrap(), None);
    drop(first);
    let second = open();
    assert_eq!(second.progress().await.unwrap(), Some(progress(1)));
    assert_eq!(ids(&second, of("hat")).await, [1]);
    second.write(Vec::new(), Some(progress(2))).await.unwrap();
    assert_eq!(second.progress().await.unwrap(), Some(progress(2)));
    second.clear().await.unwrap();
    assert_eq!(second.progress().await.unwrap(), None);
    assert_eq!(ids(&second, any()).await, []);
}

#[tokio::test]
async fn a_damaged_index_is_replaced_by_an_empty_one() {
    let folder = TempDir::new().unwrap();
    let open = || TantivyIndex::open(Some(folder.path())).unwrap();
    let put = Change::Put(Box::new(document(1, "hat")));
    open().write(vec![put], Some(progress(1))).await.unwrap();
    std::fs::write(folder.path().join("meta.json"), "junk").unwrap();
    let index = open();
    assert_eq!(index.progress().await.unwrap(), None);
    assert_eq!(ids(&index, any()).await, []);
}
