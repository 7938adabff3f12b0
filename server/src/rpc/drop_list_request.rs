//! The requests of `BatchGetDrops` and `ListDrops`, and the tokens of the pages.

use std::collections::HashSet;

use livedrop_proto::v1;

use super::{
    drop_embeds, fields, page_token,
    seal::{Seal, take},
};
use crate::{
    auth::Keys,
    domain::{AccountId, DropId, Timestamp},
    service::{
        Context, Error,
        drop_lists::{self, DayPlace, DropFilter, DropsPage},
        violations::Violations,
    },
    store::{drops::DropTimeKey, projections::DropState},
};

/// Drops that one call may ask for: so many of the largest fit into [`super::REPLY_BYTES_MAX`].
const BATCH_MAX: usize = 50;

/// Reads `BatchGetDrops`: distinct ids.
pub(super) fn batch(request: &v1::BatchGetDropsRequest) -> Result<Vec<DropId>, Error> {
    let texts = &request.drop_ids;
    if !(1..=BATCH_MAX).contains(&texts.len()) {
        let rule = format!("must have 1 to {BATCH_MAX} entries");
        return Err(Error::invalid("drop_ids", rule));
    }
    let mut found = Violations::default();
    let mut ids = Vec::with_capacity(texts.len());
    let mut named = HashSet::new();
    for (i, text) in texts.iter().enumerate() {
        let id: Option<DropId> = found.check(format_args!("drop_ids[{i}]"), fields::id(text));
        ids.extend(id.filter(|id| named.insert(*id)));
    }
    if found.is_empty() {
        Ok(ids)
    } else {
        Err(found.into())
    }
}

/// Which list, and where in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    OfCreator(AccountId, Option<(Timestamp, DropId)>),
    ByTime(DropState, Option<DayPlace>),
}

/// A page of drops that is asked for.
pub(super) struct Asked<'a> {
    list: List,
    filter: DropFilter,
    size: usize,
    seal: Seal<'a>,
}

/// Reads `ListDrops`.
pub(super) fn list<'a>(keys: &'a Keys, request: &v1::ListDropsRequest) -> Result<Asked<'a>, Error> {
    let mut found = Violations::default();
    let state = found.check("state", state(request.state)).flatten();
    let creator_id: Option<AccountId> = match request.creator_id.as_str() {
        "" => None,
        text => found.check("creator_id", fields::id(text)),
    };
    if request.state == 0 && request.creator_id.is_empty() {
        found.note("state", "must be given, or creator_id");
    }
    let mut time = |field: &str, time: Option<prost_types::Timestamp>| {
        time.and_then(|time| found.check(field, fields::time(time)))
    };
    let opens_from = time("opens_after", request.opens_after);
    let opens_before = time("opens_before", request.opens_before);
    let is_range = |(from, before)| from < before;
    if !opens_from.zip(opens_before).is_none_or(is_range) {
        found.note("opens_before", "must be later than opens_after");
    }
    let filter = DropFilter {
        state,
        opens_from,
        opens_before,
    };
    let seal = seal(keys, &filter, creator_id);
    // A token is good for its list: if that is not known, there is nothing to hold the token against.
    let is_known = found.is_empty();
    let size = found.check("page_size", page_token::page_size(request.page_size));
    let list = list_of(creator_id, state).filter(|_| is_known);
    let list = list.and_then(|list| {
        let read = |content: &mut &[u8]| list.read(content);
        let place = page_token::opened(&request.page_token, &seal, read);
        found.check("page_token", place.map(|place| place.unwrap_or(list)))
    });
    match list.zip(size) {
        Some((list, size)) if found.is_empty() => Ok(Asked {
            list,
            filter,
            size,
            seal,
        }),
        Some(_) | None => Err(found.into()),
    }
}

fn list_of(creator_id: Option<AccountId>, state: Option<DropState>) -> Option<List> {
    match creator_id {
        Some(creator_id) => Some(List::OfCreator(creator_id, None)),
        None => state.map(|state| List::ByTime(state, None)),
    }
}

pub(super) fn state(state: i32) -> Result<Option<DropState>, &'static str> {
    match v1::DropState::try_from(state) {
        Ok(v1::DropState::Unspecified) => Ok(None),
        Ok(v1::DropState::Scheduled) => Ok(Some(DropState::Scheduled)),
        Ok(v1::DropState::Live) => Ok(Some(DropState::Live)),
        Ok(v1::DropState::Ended) => Ok(Some(DropState::Ended)),
        Ok(v1::DropState::Cancelled) => Ok(Some(DropState::Cancelled)),
        Err(_) => Err("must be a state of drops"),
    }
}

/// The list is the same for everyone, so its tokens are too.
fn seal<'a>(keys: &'a Keys, filter: &DropFilter, creator_id: Option<AccountId>) -> Seal<'a> {
    let state: u128 = match filter.state {
        None => 0,
        Some(DropState::Scheduled) => 1,
        Some(DropState::Live) => 2,
        Some(DropState::Ended) => 3,
        Some(DropState::Cancelled) => 4,
    };
    let micros = |time: Option<Timestamp>| time.map_or(i64::MIN, Timestamp::micros);
    let [from, before] = [filter.opens_from, filter.opens_before].map(micros);
    let times = (u128::from(from.cast_unsigned()) << 64) | u128::from(before.cast_unsigned());
    Seal::new(keys, "page ListDrops")
        .of(&state.to_be_bytes())
        .of(creator_id.as_ref().map_or(&[0; 16], AccountId::as_bytes))
        .of(&times.to_be_bytes())
}

impl List {
    /// The same list from where a token says.
    fn read(self, content: &mut &[u8]) -> Option<Self> {
        Some(match self {
            Self::OfCreator(creator_id, _) => Self::OfCreator(creator_id, Some(read_key(content)?)),
            Self::ByTime(state, _) => {
                let day = i32::from_be_bytes(take(content)?);
                let after = match content.is_empty() {
                    true => None,
                    false => Some(read_key(content)?),
                };
                let after = after.map(|(opens_at, drop_id)| DropTimeKey { opens_at, drop_id });
                Self::ByTime(state, Some(DayPlace { day, after }))
            }
        })
    }
}

fn read_key(content: &mut &[u8]) -> Option<(Timestamp, DropId)> {
    let time = Timestamp::from_micros(i64::from_be_bytes(take(content)?));
    Some((time, DropId::from_slice(&take::<16>(content)?).ok()?))
}

fn write_key((time, drop_id): (Timestamp, DropId)) -> Vec<u8> {
    [&time.micros().to_be_bytes()[..], drop_id.as_bytes()].concat()
}

fn write_day(place: DayPlace) -> Vec<u8> {
    let key = place.after.map(|key| (key.opens_at, key.drop_id));
    let key = key.map_or_else(Vec::new, write_key);
    [&place.day.to_be_bytes()[..], &key].concat()
}

impl Asked<'_> {
    /// The page.
    pub(super) async fn answer(&self, ctx: &Context) -> Result<v1::ListDropsResponse, Error> {
        let (filter, size) = (&self.filter, self.size);
        Ok(match self.list {
            List::OfCreator(creator_id, after) => {
                let page = drop_lists::of_creator(ctx, creator_id, filter, after, size).await?;
                self.page(ctx, page, write_key).await
            }
            List::ByTime(state, from) => {
                let page = drop_lists::by_time(ctx, state, filter, from, size).await?;
                self.page(ctx, page, write_day).await
            }
        })
    }

    async fn page<P>(
        &self,
        ctx: &Context,
        page: DropsPage<P>,
        write: impl FnOnce(P) -> Vec<u8>,
    ) -> v1::ListDropsResponse {
        let token = page.next.map(|place| self.seal.seal(&write(place)));
        v1::ListDropsResponse {
            drops: drop_embeds::wholes(ctx, &page.drops).await,
            next_page_token: token.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATOR: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

    fn of_state(state: v1::DropState) -> v1::ListDropsRequest {
        v1::ListDropsRequest {
            state: state.into(),
            ..Default::default()
        }
    }

    fn fields_of(keys: &Keys, request: &v1::ListDropsRequest) -> Vec<String> {
        match list(keys, request) {
            Err(Error::Invalid(violations)) => violations.into_iter().map(|it| it.field).collect(),
            Err(other) => panic!("{other:?}"),
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn a_page_goes_on_where_its_token_says_for_its_filter_only() {
        let keys = Keys::generate().unwrap();
        let key = DropTimeKey {
            opens_at: Timestamp::from_micros(-5),
            drop_id: DropId::new(uuid::Uuid::from_u128(3)),
        };
        let live = of_state(v1::DropState::Live);
        let of_creator = v1::ListDropsRequest {
            creator_id: CREATOR.to_owned(),
            ..live.clone()
        };
        let seal = |request| list(&keys, request).unwrap().seal;
        let mut tokens = Vec::new();
        for after in [None, Some(key)] {
            let place = DayPlace { day: -7, after };
            let page_token = seal(&live).seal(&write_day(place));
            tokens.push((live.clone(), page_token.clone()));
            let request = v1::ListDropsRequest {
                page_token,
                ..live.clone()
            };
            let found = list(&keys, &request).unwrap().list;
            assert_eq!(found, List::ByTime(DropState::Live, Some(place)));
        }
        let place = (key.opens_at, key.drop_id);
        tokens.push((
            of_creator.clone(),
            seal(&of_creator).seal(&write_key(place)),
        ));
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let others = [
            live.clone(),
            of_creator.clone(),
            of_state(v1::DropState::Ended),
            v1::ListDropsRequest {
                state: 0,
                ..of_creator.clone()
            },
            v1::ListDropsRequest {
                creator_id: CREATOR.replace("ab", "ac"),
                ..of_creator
            },
            v1::ListDropsRequest {
                opens_after: time(1),
                ..live.clone()
            },
            v1::ListDropsRequest {
                opens_before: time(1),
                ..live
            },
        ];
        for (of, token) in &tokens {
            for other in &others {
                let request = v1::ListDropsRequest {
                    page_token: token.clone(),
                    ..other.clone()
                };
                let expected: &[&str] = if other == of { &[] } else { &["page_token"] };
                assert_eq!(fields_of(&keys, &request), expected, "{other:?}");
            }
        }
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let keys = Keys::generate().unwrap();
        assert_eq!(
            fields_of(&keys, &v1::ListDropsRequest::default()),
            ["state"]
        );
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let request = v1::ListDropsRequest {
            state: 99,
            creator_id: "no".to_owned(),
            opens_after: time(7),
            opens_before: time(7),
            page_size: -1,
            page_token: "x".to_owned(),
        };
        let expected = ["state", "creator_id", "opens_before", "page_size"];
        assert_eq!(fields_of(&keys, &request), expected);
        let drop_ids = vec![CREATOR.to_owned(), "no".to_owned(), CREATOR.to_owned()];
        let Err(Error::Invalid(violations)) = batch(&v1::BatchGetDropsRequest { drop_ids }) else {
            panic!("taken");
        };
        assert_eq!(violations[0].field, "drop_ids[1]");
        let drop_ids = vec![CREATOR.to_owned(); BATCH_MAX];
        assert_eq!(
            batch(&v1::BatchGetDropsRequest { drop_ids }).unwrap().len(),
            1
        );
        for count in [0, BATCH_MAX + 1] {
            let drop_ids = vec![CREATOR.to_owned(); count];
            assert!(batch(&v1::BatchGetDropsRequest { drop_ids }).is_err());
        }
    }
}
