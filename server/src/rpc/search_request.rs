//! The requests of `SearchProducts` and `SearchDrops`, and the tokens of the pages.

use std::ops::RangeInclusive;

use livedrop_proto::v1;
use prost::Message;
use sha2::{Digest as _, Sha256};

use super::{
    drop_list_request, fields, page_token, product_page,
    seal::{Seal, take},
};
use crate::{
    auth::Keys,
    domain::{AccountId, Timestamp, product::ProductStatus},
    search::{Place, PriceRange, words},
    service::{
        Error,
        search::{DropSearch, ProductSearch},
        violations::Violations,
    },
};

const TEXT_CHARS: RangeInclusive<usize> = 0..=200;
/// Each looks through the words of the whole index.
const WORDS_MAX: usize = 16;
const TAG_CHARS: RangeInclusive<usize> = 0..=40;
const PRICES: RangeInclusive<i64> = 0..=i64::MAX;

/// A page of a search that is asked for.
pub(super) struct Asked<'a, S> {
    pub(super) search: S,
    /// Behind which place; `None` = from the start.
    pub(super) after: Option<Place>,
    /// Most rows wanted.
    pub(super) size: usize,
    seal: Seal<'a>,
}

impl<S> Asked<'_, S> {
    /// The token that goes on behind `place`; empty if it does not go on.
    pub(super) fn token(&self, place: Option<Place>) -> String {
        let write = |place: Place| {
            let at = place.at.micros().to_be_bytes();
            [&[place.rank], &at[..], place.id.as_bytes()].concat()
        };
        let token = place.map(|place| self.seal.seal(&write(place)));
        token.unwrap_or_default()
    }
}

fn read_place(content: &mut &[u8]) -> Option<Place> {
    let [rank] = take(content)?;
    Some(Place {
        rank,
        at: Timestamp::from_micros(i64::from_be_bytes(take(content)?)),
        id: uuid::Uuid::from_bytes(take(content)?),
    })
}

/// Reads `SearchProducts`.
pub(super) fn products(
    keys: &Keys,
    request: v1::SearchProductsRequest,
) -> Result<Asked<'_, ProductSearch>, Error> {
    let mut found = Violations::default();
    let whole = v1::SearchProductsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let seal = seal(keys, "page SearchProducts", &whole);
    let words = read_words(&mut found, request.text);
    let creator_id = read_creator(&mut found, &request.creator_id);
    let tag = fields::text(request.tag.trim().to_lowercase(), TAG_CHARS, false);
    let tag = found.check("tag", tag);
    let prices = read_prices(&mut found, request.min_price, request.max_price);
    let status = found.check("status", product_page::status(request.status));
    if status == Some(ProductStatus::Archived) && request.creator_id.is_empty() {
        found.note("creator_id", "must be given for archived products");
    }
    let place = read_page(&mut found, &seal, request.page_size, &request.page_token);
    let search = (|| {
        Some(ProductSearch {
            words: words?,
            creator_id: creator_id?,
            tag: tag.filter(|tag| !tag.is_empty()),
            prices: prices?,
            status: status?,
        })
    })();
    asked(found, search, place, seal)
}

/// Reads `SearchDrops`.
pub(super) fn drops(
    keys: &Keys,
    request: v1::SearchDropsRequest,
) -> Result<Asked<'_, DropSearch>, Error> {
    let mut found = Violations::default();
    let whole = v1::SearchDropsRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let seal = seal(keys, "page SearchDrops", &whole);
    let words = read_words(&mut found, request.text);
    let creator_id = read_creator(&mut found, &request.creator_id);
    let prices = read_prices(&mut found, request.min_price, request.max_price);
    let state = found.check("state", drop_list_request::state(request.state));
    let place = read_page(&mut found, &seal, request.page_size, &request.page_token);
    let search = (|| {
        Some(DropSearch {
            words: words?,
            creator_id: creator_id?,
            prices: prices?,
            state: state?,
            is_buyable: request.buyable,
        })
    })();
    asked(found, search, place, seal)
}

fn asked<'a, S>(
    found: Violations,
    search: Option<S>,
    page: Option<(Option<Place>, usize)>,
    seal: Seal<'a>,
) -> Result<Asked<'a, S>, Error> {
    match search.zip(page) {
        Some((search, (after, size))) if found.is_empty() => Ok(Asked {
            search,
            after,
            size,
            seal,
        }),
        Some(_) | None => Err(found.into()),
    }
}

/// Good for the same search only, whoever asks: who may see what is found is asked each time.
fn seal<'a>(keys: &'a Keys, purpose: &'static str, search: &impl Message) -> Seal<'a> {
    let [high, low]: [[u8; 16]; 2] = {
        let hash: [u8; 32] = Sha256::digest(search.encode_to_vec()).into();
        let (high, low) = hash.split_at(16);
        [high, low].map(|half| std::array::from_fn(|i| half.get(i).copied().unwrap_or(0)))
    };
    Seal::new(keys, purpose).of(&high).of(&low)
}

/// `None` within: no words are asked for.
fn read_words(found: &mut Violations, text: String) -> Option<Option<Vec<String>>> {
    let text = found.check("text", fields::text(text, TEXT_CHARS, false))?;
    if text.is_empty() {
        return Some(None);
    }
    let words = words(&text);
    if words.len() > WORDS_MAX {
        let rule = format!("must have at most {WORDS_MAX} different words");
        found.note("text", &rule);
    }
    Some(Some(words))
}

fn read_creator(found: &mut Violations, text: &str) -> Option<Option<AccountId>> {
    match text {
        "" => Some(None),
        text => found.check("creator_id", fields::id(text)).map(Some),
    }
}

fn read_prices(
    found: &mut Violations,
    min: Option<v1::Money>,
    max: Option<v1::Money>,
) -> Option<Option<PriceRange>> {
    let mut read = |field: &str, money: Option<v1::Money>| match money {
        None => Some(None),
        Some(money) => match fields::money(&money, PRICES) {
            Ok(money) => Some(Some(money)),
            Err((part, rule)) => {
                found.note(&format!("{field}.{part}"), &rule);
                None
            }
        },
    };
    let (min, max) = (read("min_price", min), read("max_price", max));
    let (min, max) = (min?, max?);
    let Some(currency) = min.or(max).map(|it| it.currency) else {
        return Some(None);
    };
    let (from, to) = (
        min.map_or(0, |it| it.amount_minor),
        max.map_or(i64::MAX, |it| it.amount_minor),
    );
    if max.is_some_and(|max| max.currency != currency) {
        found.note("max_price.currency_code", "must be that of min_price");
    } else if to < from {
        found.note("max_price", "must not be less than min_price");
    }
    Some(Some(PriceRange { currency, from, to }))
}

fn read_page(
    found: &mut Violations,
    seal: &Seal<'_>,
    size: i32,
    token: &str,
) -> Option<(Option<Place>, usize)> {
    let size = found.check("page_size", page_token::page_size(size));
    let after = page_token::opened(token, seal, read_place);
    found.check("page_token", after).zip(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Violation;

    fn fields_of<S>(asked: Result<Asked<'_, S>, Error>) -> Vec<String> {
        match asked {
            Err(Error::Invalid(violations)) => {
                let fields = violations.into_iter().map(|it: Violation| it.field);
                fields.collect()
            }
            Err(other) => panic!("{other}"),
            Ok(_) => Vec::new(),
        }
    }

    fn money(currency: &str, amount_minor: i64) -> Option<v1::Money> {
        Some(v1::Money {
            currency_code: currency.to_owned(),
            amount_minor,
        })
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let keys = Keys::generate().unwrap();
        let request = v1::SearchProductsRequest {
            text: "x".repeat(10_000),
            creator_id: "me".to_owned(),
            tag: "t".repeat(41),
            min_price: money("EURO", 1),
            max_price: money("EUR", -1),
            status: 9,
            page_size: -1,
            page_token: "forged".to_owned(),
        };
        let expected = [
            "text",
            "creator_id",
            "tag",
            "min_price.currency_code",
            "max_price.amount_minor",
            "status",
            "page_size",
            "page_token",
        ];
        assert_eq!(fields_of(products(&keys, request)), expected);

        let many: Vec<_> = (0..17).map(|i| i.to_string()).collect();
        for (min, max, field) in [
            (money("EUR", 2), money("EUR", 1), "max_price"),
            (money("EUR", 1), money("USD", 2), "max_price.currency_code"),
        ] {
            let request = v1::SearchDropsRequest {
                text: many.join(" "),
                min_price: min,
                max_price: max,
                ..Default::default()
            };
            assert_eq!(fields_of(drops(&keys, request)), ["text", field]);
        }
        let request = v1::SearchProductsRequest {
            status: v1::ProductStatus::Archived.into(),
            ..Default::default()
        };
        assert_eq!(fields_of(products(&keys, request)), ["creator_id"]);
    }

    #[test]
    fn a_page_goes_on_in_the_same_search_only() {
        let keys = Keys::generate().unwrap();
        let first = v1::SearchDropsRequest {
            text: "hat".to_owned(),
            ..Default::default()
        };
        let place = Place {
            rank: 2,
            at: Timestamp::from_micros(-7),
            id: uuid::Uuid::from_u128(9),
        };
        let asked = drops(&keys, first.clone()).ok().unwrap();
        let page_token = asked.token(Some(place));
        assert_eq!(asked.token(None), "");
        let next = v1::SearchDropsRequest {
            page_token: page_token.clone(),
            page_size: 3,
            ..first
        };
        let asked = drops(&keys, next.clone()).ok().unwrap();
        assert_eq!((asked.after, asked.size), (Some(place), 3));
        for other in [
            v1::SearchDropsRequest {
                text: "cap".to_owned(),
                ..next.clone()
            },
            v1::SearchDropsRequest {
                buyable: true,
                ..next
            },
        ] {
            assert_eq!(fields_of(drops(&keys, other)), ["page_token"]);
        }
        let elsewhere = v1::SearchProductsRequest {
            text: "hat".to_owned(),
            page_token,
            ..Default::default()
        };
        assert_eq!(fields_of(products(&keys, elsewhere)), ["page_token"]);
    }
}
