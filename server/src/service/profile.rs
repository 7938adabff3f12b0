//! Changes of what people say about themselves.

use super::{Context, Error, Result, accounts::Profile};
use crate::{
    auth::Caller,
    domain::{
        AccountId,
        account::{Bio, DisplayName},
        reason::Reason,
    },
    store::{
        Cas,
        accounts::Creator,
        outbox::{Entity, EntityKind},
    },
};

/// Tries on a row that others change at the same time.
const TRIES_MAX: usize = 16;

/// Gives the caller's account another name.
///
/// # Errors
/// `ACCOUNT_NOT_FOUND`.
pub async fn update_me(
    ctx: &Context,
    caller: Caller,
    display_name: DisplayName,
) -> Result<Profile> {
    let account_id = caller.account_id;
    for _ in 0..TRIES_MAX {
        let mut account = super::accounts::own_account(ctx, caller).await?;
        if account.display_name != display_name.as_str() {
            account.version += 1;
            account.op_id = ctx.env.uuid();
            account.display_name = display_name.as_str().to_owned();
            let update = ctx.store.update_account(&account);
            let entity = entity(EntityKind::Account, account_id);
            match ctx.outbox.change(entity, account.op_id, update).await? {
                Cas::Done => {}
                Cas::Stale(_) => continue,
            }
        }
        let creator = ctx.creator(account_id).await?;
        return Ok(Profile { account, creator });
    }
    Err(Error::outrun("row"))
}

/// What to change of a creator's profile; `None` stays as it is.
#[derive(Debug)]
pub struct UpdateCreator {
    /// Name shown to others.
    pub display_name: Option<DisplayName>,
    /// About the creator.
    pub bio: Option<Bio>,
}

/// Changes the caller's profile as a creator.
///
/// # Errors
/// `NOT_CREATOR`.
pub async fn update_creator(
    ctx: &Context,
    caller: Caller,
    change: &UpdateCreator,
) -> Result<Creator> {
    for _ in 0..TRIES_MAX {
        let found = ctx.creator(caller.account_id).await?;
        let found =
            found.ok_or_else(|| Error::refused(Reason::NotCreator, "become a creator first"))?;
        let mut creator = found.clone();
        if let Some(name) = &change.display_name {
            creator.display_name = name.as_str().to_owned();
        }
        if let Some(bio) = &change.bio {
            creator.bio = bio.as_str().to_owned();
        }
        if creator == found {
            return Ok(found);
        }
        creator.version += 1;
        creator.op_id = ctx.env.uuid();
        let update = ctx.store.update_creator(&creator);
        let entity = entity(EntityKind::Creator, creator.creator_id);
        match ctx.outbox.change(entity, creator.op_id, update).await? {
            Cas::Done => return Ok(creator),
            Cas::Stale(_) => {}
        }
    }
    Err(Error::outrun("row"))
}

pub(super) fn entity(kind: EntityKind, account_id: AccountId) -> Entity {
    Entity {
        kind,
        id: account_id.uuid(),
    }
}
