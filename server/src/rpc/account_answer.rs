//! Accounts, creators and tokens as the contract has them.

use livedrop_proto::v1;
use secrecy::ExposeSecret as _;

use super::fields::to_time;
use crate::{
    service::{accounts::Profile, sessions::Tokens},
    store::accounts::Creator,
};

/// An account, as its owner sees it.
pub(super) fn account(profile: Profile) -> v1::Account {
    let Profile {
        account,
        creator: profile,
    } = profile;
    v1::Account {
        account_id: account.account_id.to_string(),
        email: account.email,
        display_name: account.display_name,
        created_at: Some(to_time(account.created_at)),
        creator: profile.map(creator),
    }
}

/// A creator's public profile.
pub(super) fn creator(creator: Creator) -> v1::Creator {
    v1::Creator {
        creator_id: creator.creator_id.to_string(),
        handle: creator.handle,
        display_name: creator.display_name,
        bio: creator.bio,
        created_at: Some(to_time(creator.created_at)),
    }
}

/// A pair of tokens: the one place where they leave their wrapping.
pub(super) fn tokens(tokens: &Tokens) -> v1::Tokens {
    v1::Tokens {
        access_token: tokens.access_token.expose_secret().to_owned(),
        access_token_expires_at: Some(to_time(tokens.access_token_expires_at)),
        refresh_token: tokens.refresh_token.expose_secret().to_owned(),
        refresh_token_expires_at: Some(to_time(tokens.refresh_token_expires_at)),
    }
}
