//! Unique names. A claim says which account a name is for, before the account's row is there. If the row never comes, the name may be
//! claimed by someone else after [`ABANDONED_AFTER`].
//!
//! Invariant: no two accounts are ever told that a name is theirs. Whoever takes a name over does so by compare-and-set on the
//! claim's version after finding no row. Whoever comes late to put the row bumps that version before and after ([`confirm`]), so
//! one of the two loses.

use std::time::Duration;

use super::{Context, Error, Result};
use crate::{
    domain::{
        AccountId,
        account::{Email, Handle},
    },
    store::{Cas, Put, accounts::Claim},
};

/// From then on a claim without its row is nobody's.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// A row put later than this after its claim needs a [`confirm`]. The rest of [`ABANDONED_AFTER`] is for clocks that differ.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(30);

/// Lost races before a caller is sent away to try again. Each means that another call has got ahead.
const TRIES_MAX: usize = 5;

/// A name that only one account may have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    /// An account's address, folded.
    Email(&'a Email),
    /// A creator's handle.
    Handle(&'a Handle),
}

/// Outcome of [`take`].
#[derive(Debug)]
pub(super) enum Taken {
    /// The name is the account's, by this claim; its row may have to be put.
    Ours(Claim),
    /// Another account has it.
    Others,
}

/// Claims `name` for `owner_id`, again and again with the same outcome.
pub(super) async fn take(ctx: &Context, name: Name<'_>, owner_id: AccountId) -> Result<Taken> {
    let mut claim = new_claim(ctx, owner_id, 1);
    let Put::Exists(mut found) = name.claim(ctx, &claim).await? else {
        return Ok(Taken::Ours(claim));
    };
    for _ in 0..TRIES_MAX {
        if found.owner_id == owner_id {
            return confirm(ctx, name, found).await;
        }
        if name.is_used(ctx, found.owner_id).await? {
            return Ok(Taken::Others);
        }
        if ctx.env.now().since(found.claimed_at) < ABANDONED_AFTER {
            return Err(busy("the name is being claimed by another call"));
        }
        claim = new_claim(ctx, owner_id, found.version + 1);
        found = match name.take_over(ctx, &claim).await? {
            Cas::Done => return Ok(Taken::Ours(claim)),
            Cas::Stale(Some(newer)) => newer,
            Cas::Stale(None) => return Err(Error::Internal("a claim has vanished".into())),
        };
    }
    Err(busy("the name is fought over"))
}

/// Makes sure that `claim` still holds, and will once its row is put. Free unless much time has passed since it was made.
pub(super) async fn confirm(ctx: &Context, name: Name<'_>, claim: Claim) -> Result<Taken> {
    if ctx.env.now().since(claim.claimed_at) < CONFIRMED_WITHIN {
        return Ok(Taken::Ours(claim));
    }
    let owner_id = claim.owner_id;
    let mut newer = new_claim(ctx, owner_id, claim.version + 1);
    for _ in 0..TRIES_MAX {
        match name.take_over(ctx, &newer).await? {
            Cas::Done => return Ok(Taken::Ours(newer)),
            Cas::Stale(Some(found)) if found.owner_id == owner_id => {
                newer = new_claim(ctx, owner_id, found.version + 1)
            }
            Cas::Stale(Some(_)) => return Ok(Taken::Others),
            Cas::Stale(None) => return Err(Error::Internal("a claim has vanished".into())),
        }
    }
    Err(busy("the name is fought over"))
}

fn new_claim(ctx: &Context, owner_id: AccountId, version: i64) -> Claim {
    Claim {
        version,
        claim_id: ctx.env.uuid(),
        owner_id,
        claimed_at: ctx.env.now(),
    }
}

fn busy(cause: &str) -> Error {
    Error::Unavailable {
        retry_after: Duration::from_secs(1),
        cause: cause.into(),
    }
}

impl Name<'_> {
    async fn claim(self, ctx: &Context, claim: &Claim) -> Result<Put<Claim>> {
        Ok(match self {
            Self::Email(email) => ctx.store.claim_email(email.folded(), claim).await?,
            Self::Handle(handle) => ctx.store.claim_handle(handle.as_str(), claim).await?,
        })
    }

    async fn take_over(self, ctx: &Context, claim: &Claim) -> Result<Cas<Claim>> {
        Ok(match self {
            Self::Email(email) => ctx.store.take_over_email(email.folded(), claim).await?,
            Self::Handle(handle) => ctx.store.take_over_handle(handle.as_str(), claim).await?,
        })
    }

    /// Whether the row that the claim was made for is there.
    async fn is_used(self, ctx: &Context, owner_id: AccountId) -> Result<bool> {
        Ok(match self {
            Self::Email(_) => ctx.account(owner_id).await?.is_some(),
            Self::Handle(handle) => ctx
                .store
                .get_creator(owner_id)
                .await?
                .is_some_and(|creator| creator.handle == handle.as_str()),
        })
    }
}
