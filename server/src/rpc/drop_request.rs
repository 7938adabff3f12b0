//! Requests of `DropService`: all violations of a request at once.

use std::{ops::RangeInclusive, time::Duration};

use livedrop_proto::v1;

use super::{fields, resume_token::DropResume};
use crate::{
    auth::Keys,
    domain::{Currency, DropId, ItemId, RequestId, Timestamp, product::ItemProduct},
    service::{
        Error,
        drop_watch::Seen,
        drops::{ScheduleDrop, ScheduleItem},
        violations::Violations,
    },
};

const ITEMS: RangeInclusive<usize> = 1..=100;
const TITLE_CHARS: RangeInclusive<usize> = 1..=120;
const DESCRIPTION_CHARS: RangeInclusive<usize> = 0..=5_000;
const REASON_CHARS: RangeInclusive<usize> = 0..=200;
const STOCK: RangeInclusive<i64> = 1..=10_000_000;
const PRICE_MINOR: RangeInclusive<i64> = 0..=100_000_000;
const LIMIT: RangeInclusive<i32> = 0..=10_000;
const HOLD: RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(1_800);
const HOLD_DEFAULT: Duration = Duration::from_secs(300);

/// Reads a drop to be made; `now` is for the rules that depend on it.
pub(super) fn schedule(
    request: v1::ScheduleDropRequest,
    now: Timestamp,
) -> Result<ScheduleDrop, Error> {
    let mut found = Violations::default();
    let request_id: Option<RequestId> = found.check("request_id", fields::id(&request.request_id));
    let title = title(request.title, &mut found);
    let description = description(request.description, &mut found);
    let limit_per_buyer = limit_per_buyer(request.limit_per_buyer, &mut found);
    let low_stock_threshold = low_stock_threshold(request.low_stock_threshold, &mut found);
    let opens_at = match request.opens_at {
        Some(time) => found.check("opens_at", fields::time(time)).map(Some),
        None => Some(None),
    };
    let ends_at = given_time("ends_at", request.ends_at, &mut found);
    let hold = hold(request.hold_duration, &mut found);
    let items = items(request.items, "", &mut found);
    let wish = (|| {
        let (currency, items) = items?;
        Some(ScheduleDrop {
            request_id: request_id?,
            title: title?,
            description: description?,
            currency,
            items,
            limit_per_buyer: limit_per_buyer?,
            opens_at: opens_at?,
            ends_at: ends_at?,
            hold: hold?,
            low_stock_threshold: low_stock_threshold?,
        })
    })();
    if let (Some(opens_at), Some(ends_at)) = (opens_at, ends_at)
        && !found.is_empty()
    {
        // A request that is wrong anyway is told about its times too.
        found.extend(crate::service::drops::time_violations(
            opens_at, ends_at, now,
        ));
    }
    wish.filter(|_| found.is_empty())
        .ok_or_else(|| found.into())
}

pub(super) fn title(title: String, found: &mut Violations) -> Option<String> {
    found.check("title", fields::text(title, TITLE_CHARS, false))
}

pub(super) fn description(description: String, found: &mut Violations) -> Option<String> {
    let text = fields::text(description, DESCRIPTION_CHARS, true);
    found.check("description", text)
}

pub(super) fn limit_per_buyer(limit: i32, found: &mut Violations) -> Option<i32> {
    found.check("limit_per_buyer", fields::number(limit, LIMIT))
}

pub(super) fn low_stock_threshold(threshold: i64, found: &mut Violations) -> Option<i64> {
    let threshold = fields::number(threshold, 0..=*STOCK.end());
    found.check("low_stock_threshold", threshold)
}

pub(super) fn hold(
    span: Option<prost_types::Duration>,
    found: &mut Violations,
) -> Option<Duration> {
    match span {
        Some(span) => found.check("hold_duration", fields::span(span, HOLD)),
        None => Some(HOLD_DEFAULT),
    }
}

/// Reads a time that has no default.
pub(super) fn given_time(
    field: &str,
    time: Option<prost_types::Timestamp>,
    found: &mut Violations,
) -> Option<Timestamp> {
    let time = time.ok_or_else(|| "must be given".to_owned());
    found.check(field, time.and_then(fields::time))
}

/// Reads the items and the one currency of the prices that are given; what a product says is not known here. `within` each item of the request is what the contract calls a `ScheduleDropItem`.
pub(super) fn items(
    items: Vec<v1::ScheduleDropItem>,
    within: &str,
    found: &mut Violations,
) -> Option<(Option<Currency>, Vec<ScheduleItem>)> {
    if !ITEMS.contains(&items.len()) {
        found.note("items", "must have 1 to 100 items");
        return None;
    }
    let mut currency = None;
    let mut read = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        let field = |name: &str| format!("items[{i}]{within}.{name}");
        let product = product((&item.product_id, &item.variant_id), &field, found);
        let has_product = !item.product_id.is_empty() || !item.variant_id.is_empty();
        let title = if has_product && item.title.is_empty() {
            Some(None)
        } else {
            let title = fields::text(item.title, TITLE_CHARS, false);
            found.check(field("title"), title).map(Some)
        };
        let stock = found.check(field("stock"), fields::number(item.stock, STOCK));
        let limit = found.check(
            field("limit_per_buyer"),
            fields::number(item.limit_per_buyer, LIMIT),
        );
        let price = match item
            .unit_price
            .map(|price| fields::money(&price, PRICE_MINOR))
        {
            None if has_product => Some(None),
            None => {
                found.note(&field("unit_price"), "must be given");
                None
            }
            Some(Err((part, rule))) => {
                found.note(&field(&format!("unit_price.{part}")), &rule);
                None
            }
            Some(Ok(price)) if *currency.get_or_insert(price.currency) != price.currency => {
                found.note(
                    &field("unit_price.currency_code"),
                    "must be the same for all items",
                );
                None
            }
            Some(Ok(price)) => Some(Some(price.amount_minor)),
        };
        let item = (|| {
            Some(ScheduleItem {
                title: title?,
                stock: stock?,
                unit_price_minor: price?,
                limit_per_buyer: limit?,
                product: product?,
            })
        })();
        read.extend(item);
    }
    Some((currency, read))
}

/// Reads which variant an item is: both ids, or none.
fn product(
    (product_id, variant_id): (&str, &str),
    field: &impl Fn(&str) -> String,
    found: &mut Violations,
) -> Option<Option<ItemProduct>> {
    if product_id.is_empty() && variant_id.is_empty() {
        return Some(None);
    }
    let product_id = found.check(field("product_id"), fields::id(product_id));
    let variant_id = found.check(field("variant_id"), fields::id(variant_id));
    let product = |(product_id, variant_id)| ItemProduct {
        product_id,
        variant_id,
    };
    product_id.zip(variant_id).map(product).map(Some)
}

/// Reads the ids of `CancelDrop`.
pub(super) fn cancel(request: &v1::CancelDropRequest) -> Result<(RequestId, DropId), Error> {
    let mut found = Violations::default();
    let request_id = found.check("request_id", fields::id(&request.request_id));
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    request_id.zip(drop_id).ok_or_else(|| found.into())
}

/// What `RestockDrop` adds: item, units, reason.
pub(super) type Restock = (ItemId, i64, String);

/// Reads `RestockDrop`.
pub(super) fn restock(
    request: v1::RestockDropRequest,
) -> Result<(RequestId, DropId, Restock), Error> {
    let mut found = Violations::default();
    let request_id = found.check("request_id", fields::id(&request.request_id));
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let item_id = found.check("item_id", fields::id(&request.item_id));
    let units = found.check("unit_count", fields::number(request.unit_count, STOCK));
    let reason = found.check("reason", fields::text(request.reason, REASON_CHARS, false));
    let read = (|| Some((request_id?, drop_id?, (item_id?, units?, reason?))))();
    read.ok_or_else(|| found.into())
}

/// Reads which drop to watch, and after what.
pub(super) fn watch(
    keys: &Keys,
    request: &v1::WatchDropRequest,
) -> Result<(DropResume, Option<Seen>), Error> {
    let mut found = Violations::default();
    let drop_id = found.check("drop_id", fields::id(&request.drop_id));
    let resume = drop_id.map(|drop_id| DropResume { drop_id });
    let seen = resume.and_then(|resume| {
        let seen = resume.seen(keys, &request.resume_token);
        found.check("resume_token", seen)
    });
    resume.zip(seen).ok_or_else(|| found.into())
}

/// Reads the one id of a request.
pub(super) fn drop_id(id: &str) -> Result<DropId, Error> {
    fields::id(id).map_err(|rule| Error::invalid("drop_id", rule))
}
