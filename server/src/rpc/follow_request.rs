//! Requests about follows, all violations at once.

use livedrop_proto::v1;

use super::{
    fields,
    page_token::{self, FollowsPage},
};
use crate::{
    auth::Keys,
    domain::AccountId,
    service::{Error, violations::Violations},
};

/// Creators that one call may ask about.
const CHECKED_MAX: usize = 200;

/// Reads the only field of `Follow` and `Unfollow`.
pub(super) fn creator(text: &str) -> Result<AccountId, Error> {
    fields::id(text).map_err(|rule| Error::invalid("creator_id", rule))
}

/// Reads `CheckFollows`.
pub(super) fn creators(request: &v1::CheckFollowsRequest) -> Result<Vec<AccountId>, Error> {
    let texts = &request.creator_ids;
    if !(1..=CHECKED_MAX).contains(&texts.len()) {
        let rule = format!("must have 1 to {CHECKED_MAX} entries");
        return Err(Error::invalid("creator_ids", rule));
    }
    let mut found = Violations::default();
    let ids: Vec<_> = texts
        .iter()
        .enumerate()
        .filter_map(|(i, text)| found.check(format_args!("creator_ids[{i}]"), fields::id(text)))
        .collect();
    if found.is_empty() {
        Ok(ids)
    } else {
        Err(found.into())
    }
}

/// Reads `ListFollowers`: whose, and which page.
pub(super) fn followers(
    keys: &Keys,
    caller: AccountId,
    request: &v1::ListFollowersRequest,
) -> Result<(AccountId, FollowsPage), Error> {
    let mut found = Violations::default();
    let creator_id: Option<AccountId> = found.check("creator_id", fields::id(&request.creator_id));
    // A token is good for its list: without one there is nothing to hold it against.
    let seal = creator_id.map(|creator_id| page_token::followers_seal(keys, caller, creator_id));
    let (size, token) = (request.page_size, &request.page_token);
    let page = page_token::follows_page(&mut found, seal.as_ref(), size, token);
    creator_id.zip(page).ok_or_else(|| found.into())
}

/// Reads `ListFollowing`.
pub(super) fn following(
    keys: &Keys,
    caller: AccountId,
    request: &v1::ListFollowingRequest,
) -> Result<FollowsPage, Error> {
    let mut found = Violations::default();
    let seal = page_token::following_seal(keys, caller);
    let (size, token) = (request.page_size, &request.page_token);
    let page = page_token::follows_page(&mut found, Some(&seal), size, token);
    page.ok_or_else(|| found.into())
}
