//! The request of `UpdateDrop`: which fields are to be changed, and those read by the rules of `ScheduleDrop`.

use std::collections::HashSet;

use livedrop_proto::v1;

use super::{drop_request, field_mask, fields};
use crate::{
    domain::{Currency, DropId, ItemId},
    service::{
        Error,
        drop_update::{UpdateDrop, UpdateItem},
        violations::Violations,
    },
};

/// What a mask may name.
const PATHS: [&str; 8] = [
    "title",
    "description",
    "items",
    "limit_per_buyer",
    "opens_at",
    "ends_at",
    "hold_duration",
    "low_stock_threshold",
];
/// No etag of ours is longer.
const ETAG_BYTES_MAX: usize = 100;

/// Reads a change of a drop.
pub(super) fn update(request: v1::UpdateDropRequest) -> Result<UpdateDrop, Error> {
    let mut found = Violations::default();
    let drop_id: Option<DropId> = found.check("drop_id", fields::id(&request.drop_id));
    let paths = field_mask::paths(request.update_mask, &PATHS, &mut found);
    if request.etag.len() > ETAG_BYTES_MAX {
        found.note("etag", "must have at most 100 characters");
    }
    let is_named = |path: &str| paths.iter().any(|it| it == path);
    let mut wish = UpdateDrop {
        // Not read if it is none: the violation is answered.
        drop_id: drop_id.unwrap_or(DropId::new(uuid::Uuid::nil())),
        etag: (!request.etag.is_empty()).then_some(request.etag),
        title: None,
        description: None,
        items: None,
        limit_per_buyer: None,
        opens_at: None,
        ends_at: None,
        hold: None,
        low_stock_threshold: None,
    };
    if is_named("title") {
        wish.title = drop_request::title(request.title, &mut found);
    }
    if is_named("description") {
        wish.description = drop_request::description(request.description, &mut found);
    }
    if is_named("items") {
        wish.items = items(request.items, &mut found);
    }
    if is_named("limit_per_buyer") {
        wish.limit_per_buyer = drop_request::limit_per_buyer(request.limit_per_buyer, &mut found);
    }
    if is_named("opens_at") {
        wish.opens_at = drop_request::given_time("opens_at", request.opens_at, &mut found);
    }
    if is_named("ends_at") {
        wish.ends_at = drop_request::given_time("ends_at", request.ends_at, &mut found);
    }
    if is_named("hold_duration") {
        wish.hold = drop_request::hold(request.hold_duration, &mut found);
    }
    if is_named("low_stock_threshold") {
        let threshold = request.low_stock_threshold;
        wish.low_stock_threshold = drop_request::low_stock_threshold(threshold, &mut found);
    }
    if found.is_empty() {
        Ok(wish)
    } else {
        Err(found.into())
    }
}

fn items(
    items: Vec<v1::UpdateDropItem>,
    found: &mut Violations,
) -> Option<(Option<Currency>, Vec<UpdateItem>)> {
    let (mut ids, mut contents) = (Vec::new(), Vec::new());
    let mut named = HashSet::new();
    for (i, v1::UpdateDropItem { item_id, item }) in items.into_iter().enumerate() {
        let id: Option<ItemId> = match item_id.as_str() {
            "" => None,
            text => found.check(format_args!("items[{i}].item_id"), fields::id(text)),
        };
        if id.is_some_and(|id| !named.insert(id)) {
            found.note(&format!("items[{i}].item_id"), "must be named once");
        }
        ids.push(id);
        // One that is missing lacks all that it must have.
        contents.push(item.unwrap_or_default());
    }
    let (currency, contents) = drop_request::items(contents, ".item", found)?;
    // If one was refused, so is the request: the ids then need not fit.
    let items = ids.into_iter().zip(contents);
    let items = items.map(|(item_id, item)| UpdateItem { item_id, item });
    Some((currency, items.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields_of(request: v1::UpdateDropRequest) -> Vec<String> {
        match update(request) {
            Err(Error::Invalid(violations)) => violations.into_iter().map(|it| it.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_the_mask_names_is_read() {
        let request = |paths: &[&str]| v1::UpdateDropRequest {
            drop_id: uuid::Uuid::now_v7().to_string(),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
            limit_per_buyer: -1,
            description: "new".to_owned(),
            ..Default::default()
        };
        let wish = update(request(&["description"])).unwrap();
        assert_eq!(wish.description.as_deref(), Some("new"));
        assert!(wish.title.is_none() && wish.items.is_none() && wish.limit_per_buyer.is_none());
        // What all names refuse here: what is not given has no default, but for the hold.
        let mut refused = fields_of(request(&PATHS));
        refused.sort();
        assert_eq!(
            refused,
            ["ends_at", "items", "limit_per_buyer", "opens_at", "title"]
        );
        let wrong = ["*", "title ", "drop_id", "items.title", ""];
        let expected = [0, 1, 2, 3, 4].map(|i| format!("update_mask.paths[{i}]"));
        assert_eq!(fields_of(request(&wrong)), expected);
        assert_eq!(fields_of(request(&[])), ["update_mask"]);
    }
}
