//! Searches that can't be answered, and those that look as if they couldn't.

use livedrop::{Code, Error, v1};

use super::{drops_of, finds, products_of, titled};
use crate::harness::{Server, eventually, reason};

fn fields<T: std::fmt::Debug>(answer: Result<T, Error>) -> Vec<String> {
    let error = answer.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    let violations = error.violations().iter();
    violations.map(|it| it.field.clone()).collect()
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let server = Server::start().await;
    let reader = server.stranger();
    let money = |currency: &str, amount_minor| {
        Some(v1::Money {
            currency_code: currency.to_owned(),
            amount_minor,
        })
    };
    let request = v1::SearchProductsRequest {
        text: "x".repeat(10_000),
        creator_id: "nobody".to_owned(),
        tag: "x".repeat(41),
        min_price: money("EUR", 5),
        max_price: money("EUR", 4),
        status: 77,
        page_size: -1,
        page_token: "forged".to_owned(),
    };
    let expected = [
        "text",
        "creator_id",
        "tag",
        "max_price",
        "status",
        "page_size",
        "page_token",
    ];
    assert_eq!(fields(reader.search_products(request).await), expected);
    let request = v1::SearchDropsRequest {
        text: "a\u{0}b".to_owned(),
        creator_id: "nobody".to_owned(),
        min_price: money("EUR", -5),
        max_price: money("euros", 4),
        state: 77,
        buyable: true,
        page_size: -1,
        page_token: "forged".to_owned(),
    };
    let expected = [
        "text",
        "creator_id",
        "min_price.amount_minor",
        "max_price.currency_code",
        "state",
        "page_size",
        "page_token",
    ];
    assert_eq!(fields(reader.search_drops(request).await), expected);
    let words: Vec<_> = (0..17).map(|it| it.to_string()).collect();
    let request = drops_of(&words.join(" "));
    assert_eq!(fields(reader.search_drops(request).await), ["text"]);
}

#[tokio::test]
async fn a_token_is_good_for_its_search() {
    let server = Server::start().await;
    let (creator, reader) = (server.creator().await, server.stranger());
    for title in ["Hat", "Hat and cap"] {
        titled(&creator, title).await;
    }
    let request = v1::SearchProductsRequest {
        page_size: 1,
        ..products_of("hat")
    };
    finds(&reader, &request, &["Hat and cap", "Hat"]).await;
    let page = reader.search_products(request.clone()).await.unwrap();
    let next = v1::SearchProductsRequest {
        page_token: page.next_page_token.clone(),
        ..request
    };
    let last = reader.search_products(next.clone()).await.unwrap();
    assert_eq!(last.products[0].title, "Hat");
    let other = v1::SearchProductsRequest {
        text: "cap".to_owned(),
        ..next.clone()
    };
    assert_eq!(fields(reader.search_products(other).await), ["page_token"]);
    let elsewhere = Server::foreign().await;
    let answer = elsewhere.stranger().search_products(next).await;
    assert_eq!(fields(answer), ["page_token"]);
}

#[tokio::test]
async fn archived_products_are_their_creators() {
    let server = Server::start().await;
    let (creator, other) = (server.creator().await, server.creator().await);
    let product = titled(&creator, "Hat").await;
    let archived = v1::SearchProductsRequest {
        status: v1::ProductStatus::Archived.into(),
        ..Default::default()
    };
    let answer = creator.search_products(archived.clone()).await;
    assert_eq!(fields(answer), ["creator_id"]);
    let of = v1::SearchProductsRequest {
        creator_id: product.creator_id,
        ..archived
    };
    let answer = other.search_products(of.clone()).await;
    assert_eq!(reason(answer), "NOT_OWNER");
    let answer = server.stranger().search_products(of.clone()).await;
    assert_eq!(reason(answer), "UNAUTHENTICATED");
    finds(&creator, &of, &[]).await;
}

/// Words of any script, signs that other engines take for operators, and texts without a word.
#[tokio::test]
async fn any_text_is_a_text() {
    let server = Server::start().await;
    let (creator, reader) = (server.creator().await, server.stranger());
    let fire = "\u{1f525} \u{6771}\u{4eac} \u{441}\u{43d}\u{435}\u{433} \u{639}\u{631}\u{628}\u{64a} Se\u{f1}or AND OR NOT *";
    titled(&creator, fire).await;
    for text in [
        "\u{1f525}",
        "\u{6771}\u{4eac}",
        "\u{421}\u{41d}\u{415}\u{413}",
        "\u{639}\u{631}\u{628}\u{64a}",
        "senor",
        "not or and",
        "sen*",
        "(se\u{f1}or)",
        "title^se\u{f1}or~2",
    ] {
        let expected: &[_] = if text.starts_with("title") {
            &[]
        } else {
            &[fire]
        };
        finds(&reader, &products_of(text), expected).await;
    }
    for text in [
        "*",
        "\"",
        "((((",
        "[1 TO",
        "\\",
        "/.*/",
        "-",
        "\u{1f3ff}",
        "%00",
        "'; --",
    ] {
        let answer = eventually(|| async {
            let answer = reader.search_products(products_of(text)).await;
            (answer.as_ref().map_err(Error::code) != Err(Code::Unavailable)).then_some(answer)
        });
        assert_eq!(answer.await.unwrap().products.len(), 0, "{text}");
    }
}
